"""Trained networks on real galaxies, and the eight clusters of Kodi Ramanah et al. 2020: for make_real_clusters.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import clustermass as cm
from clustermass.cosmology import PLANCK_2018
from clustermass.data.cluster_sample import ClusterSample
from clustermass.models.posterior import FLAGS

HEADER = (
    "cluster", "estimator", "log10_m200c_msun", "lo", "hi", "literature", "source", "redshift", "trained_redshift",
    "n_galaxies", "trained_n_galaxies", "calibrated", "flags",
)  # fmt: skip
#: log10 M200c [Msun/h] and error: neural flow, literature; which public file here has galaxies of all of the cluster
EIGHT = {
    "Coma": (14.84, 0.11, 14.91, 0.11, "coma-sdss-dr20"), "A1689": (14.88, 0.10, 15.05, 0.12, ""),
    "A85": (14.78, 0.13, 14.88, 0.07, ""), "A119": (14.60, 0.12, 14.61, 0.11, ""),
    "A576": (14.72, 0.10, 14.69, 0.08, ""), "A1651": (14.85, 0.13, 14.81, 0.11, ""),
    "A2142": (14.83, 0.14, 14.95, 0.09, ""), "A2670": (14.60, 0.10, 14.72, 0.10, ""),
}  # fmt: skip
#: Lokas & Mamon 2003, Lemze et al. 2009, Wojtak & Lokas 2007, Abdullah et al. 2020, Munari et al. 2014 (+0.04 -0.14)
EIGHT_HEADER = (
    "cluster", "literature_msun_h", "literature_error", "neural_flow_2020", "neural_flow_error", "galaxies",
    "estimator", "log10_m200c_msun_h", "lo", "hi", "flags",
)  # fmt: skip


class Network:
    """A trained network that remembers what it has seen and said."""

    needs_fit = False

    def __init__(self, name, model, *, calibrated):
        self.name, self.model, self.calibrated, self.notes = name, model, calibrated, {}

    def predict(self, clusters):
        """Posteriors; the network takes its own cylinder."""
        seen = with_places(clusters) if set(self.model._grid_preset().columns) & {"x", "y"} else clusters
        found = self.model.predict(seen)
        richness, redshift = self.model._richness(clusters), np.broadcast_to(clusters.redshift, len(clusters))
        for k, cluster in enumerate(clusters.names):
            flags = ";".join(word for word, bit in FLAGS.items() if found.flags[k] & bit)
            self.notes[str(cluster)] = (float(redshift[k]), int(richness[k]), flags)
        return found

    def lines(self, rows):
        """Rows of real_networks.csv."""
        support, made = self.model._support, []
        trained = f"{sum(support['redshift']) / 2:.4f}"  # the range is widened by as much on either side
        galaxies = "{:.0f} to {:.0f}".format(*support["n_galaxies"])
        for row in rows:
            if row[1] == self.name:
                redshift, richness, flags = self.notes[row[0]]
                numbers = [f"{value:.4f}" if np.isfinite(value) else "" for value in row[2:6]]
                made.append((*row[:2], *numbers, row[6], f"{redshift:.4f}", trained, richness, galaxies,
                             int(self.calibrated), flags))  # fmt: skip
        return made


def read_networks(files):
    """Networks on galaxies by name."""
    found = {}
    for path in files:
        model, record = cm.load_estimator(path), cm.read_estimator_record(path)["record"]
        if not hasattr(model, "_grid_preset"):
            print(f"{path}: {model.name} does not read galaxies, left out")
            continue
        name = model.name if model.name not in found else f"{model.name} ({Path(path).stem})"
        found[name] = Network(name, model, calibrated=bool(record.get("calibrated")))
    return found


def with_places(clusters):
    """Places on the sky: where a table has radii alone, at angles drawn at random."""
    if np.any(clusters.y):
        return clusters
    angle = np.random.Generator(np.random.Philox(key=[1, 1])).uniform(0, 2 * np.pi, clusters.x.size)
    places = {"x": clusters.radius * np.cos(angle), "y": clusters.radius * np.sin(angle)}
    return ClusterSample(**{**vars(clusters), **places})


def eight(rows, nets):
    """Header and rows of real_eight.csv, in the unit of its source, log10 Msun/h."""
    made = []
    for cluster, (flow, flow_error, known, known_error, source) in EIGHT.items():
        about = (f"{known:.2f}", f"{known_error:.2f}", f"{flow:.2f}", f"{flow_error:.2f}", source or "none here")
        found = [row for row in rows if row[1] in nets and (row[0], row[6]) == (cluster, source)]
        for row in found:
            mass = [f"{value + np.log10(PLANCK_2018.h):.2f}" if np.isfinite(value) else "" for value in row[2:5]]
            made.append((cluster, *about, row[1], *mass, nets[row[1]].notes[cluster][2]))
        if not found:
            made.append((cluster, *about, "", "", "", "", ""))
    return EIGHT_HEADER, made
