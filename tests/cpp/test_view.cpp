#include "clustermass/math/view.hpp"

#include <cmath>

#include "check.hpp"

using namespace clustermass;

namespace {

void test_axes_along_the_box() {
    const math::View view{{0, 0, 0}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 4.0};
    const auto p = math::view_point(view, 1.0, -2.0, 3.0);
    CHECK(p.row == 4.0 && p.col == -8.0 && p.depth == 3.0);  // depth stays in Mpc
}

void test_distance_is_kept_by_a_rotation() {
    const double c = std::cos(0.7), s = std::sin(0.7);
    const math::View view{{0, 0, 0}, {{0, c, s}, {0, -s, c}, {1, 0, 0}}, 1.0};
    const auto p = math::view_point(view, 0.3, -1.1, 2.2);
    CHECK(std::fabs(p.row * p.row + p.col * p.col + p.depth * p.depth - (0.09 + 1.21 + 4.84)) < 1e-14);
    CHECK(p.depth == 0.3);
}

void test_the_slab_is_half_open() {
    CHECK(math::in_slab(-5.0, 5.0));
    CHECK(!math::in_slab(5.0, 5.0));
    CHECK(math::in_slab(std::nextafter(5.0, 0.0), 5.0));
    CHECK(!math::in_slab(std::nan(""), 5.0));
}

}  // namespace

int main() {
    test_axes_along_the_box();
    test_distance_is_kept_by_a_rotation();
    test_the_slab_is_half_open();
    return test::failures();
}
