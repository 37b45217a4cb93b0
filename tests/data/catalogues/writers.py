"""Generated catalogues, from the public descriptions of the formats: no real file of some of them was at hand."""

import struct

import numpy as np

LIST_NAMES = "#ID DescID Mvir Vmax Vrms Rvir Rs Np X Y Z VX VY VZ M200c"
COMMENTS = """#a = 0.500000
#Om = 0.300000; Ol = 0.700000; h = 0.700000
#Particle mass: 1.00000e+09 Msun/h
#Box size: 70.000000 Mpc/h
"""


def halos(rng, n):
    """The same haloes for every format, in h units: Mpc/h, Msun/h, kpc/h."""
    return {
        "id": np.arange(n, dtype=np.int64) + 2**53 + 1, "parent": np.where(np.arange(n) % 3, 2**53 + 1, -1),
        "position": rng.uniform(0, 70, (n, 3)).astype("f4"), "velocity": rng.normal(0, 300, (n, 3)).astype("f4"),
        "mass": (10 ** rng.uniform(11, 15, n)).astype("f4"), "radius": rng.uniform(100, 2000, n).astype("f4"),
        "vmax": rng.uniform(100, 1500, n).astype("f4"), "np": rng.integers(20, 10_000, n),
    }  # fmt: skip


def rockstar_list(path, rng, n):
    rows = []
    for k in range(n):
        x, v = rng.uniform(0, 70, 3), rng.normal(0, 300, 3)
        mass = 10 ** rng.uniform(10, 15)
        rows.append(
            f"{k} -1 {mass:.4e} {mass / 1e11:.2f} 100.5 {mass / 1e11:.3f} 10.1 {k + 20} {x[0]:.5f} {x[1]:.5f} "
            f"{x[2]:.5f} {v[0]:.2f} {v[1]:.2f} {v[2]:.2f} {0.9 * mass:.4e}\n"
        )
    path.write_text(LIST_NAMES + "\n" + COMMENTS + "".join(rows))
    return path


def rockstar_binary(path, made, *, order="<", chunk=0, bounds=(0, 0, 0, 70, 70, 70), galaxies=False, kind=1):
    """Rockstar's own struct, field by field (io_internal.h, halo.h of revision 2)."""
    n, members = len(made["id"]), int(made["np"].sum())
    head = struct.pack(order + "Qqq4f6fqq2fqi12s", 0xFADEDACEC0C0D0D0, 7, chunk, 0.5, 0.3, 0.7, 0.7, *bounds, n,
                       members, 70.0, 1e9, kind, 1 if galaxies else 2, b"0.99.9-RC3+")  # fmt: skip
    data = [head.ljust(256, b"\0")]
    for k in range(n):
        m, r, x, v = made["mass"][k], made["radius"][k], made["position"][k], made["velocity"][k]
        floats = [*x, *v, *v, *v, m, r, 0, 0, m, made["vmax"][k], 1, r / 5, r / 5, 600, 1, 2, 3, -1, 0.1]
        floats += [1.1 * m, 0.9 * m, 0.7 * m, 0.3 * m, 1, 1, 0.5, 0.5, 1, 2, 3, 0.5, 0.5, 1, 2, 3, 0.1, 0.5, m, m, 99]
        data.append(
            struct.pack(order + "q48f6q3f", made["id"][k], *floats, made["np"][k], 0, 0, 2**53 + 3, 0, 9, 0, 0, 0)
        )
        data.append(struct.pack(order + "i5f4x", 0, 0.02 * m, 0.1 * m, 0, 1, 1) if galaxies else bytes(4))
    data.append(np.arange(members if kind else 0, dtype=order + "i8").tobytes())
    path.write_bytes(b"".join(data))
    return path


def bgc2(path, made, *, order="<", n_files=1, file_id=0, overdensity=340.0):
    """bgc2.h with groups of format 40 and no particles but their records."""
    n = len(made["id"])
    head = struct.pack(order + "Q16q19d", 0x1234567801010101, 2, n_files, file_id, 7, 40, 30, 30,
                       n, n, n, n, n, 1, 1, 20, 1,
                       0.28, overdensity, 0.5, 1.0, 70.0, *[0] * 6, 70, 70, 70, 1e9, 0.3, 0.7, 0.7, 4.3e-9)  # fmt: skip
    groups = b"".join(
        struct.pack(order + "qqQQ2f6f2f", made["id"][k], made["parent"][k], made["np"][k], made["np"][k],
                    made["radius"][k] / 1e3, made["mass"][k], *made["position"][k], *made["velocity"][k],
                    made["vmax"][k], 1.0)
        for k in range(n)
    )  # fmt: skip
    records = [head.ljust(1024, b"\0"), groups, *([bytes(32)] * n)]
    path.write_bytes(b"".join(struct.pack(order + "i", len(r)) + r + struct.pack(order + "i", len(r)) for r in records))
    return path


