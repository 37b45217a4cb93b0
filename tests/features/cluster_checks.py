"""Cluster observations looked up one by one, for the tests of catalogues and surveys."""

import numpy as np

from clustermass.data.clusters_file import KINDS, read_clusters
from clustermass.features.cluster_settings import ClusterSettings
from clustermass.features.clusters import write_cluster_catalogue
from tests.universes import COSMOLOGY

C = 299_792.458
REDSHIFTS = np.linspace(0, 0.5, 100_001)
DISTANCES = COSMOLOGY.comoving_distance(REDSHIFTS)
PLAIN = ClusterSettings(min_richness=0, target_density=1e-2, max_views=6, seed=3)


def catalogue(folder, universe, settings=PLAIN, **options):
    path = folder / "clusters.hdf5"
    write_cluster_catalogue(universe, path, settings, inputs=[], **options)
    return {kind: read_clusters(path, kind) for kind in KINDS}


def observed(universe, offset, galaxy, halo, sight, redshift, relativistic=True):
    """Projected radius and velocity, written out once more: Hubble velocity at a comoving distance, added to others."""
    depth = offset @ sight
    at = np.interp(COSMOLOGY.comoving_distance(redshift) + np.append(depth, 0.0), DISTANCES, REDSHIFTS)
    flow = C * ((1 + at) ** 2 - 1) / ((1 + at) ** 2 + 1)
    own = universe.galaxies.velocities[galaxy] @ sight
    other = universe.haloes.velocities[halo] @ sight
    hubble = 70 * COSMOLOGY.expansion(redshift) / (1 + redshift)
    if relativistic:
        total, cluster = (
            (flow[:-1] + own) / (1 + flow[:-1] * own / C**2),
            (flow[-1] + other) / (1 + flow[-1] * other / C**2),
        )
        velocity = (total - cluster) / (1 - total * cluster / C**2)
    else:
        velocity = hubble * depth + own - other
    return np.sqrt(np.maximum((offset**2).sum(axis=1) - depth**2, 0)), velocity


def in_cylinder(universe, halo, sight, radius, max_velocity, redshift, relativistic=True):
    """(galaxy, velocity, distance) of every periodic image in the cylinder, by looking at all of them."""
    found = []
    n = universe.galaxies.n
    reach = range(-2, 3) if universe.is_periodic else (0,)
    nearest = universe.galaxies.positions - universe.haloes.positions[halo]
    if universe.is_periodic:
        nearest = nearest - universe.box_size * np.round(nearest / universe.box_size)
    for shift in np.stack(np.meshgrid(reach, reach, reach), axis=-1).reshape(-1, 3):
        if np.linalg.norm(np.cross(shift, sight)) * universe.box_size > radius + 0.87 * universe.box_size:
            continue  # no nearest image, moved by this, can be so close to the line
        offset = nearest + shift * universe.box_size
        away, velocity = observed(universe, offset, np.arange(n), halo, sight, redshift, relativistic)
        inside = np.flatnonzero((away < radius) & (np.abs(velocity) < max_velocity))
        found += [(int(g), velocity[g], np.linalg.norm(offset[g])) for g in inside]
    return sorted(found)


def rows_of(clusters, k):
    part = slice(*clusters.offsets[k : k + 2])
    columns = ("galaxy", "velocity", "distance", "x", "y", "is_member")
    return sorted(zip(*(getattr(clusters, name)[part].tolist() for name in columns), strict=True))
