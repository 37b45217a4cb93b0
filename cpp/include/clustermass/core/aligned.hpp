#pragma once
#include <cstdint>
#include <memory>
#include <new>

namespace clustermass {

/// Numbers that begin on a cache line, so that a vector of four of them never crosses one. Not initialised.
class AlignedNumbers {
public:
    explicit AlignedNumbers(std::int64_t n)
        : data_(static_cast<double*>(::operator new(std::size_t(n) * sizeof(double), kLine))) {}
    double* data() const { return data_.get(); }

private:
    static constexpr std::align_val_t kLine{64};
    struct Free {
        void operator()(double* p) const { ::operator delete(p, kLine); }
    };
    std::unique_ptr<double, Free> data_;
};

}  // namespace clustermass
