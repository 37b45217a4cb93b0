"""How much the maps of Yan et al. 2020 tell about mass: trees on the mean of 11 rings, with and without the redshift.

    python docs/results/map_rings.py yan.h5

A network that sees single images should do as well as the trees without redshift, whose rings have lost the shape; what
these cannot tell is distance: flux falls with it, by five from redshift 0.03 to 0.07. Needs scikit-learn.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

import clustermass as cm

EDGES = (0, 1.5, 3, 5, 8, 12, 18, 26, 36, 48, 60, 90)  # pixels
PRESETS = ("yan-stars", "yan-xray-soft", "yan-xray-bolometric", "yan-compton-y")
CENTRE = (13.25, 14.5)


def rings(images):
    """Means of images (n, row, column) in rings."""
    at = np.arange(images.shape[-1]) - 0.5 * (images.shape[-1] - 1)
    ring = np.searchsorted(EDGES, np.hypot(at, at[:, None]).ravel(), side="right") - 1
    size = np.bincount(ring, minlength=len(EDGES) - 1)
    return np.stack([np.bincount(ring, image.ravel(), len(EDGES) - 1) / size for image in images])


def main() -> None:
    """One line for each set of channels."""
    seen = {}
    for preset in PRESETS:
        estimator = cm.make_estimator(preset)
        sample = cm.read_map_sample(sys.argv[1], estimator.channels)
        parts = [sample.only(np.arange(k, min(k + 256, len(sample)))) for k in range(0, len(sample), 256)]
        found = np.concatenate([rings(estimator.observed(part).images[:, 0]) for part in parts])
        seen[preset] = np.arcsinh(found / (0.05 * np.median(np.abs(found), axis=0)))
    mass, redshift = sample.log10_m200c, np.log10(sample.redshift)[:, None]
    train, test = sample.rows_of_fold(0)
    test = test[(mass[test] > CENTRE[0]) & (mass[test] < CENTRE[1])]
    for names in (*[(name,) for name in PRESETS], PRESETS):
        for known in (True, False):
            inputs = np.concatenate([seen[name] for name in names] + [redshift] * known, axis=1)
            trees = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, max_leaf_nodes=15, random_state=0)
            error = trees.fit(inputs[train], mass[train]).predict(inputs[test]) - mass[test]
            percent = 100 * (10**error - 1)
            print(f"{'+'.join(names)}, {'with' if known else 'without'} redshift: bias {percent.mean():+.1f} %, "
                  f"rms {percent.std():.1f} %; scatter {error.std():.3f} dex")  # fmt: skip


if __name__ == "__main__":
    main()
