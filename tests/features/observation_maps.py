"""Images for the tests of observation models."""

import numpy as np

import clustermass as cm
from clustermass.features.channels import CHANNELS

ITEMS = np.array([7, -3, 2**40, 11])
REDSHIFTS = np.array([0.03, 0.045, 0.06, 0.07])

YAN = cm.YanObservation(("stars", "xray_soft", "xray_bolometric", "compton_y"))
PLANCK = cm.PlanckObservation()
CHANDRA = cm.ChandraObservation()
BOTH = cm.ObservationSequence([cm.PlanckObservation(noise=None), PLANCK])
MODELS = {"yan": YAN, "planck": PLANCK, "chandra": CHANDRA, "sequence": BOTH}


def clusters(model, size=48, dtype=np.float32):
    """A round source in the middle of each image, in the units of the channels that the model is for."""
    y, x = np.indices((size, size)) - 0.5 * (size - 1)
    shape = 1.0 / (1.0 + (x**2 + y**2) / 16.0)
    peaks = {"chandra": [1e-14], "yan": [1e11, 1e-14, 2e-14, 5e-6]}.get(model, [5e-5])
    return np.array([[peak * k * shape for peak in peaks] for k in (1.0, 2.0, 3.0, 0.5)]).astype(dtype)


def observe(name, images, **changes):
    options = dict(redshift=REDSHIFTS[: len(images)], items=ITEMS[: len(images)], seed=5) | changes
    return MODELS[name].observe(images, **options)


__all__ = ["BOTH", "CHANDRA", "CHANNELS", "ITEMS", "MODELS", "PLANCK", "REDSHIFTS", "YAN", "clusters", "observe"]
