"""Speed and memory: `python -m benchmarks.run`. Imports the public API only.

Every package computes on one thread unless an arm asks for more; they look when they are first imported.
"""

import os

for _name in ("OPENBLAS", "MKL", "OMP", "NUMBA", "NUMEXPR"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")
