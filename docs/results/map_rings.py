"""How much maps tell about mass without a network: trees on the means of rings, with and without the redshift.

    python docs/results/map_rings.py yan.h5
    python docs/results/map_rings.py planck_0.2-0.4.h5 deepplanck deepplanck-clean

A network that sees the image and not the redshift should do as well as the trees without redshift, whose rings have
lost the shape. Errors are those that map_networks.py quotes, of the same clusters. Needs scikit-learn.
"""

from __future__ import annotations

import sys

import numpy as np
from map_networks import quoted
from sklearn.ensemble import HistGradientBoostingRegressor

import clustermass as cm

EDGES = (0, 1.5, 3, 5, 8, 12, 18, 26, 36, 48, 60, 90)  # pixels
YAN = ("yan-stars", "yan-xray-soft", "yan-xray-bolometric", "yan-compton-y")
DRAWS = 3  #: of the noise that the trees learn from


def rings(images):
    """Means of images (n, row, column) in rings."""
    at = np.arange(images.shape[-1]) - 0.5 * (images.shape[-1] - 1)
    ring = np.searchsorted(EDGES, np.hypot(at, at[:, None]).ravel(), side="right") - 1
    size = np.maximum(np.bincount(ring, minlength=len(EDGES) - 1), 1)
    return np.stack([np.bincount(ring, image.ravel(), len(EDGES) - 1) / size for image in images])


def draws_of(preset, path):
    """Rings of all maps of a file as a preset sees them, (draw, map, ring), of the order of one; and the maps."""
    estimator = cm.make_estimator(preset)
    sample = cm.read_map_sample(path, estimator.channels)
    parts = [sample.only(np.arange(k, min(k + 256, len(sample)))) for k in range(0, len(sample), 256)]
    found = np.array([
        np.concatenate([rings(estimator.observed(part, draw=draw).images[:, 0]) for part in parts])
        for draw in range(DRAWS)
    ])  # fmt: skip
    return np.arcsinh(found / (0.05 * np.median(np.abs(found), axis=(0, 1)) + 1e-30)), sample, estimator


def main() -> None:
    """Two lines for each set of channels."""
    path, presets = sys.argv[1], sys.argv[2:] or YAN
    seen = {preset: draws_of(preset, path) for preset in presets}
    _, sample, estimator = seen[presets[-1]]
    mass = getattr(sample, f"log10_{estimator.mass_definition.lower()}")
    train, test = sample.rows_of_fold(0)
    redshift = np.broadcast_to(np.log10(sample.redshift)[:, None], (DRAWS, len(sample), 1))
    for names in [(name,) for name in presets] + [presets] * (tuple(presets) == YAN):
        for known in (True, False):
            inputs = np.concatenate([seen[name][0] for name in names] + [redshift] * known, axis=2)
            trees = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, max_leaf_nodes=15, random_state=0)
            trees.fit(np.concatenate(inputs[:, train]), np.tile(mass[train], DRAWS))
            columns = {"log10_true": mass[test], "log10_pred": trees.predict(inputs[0, test])}
            errors, rows = quoted(columns, "true" if tuple(presets) == YAN else "estimate")
            scatter = (columns["log10_pred"] - columns["log10_true"])[rows].std()
            print(f"{'+'.join(names)}, {'with' if known else 'without'} redshift: bias {errors.mean():+.1f} %, "
                  f"rms {errors.std():.1f} %; scatter {scatter:.3f} dex", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
