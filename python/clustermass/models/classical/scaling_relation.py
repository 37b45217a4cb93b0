"""Masses from one measured quantity of each cluster by a power law, fitted here or published elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...cosmology import Cosmology
from ...errors import MissingFieldError, NotFittedError
from ...nfw import convert_mass
from ..base import Estimator, per_cluster, true_masses
from ..posterior import FLAGS, MASS_DEFINITIONS, MassPosterior
from .power_law import FloatArray, PowerLaw, fit_power_law


class QuantityEstimator(Estimator):
    """Reads ``quantities[quantity]`` and a power law backwards; what is common to published and fitted relations.

    Where ``quantities[quantity + "_error"]`` is there, of the same unit, it widens the interval.
    """

    inputs: ClassVar[tuple[str, ...]] = ("redshift", "quantities")
    quantity: str

    @abstractmethod
    def law(self, cosmology: Cosmology) -> PowerLaw:
        """The relation in a cosmology."""

    @abstractmethod
    def is_valid(self, log10_mass: FloatArray, log10_quantity: FloatArray, redshift: FloatArray) -> NDArray[np.bool_]:
        """Whether each cluster lies in the range of the calibration."""

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses [`mass_definition`]; NaN and ``missing_input`` where the quantity is missing or not above zero.

        The law is read backwards: no mass function is assumed. At a slope a and a scatter s [dex] of the quantity, a
        steep mass function of local slope -b per dex shifts true masses down by b ln(10) (s / a)^2.
        """
        value, error = self._read(clusters)
        z = per_cluster(clusters.redshift, "redshift", value.size)
        expansion = clusters.cosmology.expansion(z)
        good = np.isfinite(value) & (value > 0)
        log_value = np.log10(np.where(good, value, 1.0))
        law = self.law(clusters.cosmology)
        mass = law.mass(log_value, expansion)
        dex = np.where(good, error, 0.0) / (np.where(good, value, 1.0) * np.log(10.0))
        sigma = law.mass_error(mass, dex)
        flags = np.where(good, 0, FLAGS["missing_input"]).astype(np.uint32)
        outside = good & ~self.is_valid(mass, log_value, z)
        flags[outside] |= np.uint32(FLAGS["out_of_support"])
        nan = np.where(good, 0.0, np.nan)
        return MassPosterior.from_gaussian(mass + nan, sigma, self.mass_definition, flags=flags)

    def _read(self, clusters: Any) -> tuple[FloatArray, FloatArray]:
        """The quantity and its error (0 where there is none), shape (n,)."""
        held = getattr(clusters, "quantities", {})
        if self.quantity not in held:
            raise MissingFieldError(
                f"clusters must have the quantity {self.quantity!r}, they have {', '.join(held) or 'none'}"
            )
        value = check.float64_array(held[self.quantity], f"quantities[{self.quantity!r}]", (len(clusters),))
        error = np.asarray(held.get(f"{self.quantity}_error", np.zeros(value.size)), np.float64)
        return value, np.where(np.isfinite(error), np.abs(error), 0.0)


class ScalingRelation(QuantityEstimator):
    """A power law of any quantity, fitted by maximum likelihood to clusters of known mass.

    Parameters
    ----------
    quantity : str
        Which of `quantities`.
    evolution : float
        Fixed power of E(z): 2/3 for Y and T, 7/3 for bolometric luminosities, 2 for those in a soft band.
    mass_definition : {"M200c", "M500c"}
        What is fitted and predicted. M500c are taken from ``quantities["m500c"]`` [Msun] where there are any, else
        from M200c with an NFW profile.

    Raises
    ------
    DomainError
        If the mass definition is another.

    Notes
    -----
    Clusters without the quantity are left out of the fit. Predictions are flagged ``out_of_support`` where the quantity
    is outside the range that was fitted.
    """

    name = "scaling-relation"
    source = "maximum likelihood of log10 Q = a + b log10 M with intrinsic scatter"
    needs_fit = True

    def __init__(self, quantity: str = "y_500", evolution: float = 2.0 / 3.0, mass_definition: str = "M200c") -> None:
        self.quantity = str(quantity)
        self.evolution = check.number(evolution, "evolution")
        self.mass_definition = check.choice(mass_definition, "mass_definition", MASS_DEFINITIONS)
        self.fitted: PowerLaw | None = None
        self.support = (-np.inf, np.inf)

    def fit(self, clusters: Any) -> Self:
        """Fit to all clusters that have the quantity.

        Raises
        ------
        MissingFieldError, BadInputError
            If masses are unknown, or fewer than three clusters have the quantity.
        """
        value, error = self._read(clusters)
        mass = self._masses(clusters)
        good = np.isfinite(value) & (value > 0) & np.isfinite(mass)
        z = per_cluster(clusters.redshift, "redshift", value.size)[good]
        log_value = np.log10(value[good])
        flat = log_value - self.evolution * np.log10(clusters.cosmology.expansion(z))
        law = fit_power_law(mass[good], flat, error[good] / (value[good] * np.log(10.0)))
        self.fitted = replace(law, evolution=self.evolution)
        self.support = (float(log_value.min()), float(log_value.max()))
        return self

    def _masses(self, clusters: Any) -> FloatArray:
        held = getattr(clusters, "quantities", {})
        if self.mass_definition == "M500c" and "m500c" in held:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.log10(np.asarray(held["m500c"], np.float64))
        mass = true_masses(clusters)
        if self.mass_definition == "M200c":
            return mass
        z = per_cluster(clusters.redshift, "redshift", mass.size)
        return np.log10(convert_mass(10.0**mass, 200.0, 500.0, clusters.cosmology, z))

    def law(self, cosmology: Cosmology) -> PowerLaw:
        """The relation that was fitted.

        Raises
        ------
        NotFittedError
        """
        if self.fitted is None:
            raise NotFittedError(f"`{self.name}` must be fitted to clusters of known mass first")
        return self.fitted

    def is_valid(self, log10_mass: FloatArray, log10_quantity: FloatArray, redshift: FloatArray) -> NDArray[np.bool_]:
        """Within the quantities that were fitted."""
        return np.asarray((log10_quantity >= self.support[0]) & (log10_quantity <= self.support[1]))

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings, and the law as numbers."""
        config = {"quantity": self.quantity, "evolution": self.evolution, "mass_definition": self.mass_definition}
        if self.fitted is None:
            return config, {}
        law = self.fitted
        numbers = np.array([law.intercept, law.slope, law.pivot, law.scatter, *self.support])
        return config, {"law": numbers, "covariance": np.array(law.covariance)}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        made = cls(**config)
        if "law" in arrays:
            intercept, slope, pivot, scatter, low, high = (float(v) for v in arrays["law"])
            (aa, ab), (ba, bb) = arrays["covariance"].tolist()
            made.fitted = PowerLaw(intercept, slope, pivot, made.evolution, scatter, ((aa, ab), (ba, bb)))
            made.support = (low, high)
        return made
