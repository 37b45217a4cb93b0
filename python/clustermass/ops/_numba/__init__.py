"""Numba twins of the native kernels, for machines where the extension is not built."""
