"""Generated binary and comma-separated catalogues: the same haloes come out of every format."""

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers.catalogues import identify, records
from tests.data.catalogues import writers
from tests.tolerances import F32, READ

QUIET = pytest.mark.filterwarnings("ignore::clustermass.errors.DataWarning")


@pytest.fixture
def made(rng):
    return writers.halos(rng, 200)


def check(catalogue, made, mass="mvir", links=True):
    h = 0.7
    assert catalogue.n == len(made["id"])
    assert (catalogue.header.h, catalogue.header.scale_factor) == pytest.approx((h, 0.5), rel=1e-7)
    np.testing.assert_array_equal(catalogue["ids"], made["id"])  # beyond 2^53: no float was in between
    for name, want in (
        ("positions", made["position"] / h), ("velocities", made["velocity"]), (mass, made["mass"] / h),
        ({"mvir": "rvir", "m200m": "r200m"}.get(mass, ""), made["radius"] / 1e3 / h),
    ):  # fmt: skip
        if name:
            np.testing.assert_allclose(catalogue[name], want, rtol=READ[F32])
    if links:
        np.testing.assert_array_equal(catalogue["host_ids"], made["parent"])


@QUIET
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("galaxies", [False, True])
@pytest.mark.parametrize("kind", [0, 1])
def test_rockstar_binary(tmp_path, made, order, galaxies, kind):
    path = writers.rockstar_binary(tmp_path / "halos_7.0.bin", made, order=order, galaxies=galaxies, kind=kind)
    halos = cm.open_catalogue(path)
    check(halos, made, links=False)
    assert halos.header.is_periodic
    assert halos.header.box_size == pytest.approx(100)
    np.testing.assert_allclose(halos["m200c"], 0.9 * made["mass"] / 0.7, rtol=READ[F32])
    assert (halos["descendant_ids"] == 2**53 + 3).all()
    assert ("stellar_mass" in halos) == galaxies
    assert ("half_mass_radius" in halos) != galaxies
    np.testing.assert_array_equal(halos["n_particles"], made["np"])


@QUIET
def test_rockstar_set(tmp_path, made, monkeypatch):
    monkeypatch.setattr(records, "BLOCK_BYTES", 5000)
    half = [{name: values[i::2] for name, values in made.items()} for i in range(2)]
    for k in range(2):
        bounds = (0, 0, 35 * k, 70, 70, 35 * k + 35)
        writers.rockstar_binary(tmp_path / f"halos_7.{k}.bin", half[k], chunk=k, bounds=bounds)
    whole = {name: np.concatenate([half[0][name], half[1][name]]) for name in made}
    for name in ("halos_7", "halos_7.0.bin", "halos_7.1.bin"):
        halos = cm.open_catalogue(tmp_path / name)
        check(halos, whole, links=False)
        assert halos.header.is_periodic
        assert len(halos.paths) == 2
    (tmp_path / "halos_7.1.bin").unlink()
    with pytest.warns(errors.DataWarning, match=r"hold 0\.5 of the volume"):
        assert not cm.open_catalogue(tmp_path / "halos_7.0.bin").header.is_periodic


@QUIET
@pytest.mark.parametrize("order", ["<", ">"])
def test_bgc2(tmp_path, made, order):
    check(cm.open_catalogue(writers.bgc2(tmp_path / "halos_7.0.bgc2", made, order=order)), made)
    half = [{name: values[i::2] for name, values in made.items()} for i in range(2)]
    for k in range(2):
        writers.bgc2(tmp_path / f"halos_8.{k}.bgc2", half[k], order=order, n_files=2, file_id=k, overdensity=200)
    halos = cm.open_catalogue(tmp_path / "halos_8")
    check(halos, {name: np.concatenate([half[0][name], half[1][name]]) for name in made}, mass="m200m")
    (tmp_path / "halos_8.1.bgc2").unlink()
    with pytest.raises(errors.FileFormatError, match="declares 2 files, 1 are here"):
        cm.open_catalogue(tmp_path / "halos_8.0.bgc2")


