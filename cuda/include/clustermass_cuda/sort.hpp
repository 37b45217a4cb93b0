#pragma once
#include <cstdint>

#include "clustermass_cuda/ops.hpp"

/// Prefix sums and stable sorting on the device, made of our own kernels so that they run on the emulation too. The
/// memory for intermediate results is the caller's.
namespace clustermass::cuda {

/// Numbers of scratch for exclusive_scan of n values.
std::int64_t scan_scratch(std::int64_t n);

/// values[i] becomes the sum of the values before it, in place.
void exclusive_scan(std::int64_t* values, std::int64_t n, std::int64_t* scratch, const Queue& queue, const char* op);

/// What is sorted: keys and the values that go with them, and as much memory again.
struct Sortable {
    std::uint32_t *keys, *other_keys;
    std::int64_t *values, *other_values;
    std::int64_t n;
};

/// Numbers of scratch for sort_by_key of n pairs.
std::int64_t sort_scratch(std::int64_t n);

/// Sort by the low `bits` of the keys; pairs with equal keys keep their order. The result is in keys and values.
void sort_by_key(const Sortable& pairs, int bits, std::int64_t* scratch, const Queue& queue, const char* op);

}  // namespace clustermass::cuda
