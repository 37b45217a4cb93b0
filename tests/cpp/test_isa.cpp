#include "check.hpp"
#include "clustermass/core/isa.hpp"

using namespace clustermass;

namespace {

void test_choice_never_exceeds_the_processor() {
    const int baseline = 0, avx2 = 1, avx512 = 2;
    CHECK(choose(Isa::baseline, &baseline, &avx2, &avx512) == 0);
    CHECK(choose(Isa::avx2, &baseline, &avx2, &avx512) == 1);
    CHECK(choose(Isa::avx512, &baseline, &avx2, &avx512) == 2);
}

void test_missing_builds_fall_back_to_narrower_ones() {
    const int baseline = 0, avx2 = 1;
    const int* none = nullptr;
    CHECK(choose(Isa::avx512, &baseline, &avx2, none) == 1);
    CHECK(choose(Isa::avx512, &baseline, none, none) == 0);
    CHECK(choose(Isa::avx2, &baseline, none, none) == 0);
}

}  // namespace

int main() {
    test_choice_never_exceeds_the_processor();
    test_missing_builds_fall_back_to_narrower_ones();
    return test::failures();
}
