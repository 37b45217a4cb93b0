from collections.abc import Sequence
from typing import Any

# Arrays are device addresses; `device` is a CUDA ordinal and `stream` a cudaStream_t (0: the default stream). A call
# enqueues its work and returns. What each argument must be is said in cuda/include/clustermass_cuda/ops.hpp.

def query_devices() -> dict[str, Any]: ...
def device_of(address: int) -> int: ...
def wait(waiting: int, awaited: int, device: int) -> None: ...
def upload(address: int, host: Any, device: int, stream: int) -> None: ...
def download(host: Any, address: int, device: int, stream: int) -> None: ...
def items_at_once(n: int, bytes_each: int, device: int) -> int: ...
def project_scratch(n: int, channels: int, rows: int, cols: int, *, form: int = -1, device: int) -> int: ...
def project_f32(positions: int, n: int, dims: int, weights: int, channels: int, smoothing_length: int, image: int,
    rows: int, cols: int, scratch: int, scratch_size: int, *, assignment: int, kernel: int, origin_row: float,
    origin_col: float, per_pixel: float, form: int = -1, device: int, stream: int) -> None: ...  # fmt: skip
def project_f64(positions: int, n: int, dims: int, weights: int, channels: int, smoothing_length: int, image: int,
    rows: int, cols: int, scratch: int, scratch_size: int, *, assignment: int, kernel: int, origin_row: float,
    origin_col: float, per_pixel: float, form: int = -1, device: int, stream: int) -> None: ...  # fmt: skip
def subsample(offsets: int, items: int, n_items: int, draw_offsets: int, indices: int, n_indices: int, scratch: int,
    scratch_size: int, *, max_members: int, n_draws: int, seed: int, device: int, stream: int) -> None: ...  # fmt: skip
def subsample_uniform(items: int, n_items: int, out: int, *, seed: int, device: int, stream: int) -> None: ...
def project_gradient_f32(positions: int, n: int, dims: int, weights: int, channels: int, smoothing_length: int,
    gradient: int, rows: int, cols: int, by_positions: int, by_weights: int, *, assignment: int, kernel: int,
    origin_row: float, origin_col: float, per_pixel: float, device: int, stream: int) -> None: ...  # fmt: skip
def project_gradient_f64(positions: int, n: int, dims: int, weights: int, channels: int, smoothing_length: int,
    gradient: int, rows: int, cols: int, by_positions: int, by_weights: int, *, assignment: int, kernel: int,
    origin_row: float, origin_col: float, per_pixel: float, device: int, stream: int) -> None: ...  # fmt: skip
def noise_f32(images: int, out: int, n_items: int, channels: int, pixels: int, sigma: int, items: int, *, seed: int,
    device: int, stream: int) -> None: ...  # fmt: skip
def noise_f64(images: int, out: int, n_items: int, channels: int, pixels: int, sigma: int, items: int, *, seed: int,
    device: int, stream: int) -> None: ...  # fmt: skip
def beam_f32(images: int, items: int, rows: int, cols: int, taps: int, channels: int, n_taps: int, reach: int,
    scratch: int, scratch_size: int, out: int, *, margin: int, device: int, stream: int) -> None: ...  # fmt: skip
def beam_f64(images: int, items: int, rows: int, cols: int, taps: int, channels: int, n_taps: int, reach: int,
    scratch: int, scratch_size: int, out: int, *, margin: int, device: int, stream: int) -> None: ...  # fmt: skip
def beam_pad_f32(images: int, items: int, rows: int, cols: int, out: int, *, margin: int, device: int,
    stream: int) -> None: ...  # fmt: skip
def beam_pad_f64(images: int, items: int, rows: int, cols: int, out: int, *, margin: int, device: int,
    stream: int) -> None: ...  # fmt: skip
def index_scratch(n: int) -> int: ...
def index_f32(positions: int, weights: int, smoothing_length: int, n: int, channels: int, out: Sequence[int],
    scratch: int, scratch_size: int, *, n_cells: Sequence[int], origin: Sequence[float], cell_size: Sequence[float],
    is_periodic: bool, device: int, stream: int) -> None: ...  # fmt: skip
def index_f64(positions: int, weights: int, smoothing_length: int, n: int, channels: int, out: Sequence[int],
    scratch: int, scratch_size: int, *, n_cells: Sequence[int], origin: Sequence[float], cell_size: Sequence[float],
    is_periodic: bool, device: int, stream: int) -> None: ...  # fmt: skip
def views_f32(index: Sequence[int], n: int, channels: int, centres: int, rotations: int, pixel_sizes: int, n_views: int,
    n_sizes: int, images: int, rows: int, cols: int, scratch: int, scratch_size: int, *, n_cells: Sequence[int],
    origin: Sequence[float], cell_size: Sequence[float], is_periodic: bool, assignment: int, kernel: int,
    half_depth: float, max_support: float, add: bool, device: int, stream: int) -> None: ...  # fmt: skip
