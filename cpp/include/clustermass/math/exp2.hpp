#pragma once
#include "clustermass/core/macros.hpp"

/// The mantissa of a power of two, for a number or a vector of numbers. The loops add the whole part of the exponent.
namespace clustermass::math {

/// 2^(x + 1/2) for |x| <= 1/2, in float32: minimax polynomial of degree 5, relative error 7.5e-8; 1.7e-7 with the
/// rounding of its evaluation (worst of all x).
template <class Value>
CM_HD Value exp2_plus_half(Value x) {
    Value p = x * 0.0018775766948238015f + 0.01368328183889389f;
    p = p * x + 0.07849893718957901f;
    p = p * x + 0.339724063873291f;
    p = p * x + 0.9802578687667847f;
    return p * x + 1.4142136573791504f;
}

/// 2^x for |x| <= 1/2, in float64: minimax polynomial of degree 11, relative error 3e-18; 3e-16 with rounding.
template <class Value>
CM_HD Value exp2_near_zero(Value x) {
    Value p = x * 4.4352809446103363e-10 + 7.074105626245659e-09;
    p = p * x + 1.0178198033328528e-07;
    p = p * x + 1.321543308959463e-06;
    p = p * x + 1.5252733489960805e-05;
    p = p * x + 0.00015403530462514614;
    p = p * x + 0.001333355814678995;
    p = p * x + 0.009618129107588335;
    p = p * x + 0.055504108664819925;
    p = p * x + 0.24022650695910155;
    p = p * x + 0.6931471805599453;
    return p * x + 1.0;
}

}  // namespace clustermass::math
