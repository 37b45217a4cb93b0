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
