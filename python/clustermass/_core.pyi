from typing import Any

import numpy as np
from numpy.typing import NDArray

def instruction_set() -> str: ...
def beam_f32(
    images: NDArray[np.float32],
    taps: NDArray[np.float32],
    reach: NDArray[np.int64],
    out: NDArray[np.float32],
    *,
    margin: int,
    n_threads: int,
) -> bool: ...
def beam_f64(
    images: NDArray[np.float64],
    taps: NDArray[np.float64],
    reach: NDArray[np.int64],
    out: NDArray[np.float64],
    *,
    margin: int,
    n_threads: int,
) -> bool: ...
def project_f32(
    positions: NDArray[np.float32],
    weights: NDArray[np.float32],
    smoothing_length: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    n_threads: int,
) -> bool: ...
def index_f32(
    positions: NDArray[np.float32],
    weights: NDArray[np.float32],
    smoothing_length: NDArray[np.float32],
    out: dict[str, NDArray[Any]],
    *,
    n_cells: tuple[int, int, int],
    origin: tuple[float, float, float],
    cell_size: tuple[float, float, float],
    is_periodic: bool,
    n_threads: int,
) -> bool: ...
def views_f32(
    arrays: dict[str, NDArray[Any]],
    *,
    n_cells: tuple[int, int, int],
    origin: tuple[float, float, float],
    cell_size: tuple[float, float, float],
    is_periodic: bool,
    centres: NDArray[np.float64],
    rotations: NDArray[np.float64],
    per_pixel: NDArray[np.float64],
    out: NDArray[Any],
    assignment: int,
    kernel: int,
    half_depth: float,
    max_support: float,
    add: bool,
    n_threads: int,
) -> None: ...
def project_f64(
    positions: NDArray[np.float64],
    weights: NDArray[np.float64],
    smoothing_length: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    n_threads: int,
) -> bool: ...
def index_f64(
    positions: NDArray[np.float64],
    weights: NDArray[np.float64],
    smoothing_length: NDArray[np.float64],
    out: dict[str, NDArray[Any]],
    *,
    n_cells: tuple[int, int, int],
    origin: tuple[float, float, float],
    cell_size: tuple[float, float, float],
    is_periodic: bool,
    n_threads: int,
) -> bool: ...
def views_f64(
    arrays: dict[str, NDArray[Any]],
    *,
    n_cells: tuple[int, int, int],
    origin: tuple[float, float, float],
    cell_size: tuple[float, float, float],
    is_periodic: bool,
    centres: NDArray[np.float64],
    rotations: NDArray[np.float64],
    per_pixel: NDArray[np.float64],
    out: NDArray[Any],
    assignment: int,
    kernel: int,
    half_depth: float,
    max_support: float,
    add: bool,
    n_threads: int,
) -> None: ...
def noise_f32(
    images: NDArray[np.float32],
    sigma: NDArray[np.float64],
    items: NDArray[np.int64],
    *,
    seed: int,
    n_threads: int,
) -> None: ...
def noise_f64(
    images: NDArray[np.float64],
    sigma: NDArray[np.float64],
    items: NDArray[np.int64],
    *,
    seed: int,
    n_threads: int,
) -> None: ...
def subsample(
    offsets: NDArray[np.int64],
    items: NDArray[np.int64],
    draw_offsets: NDArray[np.int64],
    indices: NDArray[np.int64],
    *,
    n_draws: int,
    seed: int,
    n_threads: int,
) -> None: ...
def subsample_uniform(items: NDArray[np.int64], out: NDArray[np.float64], *, seed: int, n_threads: int) -> None: ...
def project_gradient_f32(
    positions: NDArray[np.float32],
    weights: NDArray[np.float32],
    smoothing_length: NDArray[np.float32],
    gradient: NDArray[np.float32],
    by_positions: NDArray[np.float32],
    by_weights: NDArray[np.float32],
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    n_threads: int,
) -> bool: ...
def project_gradient_f64(
    positions: NDArray[np.float64],
    weights: NDArray[np.float64],
    smoothing_length: NDArray[np.float64],
    gradient: NDArray[np.float64],
    by_positions: NDArray[np.float64],
    by_weights: NDArray[np.float64],
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    n_threads: int,
) -> bool: ...
