"""The limits of this machine on one thread, measured in the run that quotes them.

`LIMITS` names each and says what it measures. The loops are in floor.cpp, built with the system's compiler for this
processor; without a compiler there are no limits, and results are shown without their share of them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from . import cases

LIMITS = {
    "read [GB/s]": "sum of 256 MB of float32",
    "copy [GB/s]": "copy of 256 MB, bytes read and written counted",
    "triad [GB/s]": "a = b + 3 c, 128 MB each, all three counted",
    "fma f32 [GFLOP/s]": "twelve chains of fused multiply-add in 64-byte vectors",
    "fma f64 [GFLOP/s]": "the same in double",
    "exp f32 [1e9/s]": "polynomial exponential of 16 kB, degree 6",
    "exp f64 [1e9/s]": "the same of degree 12",
    "scatter 1 random [ns]": "image[pixel] += weight, one double; pixels random",
    "scatter 1 clustered [ns]": "the same; pixels of the NFW cloud",
    "scatter 4 clustered [ns]": "four channels side by side, 32 bytes read-added-written",
    "scatter 64 B [ns]": "64 bytes read-added-written at a pixel of the NFW cloud, index streamed",
    "philox [ns]": "Philox4x32-10, one 32-bit word, stored to memory",
}


@cache
def library():
    """The native loops, or None where there is no compiler."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        return None
    target = Path(tempfile.mkdtemp(prefix="clustermass-floor-")) / "floor.so"
    source = Path(__file__).with_suffix(".cpp")
    command = [compiler, "-std=c++17", "-O3", "-march=native", "-w", "-shared", "-fPIC", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def call(name, *args):
    """Run one loop; arrays become addresses, integers 64-bit."""
    fn = getattr(library(), name)
    fn.restype = None
    fn(*(ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int64(a) for a in args))


def nfw_pixels(n):
    """Pixel of each particle of the NFW cloud, int32."""
    cell = cases.nfw_positions(n)[:, :2].astype(np.int32)
    return np.ascontiguousarray(cell[:, 0] * cases.SHAPE[1] + cell[:, 1])


def _best(name, *args):
    """Least CPU seconds of five calls of a loop."""
    times = []
    for _ in range(5):
        start = time.process_time()
        call(name, *args)
        times.append(time.process_time() - start)
    return min(times)


def measure():
    """Every limit, {name: value}; empty without a compiler."""
    if library() is None:
        return {}
    n = 64 * 2**20
    a, b = np.ones(n, np.float32), np.zeros(n, np.float32)
    half, m, loops = n // 2, 4_000_000, 4_000_000
    result = {
        "read [GB/s]": 4e-9 * n / _best("read_floats", a, n),
        "copy [GB/s]": 8e-9 * n / _best("copy_floats", b, a, n),
        "triad [GB/s]": 12e-9 * half / _best("triad_floats", b, a, a[half:], half),
    }
    for bits, lanes, repeats in ((32, 16, 4000), (64, 8, 2000)):
        result[f"fma f{bits} [GFLOP/s]"] = 2e-9 * 12 * lanes * loops / _best(f"fma_f{bits}", loops)
        x = np.linspace(-50, 50, 2 * 256 * lanes).astype(f"f{bits // 8}")
        result[f"exp f{bits} [1e9/s]"] = 1e-9 * x.size / 2 * repeats / _best(f"exp_f{bits}", x, x.size // 2, repeats)
    random, cloud = np.random.default_rng(0).integers(0, 14_400, m, np.int32), nfw_pixels(m)
    image = np.zeros(4 * 14_400 + 8)
    result["scatter 1 random [ns]"] = 1e9 / m * _best("scatter_1", random, a, image, m)
    result["scatter 1 clustered [ns]"] = 1e9 / m * _best("scatter_1", cloud, a, image, m)
    result["scatter 4 clustered [ns]"] = 1e9 / m * _best("scatter_4", cloud, a, image, m)
    result["scatter 64 B [ns]"] = 1e9 / m * _best("scatter_64", cloud, image, m)
    words = b.view(np.uint32)[: 16 * 2**20]
    result["philox [ns]"] = 1e9 / words.size * _best("philox", words, words.size)
    return {name: result[name] for name in LIMITS}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:26s} {value:8.2f}   {LIMITS[name]}")
