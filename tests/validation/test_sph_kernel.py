"""The projected kernels of math/sph_kernel.hpp against the published three-dimensional kernels, integrated."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.integrate import quad

from ..meta.tree import REPOSITORY

HEADER = (REPOSITORY / "cpp/include/clustermass/math/sph_kernel.hpp").read_text()
COEFFICIENTS = [np.array(found.split(","), float) for found in re.findall(r"\{\{([-\d., ]+)\},", HEADER)]


def cubic_spline(q):
    """Monaghan & Lattanzio 1985, with q = r / support (their h is half of the support)."""
    return 1 - 6 * q**2 + 6 * q**3 if q < 0.5 else 2 * (1 - q) ** 3


def wendland_c2(q):
    """Wendland 1995, in three dimensions."""
    return (1 - q) ** 4 * (1 + 4 * q)


def projected(kernel, b):
    """Integral of the kernel along a line that passes at b (in units of the support)."""
    end = np.sqrt(1 - b * b)
    breaks = [np.sqrt(0.25 - b * b)] if b < 0.5 else None
    return 2 * quad(lambda z: kernel(np.hypot(b, z)), 0, end, points=breaks, epsabs=1e-12)[0]


def fitted(coefficients, b):
    t = 1 - b * b
    return t**4 * np.polynomial.polynomial.polyval(2 * t - 1, coefficients)


# the bounds are those that the header promises, of the central value
@pytest.mark.parametrize(
    ("number", "kernel", "bound"), [(0, cubic_spline, 3.3e-4), (1, wendland_c2, 8.6e-4)], ids=["cubic", "wendland"]
)
def test_the_fit_is_as_close_as_the_header_says(number, kernel, bound):
    radii = np.linspace(0, 0.9999, 400)
    want = np.array([projected(kernel, b) for b in radii])
    got = fitted(COEFFICIENTS[number], radii)
    scale = (want @ radii) / (got @ radii)  # of equal mass: particles are normalised by their own sum
    assert np.abs(scale * got - want).max() / want[0] <= bound
    assert (got >= 0).all()


@pytest.mark.parametrize(("kernel", "variance"), [(cubic_spline, 0.075), (wendland_c2, 1 / 15)])
def test_the_variance_in_the_header_is_that_of_the_kernel(kernel, variance):
    mass = quad(lambda q: q**2 * kernel(q), 0, 1, points=[0.5])[0]
    assert quad(lambda q: q**4 * kernel(q), 0, 1, points=[0.5])[0] / mass / 3 == pytest.approx(variance, rel=1e-9)
