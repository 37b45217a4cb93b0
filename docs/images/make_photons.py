"""A cluster of the sample snapshot in the ten bands of eROSITA, ideal and as eFEDS would see it: photons.png.

python docs/images/make_photons.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt

import clustermass as cm
from clustermass.features.erosita import BAND_NAMES
from clustermass.features.maps import plan_maps
from clustermass.units import ARCMIN_RAD

REDSHIFT, FIELD, PIXELS = 0.2, 20.0, 50


def main():
    snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    heaviest = cm.targets_from_groups(cm.open_groups(cm.datasets.sample_groups()), min_mass=3e14)
    settings = cm.MapSettings(
        channels=BAND_NAMES, pixels=PIXELS, field=FIELD * ARCMIN_RAD, redshift=REDSHIFT, directions=["x"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cm.errors.DataWarning)
        rates = plan_maps(snapshot, heaviest, settings).images((0, 1))
    model = cm.PhotonObservation(FIELD / PIXELS * ARCMIN_RAD)
    counts = model.observe(rates, redshift=[REDSHIFT], items=[2], seed=4)
    print("counts per second of the cluster:", rates.sum(), "counts:", counts.sum(axis=(0, 2, 3)))
    figure, axes = plt.subplots(2, 10, figsize=(15, 3.3), layout="constrained", sharex=True, sharey=True)
    extent = [-FIELD / 2, FIELD / 2] * 2
    for k, name in enumerate(BAND_NAMES):
        ideal = np.log10(np.maximum(rates[0, k] * model.exposure, 1e-4))
        axes[0, k].imshow(ideal, origin="lower", extent=extent, cmap="magma", vmin=-3, vmax=1.5)
        last = axes[1, k].imshow(np.sqrt(counts[0, k]), origin="lower", extent=extent, cmap="magma", vmin=0, vmax=4)
        axes[0, k].set_title(f"{int(name[5:9])}-{int(name[10:])} eV", fontsize=8)
        for axis in axes[:, k]:
            axis.tick_params(labelsize=6)
    bar = figure.colorbar(last, ax=axes[1], ticks=[0, 1, 2, 3, 4], pad=0.005)
    bar.ax.set_yticklabels(["0", "1", "4", "9", "16"], fontsize=7)
    bar.set_label("counts", fontsize=8)
    first = figure.colorbar(axes[0, 0].images[0], ax=axes[0], ticks=[-3, -2, -1, 0, 1], pad=0.005)
    first.ax.set_yticklabels(["0.001", "0.01", "0.1", "1", "10"], fontsize=7)
    first.set_label("expected", fontsize=8)
    axes[0, 0].set_ylabel("ideal", fontsize=9)
    axes[1, 0].set_ylabel("eFEDS\n(arcmin)", fontsize=9)
    figure.savefig(Path(__file__).with_name("photons.png"), dpi=100)


if __name__ == "__main__":
    main()
