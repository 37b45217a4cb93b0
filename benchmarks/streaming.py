"""Peak memory of mapping a snapshot larger than the byte budget, chunk by chunk, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

import clustermass as cm

PARTICLES, BUDGET_MB, ALLOWANCE_MB = 12_000_000, 64, 300
BOX = 100.0  # [Mpc/h]


def write_snapshot(path, n=PARTICLES):
    """A box of gas in the Gadget HDF5 layout, n * 44 bytes."""
    rng = np.random.default_rng(0)
    counts = [n, 0, 0, 0, 0, 0]
    header = {
        "NumPart_ThisFile": counts, "NumPart_Total": counts, "NumPart_Total_HighWord": [0] * 6, "MassTable": [0.0] * 6,
        "NumFilesPerSnapshot": 1, "Time": 1.0, "Redshift": 0.0, "BoxSize": BOX, "Omega0": 0.3, "OmegaLambda": 0.7,
        "HubbleParam": 0.7, "UnitLength_in_cm": 3.085678e24, "UnitMass_in_g": 1.989e43,
        "UnitVelocity_in_cm_per_s": 1e5,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(header)
        gas = file.create_group("PartType0")
        gas["Coordinates"] = rng.random((n, 3), dtype=np.float32) * np.float32(BOX)
        gas["Velocities"] = rng.random((n, 3), dtype=np.float32)
        gas["ParticleIDs"] = np.arange(n, dtype=np.uint64)
        for name in ("Masses", "InternalEnergy", "Density"):
            gas[name] = rng.random(n, dtype=np.float32) + np.float32(0.5)


def peak_mb():
    """Largest resident memory of this process so far. (getrusage would count the parent that started it.)"""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def stream(path):
    """Map every particle, and print what it took."""
    start = time.perf_counter()
    snapshot = cm.open_snapshot(path)
    size = snapshot.header.box_size / 120
    image, mass, read = np.zeros((120, 120)), 0.0, 0
    fields = ("positions", "velocities", "masses", "ids", "internal_energy", "density")
    for chunk in snapshot.iter_chunks("gas", fields, byte_budget=BUDGET_MB * 2**20):
        image += cm.project_particles(chunk["positions"], chunk["masses"], shape=(120, 120), pixel_size=size,
                                      assignment="ngp")  # fmt: skip
        mass += chunk["masses"].sum(dtype=float)
        read += sum(values.nbytes for values in chunk.values())
    assert np.isclose(image.sum(), mass, rtol=1e-5), (image.sum(), mass)
    print(
        json.dumps(
            {"peak_mb": round(peak_mb()), "read_mb": round(read / 2**20), "seconds": time.perf_counter() - start}
        )
    )


def measure():
    """Memory and speed of streaming: {name: number}."""
    with tempfile.TemporaryDirectory(prefix="clustermass-bench-") as folder:
        path = Path(folder) / "snapshot.hdf5"
        write_snapshot(path)
        command = [sys.executable, "-m", "benchmarks.streaming", str(path)]
        out = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout
    return json.loads(out) | {"budget_mb": BUDGET_MB, "limit_mb": BUDGET_MB + ALLOWANCE_MB}


if __name__ == "__main__":
    stream(sys.argv[1])
