#pragma once
#include <cstdint>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace clustermass {

/// Numbers that begin on a cache line, so that a vector of four of them never crosses one. Not initialised.
/// Large ones begin on a large page and ask for such pages: an image is hit all over, and with pages of 4 kB both the
/// first touch and every look-up of an address cost as much as the sums themselves.
class AlignedNumbers {
public:
    explicit AlignedNumbers(std::int64_t n) : data_(nullptr, Free{kLine}) {
        std::size_t bytes = std::size_t(n) * sizeof(double);
        const bool is_large = bytes >= kLargePage / 8;
        if (is_large) bytes = (bytes + kLargePage - 1) / kLargePage * kLargePage;
        const auto alignment = std::align_val_t(is_large ? kLargePage : kLine);
        data_ = {static_cast<double*>(::operator new(bytes, alignment)), Free{std::size_t(alignment)}};
#if defined(__linux__)
        if (is_large) madvise(data_.get(), bytes, MADV_HUGEPAGE);  // a wish: nothing depends on it
#endif
    }
    double* data() const { return data_.get(); }

private:
    static constexpr std::size_t kLine = 64, kLargePage = std::size_t(1) << 21;
    struct Free {
        std::size_t alignment;
        void operator()(double* p) const { ::operator delete(p, std::align_val_t(alignment)); }
    };
    std::unique_ptr<double, Free> data_;
};

}  // namespace clustermass
