#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

namespace clustermass::math {

/// Integer below `range` (> 0) from one random word; false if the word must be thrown away and the next one tried.
/// Unbiased (Lemire 2019, ACM TOMACS 29:3): the words kept give every integer equally often.
CM_HD bool bounded_integer(std::uint32_t word, std::uint32_t range, std::uint32_t& value) {
    const std::uint64_t product = std::uint64_t(word) * range;
    const auto low = static_cast<std::uint32_t>(product);
    value = static_cast<std::uint32_t>(product >> 32);
    return low >= range || low >= (0u - range) % range;  // the second test is exact, the first one cheap
}

/// Number in [0, 1) with 53 random bits from two words.
CM_HD double unit_interval(std::uint32_t high, std::uint32_t low) {
    return (static_cast<double>(high >> 5) * 0x1p26 + static_cast<double>(low >> 6)) * 0x1p-53;
}

}  // namespace clustermass::math
