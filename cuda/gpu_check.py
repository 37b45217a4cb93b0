"""make gpu-check: everything that needs a GPU, in one go, and one file of results.

Builds with the packages that are there (offline), runs the C++ tests and the suite on the device, compute-sanitizer on
small cases, then the GPU benchmarks, and writes benchmarks/results/gpu-<device>-<commit>.json after each of them, so
that what was found out survives a run that is stopped. Any failure ends in a status that is not 0. Usage: python
cuda/gpu_check.py, in the top folder.
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
RESULTS = TOP / "benchmarks" / "results"
BACKENDS = "native,numba,emulated,cuda"
OP_LAYER = [
    "tests/ops", "tests/test_device.py", "tests/test_torch_device.py", "tests/features/test_batches.py",
    "tests/meta/test_cuda.py", "tests/meta/test_stubs.py",
]  # fmt: skip
WHOLE_SUITE = ("astropy", "matplotlib", "colossus", "sklearn", "ruff")  # packages that the other tests need
TOOLS = [str(Path(sys.executable).parent), "/usr/local/cuda/bin"]  # where cmake, ninja, nvcc and the sanitizer may be
PACKAGES = (
    "numpy", "torch", "h5py", "numba", "scipy", "pytest", "hypothesis", "pybind11", "scikit-build-core", "cmake",
    "ninja",
)  # fmt: skip


def environment(**more):
    path = os.pathsep.join([os.environ.get("PATH", ""), *TOOLS])
    return os.environ | {"PYTHONPATH": str(TOP / "python"), "PATH": path} | more


def find(tool):
    return shutil.which(tool, path=environment()["PATH"])


def run(command, **env):
    """(exit status, output) of a command in the top folder; 127 where there is no such command."""
    print("gpu-check:", " ".join(map(str, command)), flush=True)
    program = find(command[0])
    if program is None:
        return 127, f"{command[0]}: not found"
    done = subprocess.run([program, *command[1:]], cwd=TOP, env=environment(**env), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")  # fmt: skip
    print(done.stdout[-4000:], flush=True)
    return done.returncode, done.stdout


def build():
    import pybind11

    configure = ["cmake", "-S", ".", "-B", str(BUILD), "-G", "Ninja", "-DCLUSTERMASS_CUDA=ON", "-DCLUSTERMASS_TESTS=ON",
                 f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]  # fmt: skip
    if nvcc := find("nvcc"):
        configure.append(f"-DCMAKE_CUDA_COMPILER={nvcc}")
    for command in (configure, ["cmake", "--build", str(BUILD), "--parallel"]):
        status, output = run(command)
        if status:
            sys.exit(f"gpu-check: the build failed:\n{output[-8000:]}")
    for module in (*BUILD.glob("cpp/_core*.so"), *BUILD.glob("cuda/_cuda*.so")):
        shutil.copy2(module, TOP / "python" / "clustermass")


def counts_of(output):
    """How many tests passed, failed, ..., from the last line of pytest."""
    last = next((line for line in reversed(output.splitlines()) if re.search(r"\d+ \w+.* in [\d.]+s", line)), "")
    return {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)}


def test():
    """The suite: all of it where its packages are, else the layer of the ops."""
    whole = all(find_spec(name) for name in WHOLE_SUITE)
    emulated = next(BUILD.glob("tests/cpp/_cuda_emulated*.so"))
    cpp, _ = run(["ctest", "--test-dir", str(BUILD), "--output-on-failure"])
    status, output = run([sys.executable, "-m", "pytest", "-q", *([] if whole else OP_LAYER)],
                         CLUSTERMASS_REQUIRE_BACKENDS=BACKENDS, CLUSTERMASS_EMULATED=str(emulated))  # fmt: skip
    failures = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {"cpp": "passed" if cpp == 0 else "failed", "python": counts_of(output), "failures": failures,
            "scope": "all" if whole else OP_LAYER, "ok": cpp == 0 and status == 0}  # fmt: skip


def sanitize():
    found = {}
    for check in ("memcheck", "racecheck"):
        command = ["compute-sanitizer", "--tool", check, "--error-exitcode", "9", sys.executable, "cuda/small_cases.py"]
        status, output = run(command)
        summary = [line for line in output.splitlines() if "ERROR SUMMARY" in line or "RACECHECK SUMMARY" in line]
        found[check] = {"status": status, "summary": summary or output.splitlines()[-5:]}
    return found | {"ok": all(result["status"] == 0 for result in found.values())}


def figures():
    file = BUILD / "figures.json"
    file.unlink(missing_ok=True)
    status, output = run([sys.executable, "-m", "benchmarks.gpu", str(file)])
    told = json.loads(file.read_text()) if file.is_file() else {}
    return told | {"ok": status == 0} | ({} if status == 0 else {"reason": output.splitlines()[-5:]})


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found | {"python": sys.version.split()[0]}


def commit():
    """Of the checkout; "unknown" in a copy without its history."""
    status, name = run(["git", "rev-parse", "--short", "HEAD"])
    if status:
        return "unknown"
    status, dirty = run(["git", "status", "--porcelain", "--untracked-files=no"])
    return name.strip() + ("-changed" if status or dirty.strip() else "")


def main():
    build()
    sys.path.insert(0, str(TOP / "python"))
    from clustermass import _backend

    status = _backend.cuda_status()
    if not status.available:
        sys.exit(f"gpu-check: nothing to run on: {status.reason}")
    device = next(device for device in status.devices if not device.reason)
    result = {
        "device": device.name, "compute_capability": device.compute_capability, "memory": device.memory_total,
        "driver_supports": status.driver_supports, "built_with": status.built_with, "commit": commit(),
        "versions": versions(),
    }  # fmt: skip
    name = re.sub(r"[^a-z0-9]+", "-", device.name.lower()).strip("-")
    to = RESULTS / f"gpu-{name}-{result['commit']}.json"
    parts = {"tests": test, "sanitizer": sanitize, "figures": figures}
    for part, work in parts.items():
        result[part] = work()
        to.write_text(json.dumps(result, indent=1) + "\n")
    print(f"gpu-check: wrote {to}")
    if failed := [part for part in parts if not result[part]["ok"]]:
        sys.exit(f"gpu-check: not everything passed: {', '.join(failed)}; see above")


if __name__ == "__main__":
    main()
