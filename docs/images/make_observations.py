"""Ideal and observed maps of the heaviest cluster of the sample snapshot: observations.png.

python docs/images/make_observations.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt

import clustermass as cm
from clustermass.features.maps import plan_maps
from clustermass.features.observe_planck import PLANCK_PIXEL
from clustermass.units import ARCMIN_RAD

REDSHIFT = 0.05
CHANNELS = ("stars", "xray_soft", "compton_y")


def ideal(channels, pixels, pixel_angle):
    """Maps without noise and beam, (1, channel, row, column)."""
    snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    heaviest = cm.targets_from_groups(cm.open_groups(cm.datasets.sample_groups()), min_mass=3e14)
    settings = cm.MapSettings(
        channels=channels, pixels=pixels, field=pixels * pixel_angle, redshift=REDSHIFT, directions=["x"],
        noise=dict.fromkeys(channels, 0.0), beams=dict.fromkeys(channels, 0.0),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cm.errors.DataWarning)
        job = plan_maps(snapshot, heaviest, settings)
        return job.images((0, 1))


def columns():
    """Title, field [arcmin], ideal and observed image, colours and range of each column."""
    keys = dict(redshift=REDSHIFT, items=[1], seed=1)
    yan = ideal(CHANNELS, 120, ARCMIN_RAD / 6)
    seen = cm.YanObservation(CHANNELS).observe(yan, **keys)
    wide = ideal(("compton_y",), 96, PLANCK_PIXEL)
    planck = cm.PlanckObservation().observe(wide, **keys)
    chandra = cm.ChandraObservation().observe(yan[:, 1:2], **keys)
    colours = ("Greys", "magma", "viridis")
    for i, (name, colour) in enumerate(zip(("stars", "soft X-ray", "Compton y"), colours, strict=True)):
        yield f"Yan et al. 2020\n{name}", 20, yan[0, i], seen[0, i], colour
    yield "Planck\nCompton y", 96 * 1.72, wide[0, 0], planck[0, 0], "viridis"
    yield "Chandra, 100 ks\nsoft X-ray", 20, yan[0, 1], chandra[0, 0], "magma"


def main():
    figure, axes = plt.subplots(2, 5, figsize=(11.5, 5.2), layout="constrained")
    for (title, field, clean, observed, colour), pair in zip(columns(), axes.T, strict=True):
        for axis, image in zip(pair, (clean, observed), strict=True):
            # arcsinh: linear in the noise, logarithmic in the source; one scale for both images of a column
            noise = max(np.std(observed[:12, :12]), 2e-3 * observed.max())
            stretched = np.arcsinh(image / noise)
            top = np.arcsinh(max(clean.max() if colour != "viridis" else 0, observed.max()) / noise)
            axis.imshow(stretched, cmap=colour, vmin=-2.0, vmax=top, extent=[-field / 2, field / 2] * 2, origin="lower")
            axis.tick_params(labelsize=7)
        pair[0].set_title(title, fontsize=9)
        pair[1].set_xlabel("arcmin", fontsize=8)
    axes[0, 0].set_ylabel("ideal", fontsize=10)
    axes[1, 0].set_ylabel("observed", fontsize=10)
    figure.savefig(Path(__file__).with_name("observations.png"), dpi=110)


if __name__ == "__main__":
    main()
