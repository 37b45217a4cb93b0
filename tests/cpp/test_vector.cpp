#include "clustermass/core/vector.hpp"

#include "check.hpp"

using namespace clustermass::CM_ISA;
namespace test = clustermass::test;

namespace {

template <class Real>
void test_load_and_store_at_any_address() {
    Real values[3 * kLanes<Real> + 1] = {};
    for (int i = 0; i < kLanes<Real>; ++i) values[1 + i] = Real(i);
    store(values + 1 + kLanes<Real>, load(values + 1) + load(values + 1));
    for (int i = 0; i < kLanes<Real>; ++i) CHECK(values[1 + kLanes<Real> + i] == Real(2 * i));
    CHECK(values[0] == 0 && values[1 + 2 * kLanes<Real>] == 0);
}

template <class Real>
void test_transpose() {
    Vector<Real> rows[kLanes<Real>];
    for (int i = 0; i < kLanes<Real>; ++i)
        for (int j = 0; j < kLanes<Real>; ++j) rows[i][j] = Real(100 * i + j);
    transpose<Real>(rows);
    for (int i = 0; i < kLanes<Real>; ++i)
        for (int j = 0; j < kLanes<Real>; ++j) CHECK(rows[i][j] == Real(100 * j + i));
}

}  // namespace

int main() {
    test_load_and_store_at_any_address<float>();
    test_load_and_store_at_any_address<double>();
    test_transpose<float>();
    test_transpose<double>();
    return test::failures();
}
