"""The ops on CUDA arrays: the names and arguments of the numba twins, with DeviceArray in the place of ndarray."""
