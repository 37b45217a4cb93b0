#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Philox4x32-10 (Salmon et al. 2011, SC'11): a counter-based generator. Word w of block b is a pure function of
/// (key, b), so any thread, batch or device can make any part of a stream. docs/determinism.md says which counter
/// belongs to which random number.
namespace clustermass {

/// What a stream is for. Part of the key, so that the ops of one seed are unrelated. (Fractional bits of square roots
/// of 2, 5 and 7: arbitrary, and far apart.)
enum class Stream : std::uint64_t {
    subsample = 0x6A09E667F3BCC908,
    noise = 0x3C6EF372FE94F82B,
    uniform = 0xA54FF53A5F1D36F1,
};

struct PhiloxKey {
    std::uint32_t k0, k1;
};

CM_HD PhiloxKey philox_key(std::uint64_t seed, Stream stream) {
    const std::uint64_t mixed = seed ^ static_cast<std::uint64_t>(stream);
    return {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
}

/// Counter or result of one call: four words of 32 bits.
struct PhiloxBlock {
    std::uint32_t w0, w1, w2, w3;
};

/// Counter of block `block` of draw `draw` of item `item`.
CM_HD PhiloxBlock philox_counter(std::uint32_t block, std::uint32_t draw, std::uint64_t item) {
    return {block, draw, static_cast<std::uint32_t>(item), static_cast<std::uint32_t>(item >> 32)};
}

/// The ten rounds on `n` independent groups of lanes. A lane has 64 bits of which the low 32 are the word; what the
/// high half holds is of no consequence. Lanes::multiply gives the 64-bit products of the low halves.
template <class Lanes, int n>
CM_HD void philox_rounds(typename Lanes::Word (&x0)[n], typename Lanes::Word (&x1)[n], typename Lanes::Word (&x2)[n],
                         typename Lanes::Word (&x3)[n], PhiloxKey key) {
    constexpr int kRounds = 10;
    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < n; ++i) {
            const auto p0 = Lanes::multiply(x0[i], 0xD2511F53u);
            const auto p2 = Lanes::multiply(x2[i], 0xCD9E8D57u);
            x0[i] = (p2 >> 32) ^ x1[i] ^ std::uint64_t(key.k0);
            x2[i] = (p0 >> 32) ^ x3[i] ^ std::uint64_t(key.k1);
            x1[i] = p2;
            x3[i] = p0;
        }
        key.k0 += 0x9E3779B9u;
        key.k1 += 0xBB67AE85u;
    }
}

/// One counter at a time.
struct OneLane {
    using Word = std::uint64_t;
    static CM_HD Word multiply(Word a, std::uint32_t b) { return static_cast<std::uint32_t>(a) * std::uint64_t(b); }
};

CM_HD PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
    OneLane::Word x0[1] = {counter.w0}, x1[1] = {counter.w1}, x2[1] = {counter.w2}, x3[1] = {counter.w3};
    philox_rounds<OneLane>(x0, x1, x2, x3, key);
    return {static_cast<std::uint32_t>(x0[0]), static_cast<std::uint32_t>(x1[0]), static_cast<std::uint32_t>(x2[0]),
            static_cast<std::uint32_t>(x3[0])};
}

}  // namespace clustermass
