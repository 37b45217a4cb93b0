"""What the page of the demonstration says to a newcomer, with the numbers of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .demo import Size

_GENERAL = """\
This page was made by `clustermass demo`. It follows one set of simulated clusters from a generated universe to
estimates of their masses, with methods that were published for it, at a size that two cores do in minutes. It
shows how things fit together; it does not show how good the methods are: for that see the results in the repository
(`docs/results/networks.md`), made with a universe of the published size.

**The universe.** A periodic box of {box:g} Mpc/h, generated from published relations: a mass function, halo shapes
and concentrations, numbers and motions of galaxies, infall and mergers. It is no N-body simulation, and what the
relations do not say is not in it (`docs/mock-universe.md`). True masses are known: M200c, the mass inside the
radius where the mean density is 200 times critical.

**The clusters.** {n_hosts:,} clusters above 10^13.5 Msun/h, each seen along several lines of sight, `pure` (only
galaxies that belong to it) and contaminated (everything in a cylinder of 1.6 Mpc/h and 2200 km/s, as a survey would
see it, with galaxies in front and behind). {n_flat:,} observations, as many at each mass as possible, train the
networks; {n_test:,}, in three directions, test them. No network is tested on a cluster that it was trained on,
seen from whatever side.

**How to read the numbers.** The bias says how far estimates lie from the truth in the middle, the scatter how far
they spread: 0.1 dex is a factor of 1.26, 0.3 dex a factor of 2. Orange rows are published values for the same
method: on another universe, and for networks after longer training on more clusters, so that only the order is to
be compared: contaminated M-sigma worst, networks better.
"""
_GALAXIES = """
## m-sigma (pure)

The oldest method: galaxies in a heavy cluster move faster, and the spread of their velocities along the line of
sight gives the mass through one power law. With members only, the scatter that remains comes from few galaxies and
from clusters that are not round.

## m-sigma

The same with the galaxies in front of and behind the cluster. They stay in, most of all around poor clusters, and
blow the scatter up: the problem that the networks are for.

## cnn-2d

The network of Ho et al. 2019. It sees how galaxies are spread over velocity and projected radius, and learns what
interlopers look like. Here it had {n_flat:,} observations and {epochs} epochs; the published one about 10,000 and
20. Its intervals come from estimates of clusters that it had not seen, and are not called calibrated below 2,000 of
them.
"""
_MAPS = """
## yan-compton-y

The network of Yan et al. 2020 on maps of the Sunyaev-Zel'dovich effect (Compton y) of the same clusters: gas is
painted on the haloes with published profiles, scatter and mergers (`clustermass mock gas`), seen with the noise and
the beam of the paper. Here the maps have {pixels} x {pixels} pixels where the paper has 120 x 120, and training
takes {map_epochs} epochs where the paper takes 1000; {map_folds} of the ten rounds of the cross-validation are
done. Below, the same network explained: which pixels move its estimate.
"""


def write_notes(path: Path, folder: Path, size: Size) -> None:
    """Write the notes (Markdown) of what is in the folder."""
    import numpy as np

    from ..data.atomic import atomic_path
    from ..data.clusters_file import read_clusters

    clusters = read_clusters(folder / "clusters.hdf5", "contaminated")
    words = {
        "box": size.box, "epochs": size.epochs, "pixels": size.pixels, "map_epochs": size.map_epochs,
        "map_folds": size.map_folds, "n_hosts": int(np.unique(clusters.host_id).size),
        "n_flat": int(clusters.is_flat.sum()), "n_test": int(clusters.is_test.sum()),
    }  # fmt: skip
    made = folder / "report" / "predictions"
    text = _GENERAL
    text += _MAPS if (made / "yan-compton-y-maps.hdf5").is_file() else ""
    text += _GALAXIES if (made / "cnn-2d-contaminated.hdf5").is_file() else ""
    with atomic_path(path) as part:
        part.write_text(text.format(**words), encoding="utf-8")
