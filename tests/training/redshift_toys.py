"""Networks for bins of redshift as they start, without training."""

import torch

from clustermass.models.registry import make_estimator
from clustermass.training.map_estimator import MapEstimator


def untrained_bins(images=None, bins=(0, 1), pixels=24, gain=3.0):
    """The preset "deepplanck" with a network in some of its bins, scaled to images; the weights of the first layer are
    `gain` times as large as they start, so that masses depend on the image."""
    model = make_estimator("deepplanck", device="cpu")
    for number in bins:
        part = MapEstimator("deepplanck", device="cpu")
        part._shape = (1, pixels, pixels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            network = part._network()
            if images is not None:
                network.trunk.fit_scale(torch.as_tensor(images))
            state = network.state_dict()
        first = next(k for k, v in state.items() if v.ndim > 1)
        state[first] = gain * state[first]
        part._state = {k: v.numpy() for k, v in state.items()}
        part._scale = (14.0, 15.0)
        angle = 4 * part.preset.pixel_angle
        part._support = {"redshift": [0.0, 1.0], "pixel_angle": [0.98 * angle, 1.02 * angle]}
        part._error = 0.1
        model._parts[number] = part
    model._state = {}
    return model