def universemachine_binary(path, made):
    """struct catalog_halo of DR1, 128 bytes."""
    data = [
        struct.pack("<3qi25f",
                    made["id"][k], -1, made["parent"][k], 0, -1.0, *made["position"][k], *made["velocity"][k],
                    300, 2, made["mass"][k], made["mass"][k], made["vmax"][k], made["radius"][k], 0, 0, 0, 0, 0,
                    1e11, 1e10, 1.5, 2e11, 2.5, -20, 0)
        for k in range(len(made["id"]))
    ]  # fmt: skip
    path.write_bytes(b"".join(data))
    return path


def cosmosim_csv(path, made):
    names = ("row_id", "rockstarId", "pId", "upId", "x", "y", "z", "vx", "vy", "vz", "Mvir", "Rvir", "M200c", "scale")
    rows = [
        ",".join(map(repr, (k + 1, int(made["id"][k]), int(made["parent"][k]), int(made["parent"][k]),
                            *made["position"][k].tolist(), *made["velocity"][k].tolist(), float(made["mass"][k]),
                            float(made["radius"][k]), float(made["mass"][k]) * 0.9, 0.5)))
        for k in range(len(made["id"]))
    ]  # fmt: skip
    path.write_text(",".join(f'"{name}"' for name in names) + "\n" + "\n".join(rows) + "\n")
    return path


def fits_table(path, made):
    """A binary table with units as catalogues write them, a mark of missing integers, text and logicals."""
    from astropy.io import fits

    n = len(made["id"])
    columns = [
        fits.Column("NAME", "12A", array=[f"cluster {k}" for k in range(n)]),
        fits.Column("ID", "K", array=made["id"], null=2**53 + 2),
        fits.Column("RA", "D", unit="degrees", array=np.linspace(0, 360, n)),
        fits.Column("MASS", "E", unit="10^14 Msol", array=made["mass"] / 1e14),
        fits.Column("Z", "E", unit="None", array=np.where(np.arange(n) % 2, 0.1, -1)),
        fits.Column("RADIUS", "E", unit="furlong", array=made["radius"]),
        fits.Column("GOOD", "L", array=np.arange(n) % 2 == 0),
        fits.Column("POS", "3E", array=made["position"]),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path, overwrite=True)
    return path


def galacticus(path, made, **units):
    """Forests in Galacticus' format; `units` override exponents."""
    import h5py

    n = len(made["id"])
    with h5py.File(path, "w") as file:
        file.create_group("cosmology").attrs.update({"HubbleParam": 0.7, "OmegaMatter": 0.3, "OmegaLambda": 0.7})
        file.create_group("simulation").attrs["boxSize"] = 70.0
        stated = {"lengthUnitsInSI": 3.08568e22, "lengthHubbleExponent": -1, "lengthScaleFactorExponent": 1}
        stated |= {"massUnitsInSI": 1.98892e40, "massHubbleExponent": -1, "massScaleFactorExponent": 0}
        stated |= {"velocityUnitsInSI": 1e3, "velocityHubbleExponent": 0, "velocityScaleFactorExponent": 0}
        file.create_group("units").attrs.update(stated | units)
        group = file.create_group("forestHalos")
        group["nodeIndex"] = made["id"]
        group["hostIndex"] = np.where(made["parent"] < 0, made["id"], made["parent"])
        group["descendentIndex"] = np.full(n, -1)
        group["nodeMass"] = made["mass"].astype("f8") / 1e10
        group["position"], group["velocity"] = made["position"].astype("f8"), made["velocity"].astype("f8")
        group["redshift"] = np.full(n, 1.0)
        region = group["descendentIndex"].regionref[:]
        group.create_dataset("descendantIndex", data=region, dtype=h5py.special_dtype(ref=h5py.RegionReference))
    return path
