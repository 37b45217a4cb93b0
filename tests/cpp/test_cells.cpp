#include "clustermass/math/cells.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "check.hpp"

using namespace clustermass::math;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void test_stored() {
    CHECK(stored_coordinate(3.5, 10.0, true) == 3.5);
    CHECK(stored_coordinate(13.5, 10.0, true) == 3.5);
    CHECK(stored_coordinate(-3.5, 10.0, true) == 6.5);
    CHECK(stored_coordinate(-3.5, 10.0, false) == -3.5);
    CHECK(stored_coordinate(10.0, 10.0, true) == 0.0);
    // What would round up to the side of the box belongs to its beginning.
    CHECK(stored_coordinate(-1e-320, 10.0, true) == 0.0);
    CHECK(stored_coordinate(-1e-9f, 10.0, true) == 0.0f);
    CHECK(stored_coordinate(1e30f, 10.0, true) < 10.0f);
    CHECK(stored_coordinate(kNan, 10.0, true) == 0.0);
}

void test_cell() {
    CHECK(cell_of(0.0, 0.0, 2.0, 5) == 0);
    CHECK(cell_of(2.0, 0.0, 2.0, 5) == 1);
    CHECK(cell_of(std::nextafter(2.0, 0.0), 0.0, 2.0, 5) == 0);
    CHECK(cell_of(9.99, 0.0, 2.0, 5) == 4);
    // Outside: the nearest cell, however far.
    CHECK(cell_of(10.0, 0.0, 2.0, 5) == 4);
    CHECK(cell_of(1e300, 0.0, 2.0, 5) == 4);
    CHECK(cell_of(-1e300, 0.0, 2.0, 5) == 0);
    CHECK(cell_of(kNan, 0.0, 2.0, 5) == 0);
}

}  // namespace

int main() {
    test_stored();
    test_cell();
    return clustermass::test::failures();
}
