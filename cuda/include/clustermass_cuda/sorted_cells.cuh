#pragma once
#include <cstdint>

#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/sort.hpp"

/// What indexes share: rows sorted by the number of their cell.
namespace clustermass::cuda {

/// cell_start[c]: how many keys are below c.
struct FindStarts {
    const std::uint32_t* keys;
    std::int64_t n;
    std::int64_t* cell_start;
    __device__ void operator()(std::int64_t cell) const {
        std::int64_t low = 0, high = n;
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            if (std::int64_t(keys[middle]) < cell)
                low = middle + 1;
            else
                high = middle;
        }
        cell_start[cell] = low;
    }
};

/// Memory of an index that is being made, one piece after another.
struct IndexWorkspace {
    std::int64_t n, sort;  ///< pairs; numbers of scratch for the sort
    explicit IndexWorkspace(std::int64_t n_rows) : n(n_rows), sort(sort_scratch(n_rows)) {}
    std::int64_t bytes() const { return 8 * (2 * n + sort) + 4 * 2 * n; }
    Sortable pairs(unsigned char* memory) const {
        auto* const numbers = reinterpret_cast<std::int64_t*>(memory);
        auto* const keys = reinterpret_cast<std::uint32_t*>(numbers + 2 * n + sort);
        return {keys, keys + n, numbers, numbers + n, n};
    }
    std::int64_t* scratch(unsigned char* memory) const { return reinterpret_cast<std::int64_t*>(memory) + 2 * n; }
};

}  // namespace clustermass::cuda
