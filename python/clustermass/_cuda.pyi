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
def project_f32(
    positions: int,
    n: int,
    dims: int,
    weights: int,
    channels: int,
    smoothing_length: int,
    image: int,
    rows: int,
    cols: int,
    scratch: int,
    scratch_size: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    form: int = -1,
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
    image: int,
    rows: int,
    cols: int,
    scratch: int,
    scratch_size: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    form: int = -1,
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
def subsample_uniform(items: int, n_items: int, out: int, *, seed: int, device: int, stream: int) -> None: ...
def project_gradient_f32(
    positions: int,
    n: int,
    dims: int,
    weights: int,
    channels: int,
    smoothing_length: int,
    gradient: int,
    rows: int,
    cols: int,
    by_positions: int,
    by_weights: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    device: int,
    stream: int,
) -> None: ...
def project_gradient_f64(
    positions: int,
    n: int,
    dims: int,
    weights: int,
    channels: int,
    smoothing_length: int,
    gradient: int,
    rows: int,
    cols: int,
    by_positions: int,
    by_weights: int,
    *,
    assignment: int,
    kernel: int,
    origin_row: float,
    origin_col: float,
    per_pixel: float,
    device: int,
    stream: int,
) -> None: ...
def noise_f32(
    images: int,
    out: int,
    n_items: int,
    channels: int,
    pixels: int,
    sigma: int,
    items: int,
    *,
    seed: int,
    device: int,
    stream: int,
) -> None: ...
def noise_f64(
    images: int,
    out: int,
    n_items: int,
    channels: int,
    pixels: int,
    sigma: int,
    items: int,
    *,
    seed: int,
    device: int,
    stream: int,
) -> None: ...
def beam_f32(
    images: int,
    items: int,
    rows: int,
    cols: int,
    taps: int,
    channels: int,
    n_taps: int,
    reach: int,
    scratch: int,
    scratch_size: int,
    out: int,
    *,
    margin: int,
    device: int,
    stream: int,
) -> None: ...
def beam_f64(
    images: int,
    items: int,
    rows: int,
    cols: int,
    taps: int,
    channels: int,
    n_taps: int,
    reach: int,
    scratch: int,
    scratch_size: int,
    out: int,
    *,
    margin: int,
    device: int,
    stream: int,
) -> None: ...
def beam_pad_f32(
    images: int, items: int, rows: int, cols: int, out: int, *, margin: int, device: int, stream: int
) -> None: ...
def beam_pad_f64(
    images: int, items: int, rows: int, cols: int, out: int, *, margin: int, device: int, stream: int
) -> None: ...
