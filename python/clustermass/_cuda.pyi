from typing import Any

# Arrays are device addresses; `device` is a CUDA ordinal and `stream` a cudaStream_t (0: the default stream). A call
# enqueues its work and returns. What each argument must be is said in cuda/include/clustermass_cuda/ops.hpp.

def query_devices() -> dict[str, Any]: ...
def project_f32(
    positions: int,
    n: int,
    dims: int,
    weights: int,
    channels: int,
    smoothing_length: int,
    sums: int,
    rows: int,
    cols: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    device: int,
    stream: int,
) -> None: ...
def project_f64(
    positions: int,
    n: int,
    dims: int,
    weights: int,
    channels: int,
    smoothing_length: int,
    sums: int,
    rows: int,
    cols: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    device: int,
    stream: int,
) -> None: ...
def subsample(
    offsets: int,
    items: int,
    n_items: int,
    draw_offsets: int,
    indices: int,
    n_indices: int,
    scratch: int,
    scratch_size: int,
    *,
    max_members: int,
    n_draws: int,
    seed: int,
    device: int,
    stream: int,
) -> None: ...
