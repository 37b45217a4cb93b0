"""The projected SPH kernels against the kernels integrated along the line of sight; samples against pixel averages."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from tests.reference.project import KERNELS, kernel_value

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


def cubic_spline(q):
    """Monaghan & Lattanzio 1985 on a support of 1, unnormalised."""
    return np.where(q < 0.5, 1 - 6 * q**2 + 6 * q**3, np.where(q < 1, 2 * (1 - q) ** 3, 0))


def wendland_c2(q):
    """Wendland 1995, C2 in three dimensions, on a support of 1, unnormalised."""
    return np.where(q < 1, (1 - q) ** 4 * (1 + 4 * q), 0)


KERNEL_3D = {"cubic_spline": cubic_spline, "wendland_c2": wendland_c2}


def projected(kernel, b):
    """Integral along the line of sight at impact parameter `b`; the break at half the support is kept apart."""
    end = np.sqrt(np.maximum(1 - b**2, 0))
    middle = np.sqrt(np.maximum(0.25 - b**2, 0))
    total = np.zeros_like(b)
    for low, high in ((0 * end, middle), (middle, end)):
        z = 0.5 * (high - low)[:, None] * (NODES + 1) + low[:, None]
        total += (high - low) * (WEIGHTS * KERNEL_3D[kernel](np.hypot(b[:, None], z))).sum(axis=1)
    return total


@pytest.mark.parametrize(("kernel", "bound"), [("cubic_spline", 2.3e-4), ("wendland_c2", 5.5e-4)])
def test_the_polynomial_is_the_projected_kernel(kernel, bound):
    u = np.linspace(0, 1, 2001)
    want = projected(kernel, np.sqrt(u))
    got = kernel_value(kernel, u)
    assert np.abs(got - want / want[0]).max() < bound
    assert (got >= 0).all()


@pytest.mark.parametrize(("kernel", "variance"), [("cubic_spline", 0.075), ("wendland_c2", 1 / 15)])
def test_the_variance_that_sets_the_broadening(kernel, variance):
    u = np.linspace(0, 1, 20001)
    value = projected(kernel, np.sqrt(u))
    assert np.trapezoid(value * u, u) / np.trapezoid(value, u) / 2 == pytest.approx(variance, rel=1e-4)
    assert KERNELS[kernel][1] == pytest.approx(variance)


@pytest.mark.parametrize("kernel", ["cubic_spline", "wendland_c2"])
@pytest.mark.parametrize("support", [0.05, 0.1, 0.3, 0.7, 1.0, 1.2, 1.5, 2.0, 2.6, 3.5, 5.0])
def test_pixels_are_averages_of_the_kernel_within_four_percent(kernel, support):
    """Against the same kernel on pixels 32 times smaller, summed: errors in units of the brightest pixel."""
    rng = np.random.default_rng(4)
    for _ in range(6):
        centre = 8 + rng.uniform(-0.5, 0.5, (1, 2))
        options = dict(assignment="sph", kernel=kernel, smoothing_length=[support])
        image = cm.project_particles(centre, [1.0], shape=(16, 16), pixel_size=1.0, **options)
        fine = cm.project_particles(centre, [1.0], shape=(512, 512), pixel_size=1 / 32, **options)
        exact = fine.reshape(16, 32, 16, 32).sum((1, 3))
        # A point keeps all mass in one pixel; a kernel that small can straddle an edge by its own radius.
        bound = 0.04 if support >= 1 / 16 else 0.5
        assert np.abs(image - exact).max() < bound * exact.max()


@pytest.mark.parametrize("kernel", ["cubic_spline", "wendland_c2"])
@pytest.mark.parametrize(("support", "bound"), [(32, 4e-9), (256, 1e-12)])
def test_samples_of_a_wide_kernel_sum_to_its_integral(kernel, support, bound):
    t = 0.5 * (NODES + 1)
    integral = np.pi * (0.5 * WEIGHTS * kernel_value(kernel, 1 - t)).sum()
    rng = np.random.default_rng(5)
    pixel = np.arange(-support - 2, support + 3) + 0.5
    for _ in range(4):
        row, col = rng.uniform(0, 1, 2)
        u = ((pixel[:, None] - row) ** 2 + (pixel - col) ** 2) / support**2
        assert kernel_value(kernel, u).sum() / support**2 == pytest.approx(integral, rel=bound)
