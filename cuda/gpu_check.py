"""make gpu-check: everything that needs a GPU, in one go, and one file of results.

Builds with the packages that are there (offline), runs the C++ tests and the suite on the device, compute-sanitizer on
small cases, then the GPU benchmarks, and writes benchmarks/results/gpu-<device>-<commit>.json. Any failure ends in a
status that is not 0, after the file was written. Usage: python cuda/gpu_check.py, in the top folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build" / "gpu"
BACKENDS = "native,numba,emulated,cuda"
OP_LAYER = ["tests/ops", "tests/test_device.py", "tests/meta/test_cuda.py", "tests/meta/test_stubs.py"]
PACKAGES = (
    "numpy",
    "torch",
    "h5py",
    "numba",
    "scipy",
    "pytest",
    "hypothesis",
    "pybind11",
    "scikit-build-core",
    "cmake",
)


def run(command, **env):
    """(exit status, output) of a command in the top folder."""
    print("gpu-check:", " ".join(map(str, command)), flush=True)
    full = os.environ | {"PYTHONPATH": str(TOP / "python")} | env
    done = subprocess.run(command, cwd=TOP, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout[-4000:], flush=True)
    return done.returncode, done.stdout


def build():
    import pybind11

    configure = ["cmake", "-S", ".", "-B", str(BUILD), "-G", "Ninja", "-DCLUSTERMASS_CUDA=ON", "-DCLUSTERMASS_TESTS=ON",
                 f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(BUILD), "--parallel"]):
        status, output = run(command)
        if status:
            sys.exit(f"gpu-check: the build failed:\n{output[-8000:]}")
    for module in (*BUILD.glob("cpp/_core*.so"), *BUILD.glob("cuda/_cuda*.so")):
        shutil.copy2(module, TOP / "python" / "clustermass")


def test():
    """The suite: all of it where its packages are, else the layer of the ops."""
    whole = all(find_spec(name) for name in ("astropy", "matplotlib", "colossus", "ruff"))
    [emulated] = BUILD.glob("tests/cpp/_cuda_emulated*.so")
    cpp, _ = run(["ctest", "--test-dir", str(BUILD), "--output-on-failure"])
    status, output = run([sys.executable, "-m", "pytest", "-q", *([] if whole else OP_LAYER)],
                         CLUSTERMASS_REQUIRE_BACKENDS=BACKENDS, CLUSTERMASS_EMULATED=str(emulated))  # fmt: skip
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", output.splitlines()[-1])}
    return {"cpp": "passed" if cpp == 0 else "failed", "python": counts, "scope": "all" if whole else OP_LAYER,
            "ok": cpp == 0 and status == 0}  # fmt: skip


def sanitize():
    tool = shutil.which("compute-sanitizer")
    if not tool:
        return {"ok": False, "reason": "compute-sanitizer was not found"}
    found = {}
    for check in ("memcheck", "racecheck"):
        command = [tool, "--tool", check, "--error-exitcode", "9", sys.executable, "cuda/small_cases.py"]
        status, output = run(command)
        summary = [line for line in output.splitlines() if "ERROR SUMMARY" in line or "RACECHECK SUMMARY" in line]
        found[check] = {"status": status, "summary": summary}
    return found | {"ok": all(result["status"] == 0 for result in found.values())}


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found | {"python": sys.version.split()[0]}


def main():
    build()
    sys.path.insert(0, str(TOP / "python"))
    from clustermass import _backend

    status = _backend.cuda_status()
    if not status.available:
        sys.exit(f"gpu-check: nothing to run on: {status.reason}")
    device = next(device for device in status.devices if not device.reason)
    _, commit = run(["git", "rev-parse", "--short", "HEAD"])
    _, dirty = run(["git", "status", "--porcelain", "--untracked-files=no"])
    result = {
        "device": device.name, "compute_capability": device.compute_capability, "memory": device.memory_total,
        "driver_supports": status.driver_supports, "built_with": status.built_with,
        "commit": commit.strip() + ("-changed" if dirty.strip() else ""), "versions": versions(),
        "tests": test(), "sanitizer": sanitize(),
    }  # fmt: skip
    figures = BUILD / "figures.json"
    failed, _ = run([sys.executable, "-m", "benchmarks.gpu", str(figures)])
    result["figures"] = json.loads(figures.read_text()) if not failed else None
    name = re.sub(r"[^a-z0-9]+", "-", device.name.lower()).strip("-")
    to = TOP / "benchmarks" / "results" / f"gpu-{name}-{result['commit']}.json"
    to.write_text(json.dumps(result, indent=1) + "\n")
    print(f"gpu-check: wrote {to.relative_to(TOP)}")
    if failed or not result["tests"]["ok"] or not result["sanitizer"]["ok"]:
        sys.exit("gpu-check: not everything passed, see above")


if __name__ == "__main__":
    main()
