// What this processor can do at best on one thread. Built for the machine it runs on by floor.py.
#include <cstdint>
#include <cstring>

namespace {

typedef float F __attribute__((vector_size(64), aligned(4), may_alias));
typedef double D __attribute__((vector_size(64), aligned(8), may_alias));
typedef double D4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef std::int32_t I __attribute__((vector_size(64)));
typedef std::int64_t L __attribute__((vector_size(64)));
typedef std::uint32_t U __attribute__((vector_size(64)));
typedef std::uint64_t W __attribute__((vector_size(64)));

template <class V>
void keep(V& v) {
    asm volatile("" : "+m"(v));
}

/// Twelve independent chains: enough for any latency and width so far.
template <class V>
void multiply_add(std::int64_t n) {
    V x[12] = {}, m = V{} + 0.999f, c = V{} + 1e-3f;
    keep(m);
    keep(c);
    for (std::int64_t i = 0; i < n; ++i)
#pragma GCC unroll 12
        for (auto& value : x) value = value * m + c;
    for (auto& value : x) keep(value);
}

/// e^x for |x| < 80: powers of two by shifting, the rest by a Taylor polynomial in Horner form.
template <class V, class Int, int Degree, int Bits, int Bias, class Real>
void exponential(Real* values, std::int64_t n, std::int64_t repeats) {
    constexpr Real kInvLn2 = Real(1.4426950408889634), kLn2 = Real(0.6931471805599453);
    Real coefficient[Degree + 1] = {1};
    for (int d = 1; d <= Degree; ++d) coefficient[d] = coefficient[d - 1] / Real(d);
    const Real magic = Real(3) * Real(std::int64_t(1) << (Bits - 1));
    for (std::int64_t k = 0; k < repeats; ++k) {
        for (std::int64_t i = 0; i < n; i += 64 / std::int64_t(sizeof(Real))) {
            V x;
            std::memcpy(&x, values + i, 64);
            const V shifted = x * kInvLn2 + magic;
            const V r = x - (shifted - magic) * kLn2;
            V p = V{} + coefficient[Degree];
#pragma GCC unroll 16
            for (int d = Degree - 1; d >= 0; --d) p = p * r + coefficient[d];
            Int scale;
            std::memcpy(&scale, &shifted, 64);
            scale = (scale + Bias) << Bits;
            V power;
            std::memcpy(&power, &scale, 64);
            p *= power;
            std::memcpy(values + i + n, &p, 64);
        }
        asm volatile("" ::: "memory");
    }
}

}  // namespace

extern "C" {

float read_floats(const float* x, std::int64_t n) {
    F s[4] = {};
    for (std::int64_t i = 0; i + 64 <= n; i += 64)
        for (int k = 0; k < 4; ++k) s[k] += *reinterpret_cast<const F*>(x + i + 16 * k);
    float total = 0;
    for (int k = 0; k < 4; ++k)
        for (int j = 0; j < 16; ++j) total += s[k][j];
    return total;
}

void copy_floats(float* to, const float* from, std::int64_t n) {
    for (std::int64_t i = 0; i + 16 <= n; i += 16)
        *reinterpret_cast<F*>(to + i) = *reinterpret_cast<const F*>(from + i);
}

void triad_floats(float* a, const float* b, const float* c, std::int64_t n) {
    for (std::int64_t i = 0; i + 16 <= n; i += 16)
        *reinterpret_cast<F*>(a + i) = *reinterpret_cast<const F*>(b + i) + 3.0f * *reinterpret_cast<const F*>(c + i);
}

void fma_f32(std::int64_t n) { multiply_add<F>(n); }
void fma_f64(std::int64_t n) { multiply_add<D>(n); }

/// values holds 2 n numbers: the arguments, then room for the results.
void exp_f32(float* values, std::int64_t n, std::int64_t repeats) { exponential<F, I, 6, 23, 127>(values, n, repeats); }
void exp_f64(double* values, std::int64_t n, std::int64_t repeats) {
    exponential<D, L, 12, 52, 1023>(values, n, repeats);
}

void scatter_1(const std::int32_t* pixel, const float* weight, double* image, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) image[pixel[i]] += double(weight[i]);
}

void scatter_4(const std::int32_t* pixel, const float* weight, double* image, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        const float* const w = weight + 4 * i;
        *reinterpret_cast<D4*>(image + 4 * pixel[i]) += D4{w[0], w[1], w[2], w[3]};
    }
}

/// Add 64 bytes, two neighbouring pixels of four channels, as SPH does many times per particle.
void scatter_64(const std::int32_t* pixel, double* image, std::int64_t n) {
    const D value = D{} + 1.0;
    for (std::int64_t i = 0; i < n; ++i) *reinterpret_cast<D*>(image + 4 * pixel[i]) += value;
}

/// Philox4x32-10, eight generators side by side.
void philox(std::uint32_t* out, std::int64_t n) {
    W lane;
    for (int j = 0; j < 8; ++j) lane[j] = std::uint64_t(j);
    for (std::int64_t i = 0; i + 32 <= n; i += 32) {
        W c0 = lane + std::uint64_t(i), c1{}, c2{}, c3{};
        std::uint32_t k0 = 1, k1 = 2;
        for (int round = 0; round < 10; ++round) {
            const W a = (c0 & 0xffffffffu) * 0xD2511F53u, b = (c2 & 0xffffffffu) * 0xCD9E8D57u;
            c0 = (b >> 32) ^ c1 ^ std::uint64_t(k0);
            c1 = b & 0xffffffffu;
            c2 = (a >> 32) ^ c3 ^ std::uint64_t(k1);
            c3 = a & 0xffffffffu;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        const W low = c0 | (c1 << 32), high = c2 | (c3 << 32);
        std::memcpy(out + i, &low, 64);
        std::memcpy(out + i + 16, &high, 64);
    }
}

}  // extern "C"
