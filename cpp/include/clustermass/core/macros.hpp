#pragma once

/// CM_HD marks one-element functions that run on host and device. They are always inlined: a file compiled for
/// several instruction sets must not leave a shared out-of-line copy for the linker to choose from.
#if defined(__CUDACC__)
#define CM_HD __host__ __device__ __forceinline__
#else
#define CM_HD inline __attribute__((always_inline))
#endif

/// Name of the instruction set this file is compiled for; set by the build for <op>_loops.cpp.
#ifndef CM_ISA
#define CM_ISA baseline
#endif
