#include "clustermass/core/philox.hpp"

#include "check.hpp"

using namespace clustermass;

namespace {

bool equal(PhiloxBlock a, PhiloxBlock b) { return a.w0 == b.w0 && a.w1 == b.w1 && a.w2 == b.w2 && a.w3 == b.w3; }

// Known answers of the Random123 distribution (kat_vectors, "philox4x32 10").
void test_known_answers() {
    constexpr std::uint32_t kOnes = 0xffffffffu;
    CHECK(equal(philox({0, 0, 0, 0}, {0, 0}), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK(
        equal(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK(equal(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
                {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

void test_counter_and_key_layout() {
    CHECK(equal(philox_counter(7, 5, 0x1122334455667788u), {7, 5, 0x55667788, 0x11223344}));
    const auto key = philox_key(0, Stream::subsample);
    CHECK(key.k0 == 0xF3BCC908u && key.k1 == 0x6A09E667u);
    const auto other = philox_key(0xffffffff00000000u, Stream::subsample);
    CHECK(other.k0 == key.k0 && other.k1 == ~key.k1);
}

}  // namespace

int main() {
    test_known_answers();
    test_counter_and_key_layout();
    return test::failures();
}
