"""The fast operations: one public module per op, one numba twin each in _numba."""
