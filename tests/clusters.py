"""A small file of cluster observations, made without any selection, for tests of what reads it."""

from __future__ import annotations

import numpy as np

from clustermass.data import hdf5_tables as tables
from clustermass.data.clusters_file import FORMAT, FORMAT_VERSION, KINDS
from clustermass.data.clusters_writer import ClusterWriter, write_cylinder
from tests.universes import COSMOLOGY


def block(rng, sizes, first_host=0, views=3):
    """Rows and galaxies of some observations; every host has `views` of them."""
    n, total = len(sizes), int(np.sum(sizes))
    host = first_host + np.arange(n) // views
    rows = {
        "host_id": host,
        "view": np.arange(n) % views,
        "line_of_sight": np.eye(3)[np.arange(n) % 3],
        "position": np.repeat(rng.uniform(0, 100, (n // views + 1, 3)), views, axis=0)[:n],
        "log10_m200c": 13.7 + 0.01 * host,
        "r200c": np.full(n, 1.2),
        "sigma_v": rng.uniform(300, 900, n),
        "n_members": np.asarray(sizes) // 2,
        "observer_distance": np.full(n, 400.0),
    }
    member = np.concatenate([np.arange(k) < k // 2 for k in sizes]) if n else np.zeros(0, bool)
    galaxies = {
        "x": rng.normal(0, 0.7, total),
        "y": rng.normal(0, 0.7, total),
        "velocity": np.where(member, rng.normal(0, 600, total), rng.uniform(-2200, 2200, total)),
        "distance": rng.uniform(0, 5, total),
        "is_member": member,
        "galaxy": rng.integers(0, 1000, total),
    }
    return rows, np.asarray(sizes, np.int64), galaxies


def write_clusters(path, blocks, **changes):
    """A file with the same blocks in both kinds."""
    with tables.create_tables(path, FORMAT, FORMAT_VERSION) as file:
        tables.write_frame(file, COSMOLOGY, 0.1, 100.0, is_periodic=True)
        write_cylinder(file, 2.3, 2200.0)
        for kind in KINDS:
            writer = ClusterWriter(file, kind)
            for rows, sizes, galaxies in blocks:
                writer.append(rows, sizes, galaxies)
            host = writer.column("host_id")
            flags = {"is_test": writer.column("view") < 3, "is_flat": np.ones(len(writer), bool)}
            writer.finish({"fold": host % 10, "split": host % 3, "octant": host % 8} | flags | changes)
        tables.write_record(file, {"settings": {"seed": 1}})