@QUIET
def test_universemachine_binary(tmp_path, made):
    path = writers.universemachine_binary(tmp_path / "sfr_catalog_0.500000.bin", made)
    galaxies = cm.open_catalogue(path, hubble=0.7)
    check(galaxies, made)
    assert galaxies.format == "universemachine_binary"
    assert (galaxies["stellar_mass"] == np.float32(2e11)).all()
    assert (galaxies["star_formation_rate"] == 2.5).all()
    whole = path.read_bytes()
    path.write_bytes(bytes(128) + whole[128:])  # one record that makes no sense
    assert identify(path) == "universemachine_binary"
    path.write_bytes(whole[:-5])
    with pytest.raises(errors.TruncatedFileError, match="no whole number of records of 128 bytes"):
        cm.open_catalogue(path, hubble=0.7)


def test_cosmosim(tmp_path, made):
    halos = cm.open_catalogue(writers.cosmosim_csv(tmp_path / "mdpl2.csv", made), hubble=0.7)
    check(halos, made)
    assert halos.format == "cosmosim_csv"
    assert halos.assumptions == ()
    np.testing.assert_array_equal(halos["parent_ids"], made["parent"])


def test_galacticus(tmp_path, made):
    with pytest.warns(errors.DataWarning, match="descendantIndex is no table but a reference"):
        nodes = cm.open_catalogue(writers.galacticus(tmp_path / "t.h5", made), redshift=1)
    check(nodes, made | {"radius": 0}, mass="masses")
    assert nodes.header.box_size == pytest.approx(100)
    assert (nodes["descendant_ids"] == -1).all()
    with pytest.warns(errors.DataWarning):
        nodes = cm.open_catalogue(writers.galacticus(tmp_path / "t.h5", made, lengthScaleFactorExponent=0))
    with pytest.raises(errors.MissingFieldError, match="lengths are physical"):
        nodes["positions"]
    for name, value in (("massHubbleExponent", 3), ("massScaleFactorExponent", 1), ("lengthUnitsInSI", -1.0)):
        with pytest.raises(errors.FileFormatError, match=f"units/{name} must be"):
            cm.open_catalogue(writers.galacticus(tmp_path / "t.h5", made, **{name: value}))


def test_cosmosim_bdm_radii_in_mpc(tmp_path, made):
    rows = "85000001,1,1,2,3,4,5,6,7e14,1.4\n85000002,85000001,1,2,3,4,5,6,7e12,0.3\n"
    (tmp_path / "bdm.csv").write_text("bdmId,hostFlag,x,y,z,vx,vy,vz,Mvir,Rvir\n" + rows)
    with pytest.warns(errors.DataWarning, match="radii are in Mpc/h"):
        halos = cm.open_catalogue(tmp_path / "bdm.csv", hubble=0.7, redshift=0)
    assert halos["host_ids"].tolist() == [-1, 85000001]
    np.testing.assert_allclose(halos["rvir"], (2.0, 0.3 / 0.7))


@pytest.mark.parametrize(
    ("start", "raw", "message"),
    [
        (64, (2**62).to_bytes(8, "little"), "declares 4611686018427387904 haloes"),
        (64, (2**38).to_bytes(8, "little"), "274877906944 haloes and .* take 725677"),
        (72, (-1).to_bytes(8, "little", signed=True), "declares -1 particles"),
        (88, (5).to_bytes(8, "little"), "particle type must be 0"),
        (24, b"\0\0\xc0\x7f", "scale_factor must be"),
    ],
)
def test_hostile_rockstar_headers(tmp_path, made, start, raw, message):
    path = writers.rockstar_binary(tmp_path / "halos_7.0.bin", made)
    data = bytearray(path.read_bytes())
    data[start : start + len(raw)] = raw
    path.write_bytes(data)
    with pytest.raises(errors.FileFormatError, match=message):
        cm.open_catalogue(path)


def test_an_answer_without_its_end_is_cut(tmp_path):
    head = "#OK\n#SQL= select * from millimil..MPAHalo\n"
    head += "haloId,firstHaloInFOFgroupId,x,y,z,velX,velY,velZ,snapNum,redshift\n"
    rows = "5,5,1,2,3,4,5,6,63,0\n6,5,1,2,3,4,5,6,63,0\n"
    path = tmp_path / "answer.csv"
    path.write_text(head + rows + "#OK\n")
    with pytest.warns(errors.DataWarning, match="Millennium runs"):
        halos = cm.open_catalogue(path)
    assert halos["host_ids"].tolist() == [-1, 5]
    assert halos.header.redshift == 0
    path.write_text(head + rows)
    with pytest.raises(errors.TruncatedFileError, match="must end with the line #OK, its last line is b'6,5"):
        cm.open_catalogue(path)
