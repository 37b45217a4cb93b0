#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

namespace clustermass::math {

/// N neighbouring outputs of a symmetric filter:
///   out[j] = taps[0] x(j) + sum over k = 1..reach of taps[k] (x(j - k) + x(j + k)).
/// `at(i)` gives x(i) for i in [-reach, N - 1 + reach]. The inputs slide through registers, so that each step k reads
/// two new values for N outputs. Value is a number or a vector of them (then the lanes are independent filters).
template <int N, class Value, class Real, class At>
CM_HD void symmetric_filter(const Real* taps, std::int64_t reach, const At& at, Value (&out)[N]) {
    Value before[N], after[N];
    for (int j = 0; j < N; ++j) before[j] = after[j] = at(j);
    for (int j = 0; j < N; ++j) out[j] = taps[0] * before[j];
    for (std::int64_t k = 1; k <= reach; ++k) {
        for (int j = N - 1; j > 0; --j) before[j] = before[j - 1];
        for (int j = 0; j < N - 1; ++j) after[j] = after[j + 1];
        before[0] = at(-k);
        after[N - 1] = at(N - 1 + k);
        for (int j = 0; j < N; ++j) out[j] += taps[k] * (before[j] + after[j]);
    }
}

}  // namespace clustermass::math