def views_f32_into_f64(index: Sequence[int], n: int, channels: int, centres: int, rotations: int, pixel_sizes: int,
    n_views: int, n_sizes: int, images: int, rows: int, cols: int, scratch: int, scratch_size: int, *,
    n_cells: Sequence[int], origin: Sequence[float], cell_size: Sequence[float], is_periodic: bool, assignment: int,
    kernel: int, half_depth: float, max_support: float, add: bool, device: int, stream: int) -> None: ...  # fmt: skip
def views_f64(index: Sequence[int], n: int, channels: int, centres: int, rotations: int, pixel_sizes: int, n_views: int,
    n_sizes: int, images: int, rows: int, cols: int, scratch: int, scratch_size: int, *, n_cells: Sequence[int],
    origin: Sequence[float], cell_size: Sequence[float], is_periodic: bool, assignment: int, kernel: int,
    half_depth: float, max_support: float, add: bool, device: int, stream: int) -> None: ...  # fmt: skip
def bounds_f32(values: int, rows: int, cols: int, scratch: int, scratch_size: int, *, device: int,
    stream: int) -> list[float]: ...  # fmt: skip
def bounds_f64(values: int, rows: int, cols: int, scratch: int, scratch_size: int, *, device: int,
    stream: int) -> list[float]: ...  # fmt: skip
def kde_f32(points: int, n: int, dims: int, offsets: int, weights: int, axes: Sequence[float], kernel: int,
    kernel_size: int, scratch: int, scratch_size: int, out: int, clusters: int, cells: int, *, bandwidth: int,
    factor: float, normalise: int, form: int = -1, device: int, stream: int) -> None: ...  # fmt: skip
def kde_f64(points: int, n: int, dims: int, offsets: int, weights: int, axes: Sequence[float], kernel: int,
    kernel_size: int, scratch: int, scratch_size: int, out: int, clusters: int, cells: int, *, bandwidth: int,
    factor: float, normalise: int, form: int = -1, device: int, stream: int) -> None: ...  # fmt: skip
def galaxy_index_f32(positions: int, velocities: int, hosts: int, n: int, out: Sequence[int], scratch: int,
    scratch_size: int, *, n_cells: Sequence[int], origin: Sequence[float], cell_size: Sequence[float], box: float,
    device: int, stream: int) -> tuple[int, float]: ...  # fmt: skip
def galaxy_index_f64(positions: int, velocities: int, hosts: int, n: int, out: Sequence[int], scratch: int,
    scratch_size: int, *, n_cells: Sequence[int], origin: Sequence[float], cell_size: Sequence[float], box: float,
    device: int, stream: int) -> tuple[int, float]: ...  # fmt: skip
def lightcone_count_f32(index: Sequence[int], n: int, queries: Sequence[int], n_queries: int, table_size: int,
    scratch: int, scratch_size: int, offsets: int, *, n_cells: Sequence[int], origin: Sequence[float],
    cell_size: Sequence[float], box: float, table_start: float, table_per_step: float, max_velocity: float,
    is_cone: bool, is_relativistic: bool, device: int, stream: int) -> int: ...  # fmt: skip
def lightcone_count_f64(index: Sequence[int], n: int, queries: Sequence[int], n_queries: int, table_size: int,
    scratch: int, scratch_size: int, offsets: int, *, n_cells: Sequence[int], origin: Sequence[float],
    cell_size: Sequence[float], box: float, table_start: float, table_per_step: float, max_velocity: float,
    is_cone: bool, is_relativistic: bool, device: int, stream: int) -> int: ...  # fmt: skip
def lightcone_fill_f32(index: Sequence[int], n: int, queries: Sequence[int], n_queries: int, table_size: int,
    scratch: int, scratch_size: int, out: Sequence[int], n_seen: int, *, n_cells: Sequence[int],
    origin: Sequence[float], cell_size: Sequence[float], box: float, table_start: float, table_per_step: float,
    max_velocity: float, is_cone: bool, is_relativistic: bool, device: int, stream: int) -> None: ...  # fmt: skip
def lightcone_fill_f64(index: Sequence[int], n: int, queries: Sequence[int], n_queries: int, table_size: int,
    scratch: int, scratch_size: int, out: Sequence[int], n_seen: int, *, n_cells: Sequence[int],
    origin: Sequence[float], cell_size: Sequence[float], box: float, table_start: float, table_per_step: float,
    max_velocity: float, is_cone: bool, is_relativistic: bool, device: int, stream: int) -> None: ...  # fmt: skip
def lightcone_scratch(n_queries: int) -> int: ...
def kde_gradient_f32(points: int, n: int, dims: int, offsets: int, weights: int, axes: Sequence[float],
    kernel: int, kernel_size: int, gradient: int, clusters: int, cells: int, scratch: int, scratch_size: int,
    by_points: int, by_weights: int, *, bandwidth: int, factor: float, normalise: int, device: int,
    stream: int) -> None: ...  # fmt: skip
def kde_gradient_f64(points: int, n: int, dims: int, offsets: int, weights: int, axes: Sequence[float],
    kernel: int, kernel_size: int, gradient: int, clusters: int, cells: int, scratch: int, scratch_size: int,
    by_points: int, by_weights: int, *, bandwidth: int, factor: float, normalise: int, device: int,
    stream: int) -> None: ...  # fmt: skip
