#pragma once

namespace clustermass {

enum class Isa { baseline, avx2, avx512 };

/// The widest instruction set that this build has loops for and this processor runs.
Isa best_isa();

const char* isa_name(Isa isa);

/// Of three builds of one loop table, the one for `isa`. Builds that do not exist are null.
template <class Loops>
const Loops& choose(Isa isa, const Loops* baseline, const Loops* avx2, const Loops* avx512) {
    if (isa == Isa::avx512 && avx512) return *avx512;
    if (isa != Isa::baseline && avx2) return *avx2;
    return *baseline;
}

}  // namespace clustermass
