"""Halo catalogues in text: names, numbers, links, and what is wrong with a file."""

import warnings

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers.catalogues import identify, text
from clustermass.data.readers.catalogues.halo_text import column_names

HEAD = """#ID DescID Mvir Vmax Vrms Rvir Rs Np X Y Z VX VY VZ M200c
#a = 0.500000
#Om = 0.300000; Ol = 0.700000; h = 0.700000
#Particle mass: 1.00000e+09 Msun/h
#Box size: 70.000000 Mpc/h
"""
ROWS = """9007199254740993 -1 7e13 700 600 700 70 100 7 14 21 1 -2 3 6.3e13
9223372036854775807 -1 7e12 300 200 350 35 50 70 0 35 0 0 0 6e12
"""


def write(path, content):
    path.write_text(content)
    return path


@pytest.fixture
def rockstar(tmp_path):
    return write(tmp_path / "out_1.list", HEAD + ROWS)


def test_units_and_frame(rockstar):
    halos = cm.open_catalogue(rockstar)
    assert halos.header.box_size == pytest.approx(100)
    assert halos.header.redshift == 1.0
    np.testing.assert_allclose(halos["positions"], [[10, 20, 30], [100, 0, 50]])
    np.testing.assert_array_equal(halos["velocities"][0], (1, -2, 3))
    np.testing.assert_allclose(halos["mvir"], (1e14, 1e13))
    np.testing.assert_allclose(halos["rvir"], (1.0, 0.5))
    rho = 2.77536627e11 * 0.49 * (0.3 * 8 + 0.7)
    np.testing.assert_allclose(halos["r200c"], 2 * np.cbrt(halos["m200c"] * 3 / (800 * np.pi * rho)))
    info = {field.name: field for field in halos.columns}
    assert (info["positions"].unit, info["positions"].source) == ("Mpc (comoving)", "X, Y, Z")
    assert info["r200c"].source == "derived from m200c"


def test_identifiers_are_exact(rockstar):
    halos = cm.open_catalogue(rockstar)
    assert halos["ids"].dtype == np.int64
    assert halos["ids"].tolist() == [2**53 + 1, 2**63 - 1]


def test_the_caller_has_the_last_word(rockstar):
    halos = cm.open_catalogue(
        rockstar, hubble=0.5, box_size=33.0, redshift=0.0, omega_m=0.2, columns={"mvir": "M200c", "spare": 5}
    )
    assert (halos.header.h, halos.header.box_size, halos.header.omega_m) == (0.5, 33.0, 0.2)
    np.testing.assert_allclose(halos["mvir"], np.array([6.3e13, 6e12]) / 0.5)
    np.testing.assert_array_equal(halos["spare"], (600, 200))
    with pytest.raises(errors.MissingFieldError, match="no column 'M180b' for mvir; its columns are ID, DescID"):
        cm.open_catalogue(rockstar, columns={"mvir": "M180b"})
    with pytest.raises(errors.DomainError, match="mvir must have a unit like Msun, got 'km/s'"):
        cm.open_catalogue(rockstar, columns={"mvir": ("M200c", "km/s")})
    with pytest.raises(errors.DomainError, match="column 1 to 15"):
        cm.open_catalogue(rockstar, columns={"mvir": 16})


def test_what_is_not_there_is_said(rockstar):
    halos = cm.open_catalogue(rockstar)
    with pytest.raises(errors.MissingFieldError, match="has no 'stellar_mass'; its quantities are ids, "):
        halos["stellar_mass"]
    with pytest.raises(errors.MissingFieldError, match="has no column 'mvir'; its columns are ID"):
        halos.raw("mvir")
    assert "mvir" in halos
    assert "host_ids" not in halos
    assert [item.field for item in halos.missing] == ["host_ids"]


def test_parents_are_followed_to_the_top(tmp_path):
    head = HEAD.replace("M200c", "PID")
    rows = "".join(f"{i} -1 1e13 1 1 1 1 1 1 1 1 1 1 1 {pid}\n" for i, pid in ((7, -1), (3, 7), (9, 3), (5, 99)))
    halos = cm.open_catalogue(write(tmp_path / "out_1.list", head + rows))
    assert halos["parent_ids"].tolist() == [-1, 7, 3, 99]
    assert halos["host_ids"].tolist() == [-1, 7, 7, 99]
    circle = "".join(f"{i} -1 1e13 1 1 1 1 1 1 1 1 1 1 1 {pid}\n" for i, pid in ((7, 3), (3, 7)))
    with pytest.raises(errors.FileFormatError, match="their own hosts"):
        cm.open_catalogue(write(tmp_path / "out_2.list", head + circle))["host_ids"]


HLIST = (
    "#scale(0) id(1) desc_scale(2) desc_id(3) num_prog(4) pid(5) upid(6) Mvir(7) Rvir(8) rs(9) vrms(10) vmax(11) "
    "x(12) y(13) z(14) vx(15) vy(16) vz(17) Next_coprogenitor_depthfirst_ID (18) b_to_a(500c)(19) M200c(20)\n"
    "#Omega_M = 0.250000; Omega_L = 0.750000; h0 = 0.700000\n#Full box size = 70.000000 Mpc/h\n"
)


def test_hlist(tmp_path):
    rows = (
        "0.8 11 0.9 21 1 -1 -1 7e13 700 70 500 800 7 7 7 1 2 3 -1 0.5 6e13\n"
        "0.8 12 0.9 22 1 13 11 7e11 70 7 50 80 7 7 7 1 2 3 -1 0.5 6e11\n"
    )
    halos = cm.open_catalogue(write(tmp_path / "anything", HLIST + rows))
    assert halos.format == "hlist"
    assert halos.header.scale_factor == 0.8
    assert (halos.header.omega_m, halos.header.omega_lambda, halos.header.h) == (0.25, 0.75, 0.7)
    assert halos.header.box_size == pytest.approx(100)
    assert halos["parent_ids"].tolist() == [-1, 13]
    assert halos["host_ids"].tolist() == [-1, 11]
    assert halos["descendant_ids"].tolist() == [21, 22]
    np.testing.assert_allclose(halos["m200c"], np.array([6e13, 6e11]) / 0.7)
    assert halos.raw("b_to_a(500c)").tolist() == [0.5, 0.5]
    many = rows.replace("0.8 12", "0.7 12")
    with pytest.warns(errors.DataWarning, match=r"many epochs, scale factors 0\.7 to 0\.8"):
        trees = cm.open_catalogue(write(tmp_path / "tree", HLIST + many))
    assert trees.header.redshift is None
    assert "r200c" not in trees


def test_names_lose_their_numbers_only():
    assert column_names("#ID(1)\thostHalo(2) A[x](500c) b_to_a(500c)(50) x (3)") == (
        "ID", "hostHalo", "A[x](500c)", "b_to_a(500c)", "x",
    )  # fmt: skip


def test_ahf_marks_of_no_host(tmp_path):
    head = "#ID(1) hostHalo(2) numSubStruct(3) Mhalo(4) npart(5) Xc(6) Yc(7) Zc(8) VXc(9) VYc(10) VZc(11) Rhalo(12)\n"
    rows = "".join(f"{i} {host} 0 7e13 100 7000 7000 7000 0 0 0 700\n" for i, host in ((4, 0), (6, 4), (8, 6)))
    halos = cm.open_catalogue(write(tmp_path / "a.z0.000.AHF_halos", head + rows), hubble=0.7, redshift=0)
    assert halos["parent_ids"].tolist() == [-1, 4, 6]
    assert halos["host_ids"].tolist() == [-1, 4, 4]
    np.testing.assert_allclose(halos["masses"], 1e14)
    zero = head + rows.replace("4 0 0", "0 -1 0", 1).replace("6 4", "6 0", 1)
    halos = cm.open_catalogue(write(tmp_path / "b.z0.000.AHF_halos", zero), hubble=0.7, redshift=0)
    assert halos["host_ids"].tolist() == [-1, 0, 0]


def test_universemachine_own_text_is_linear(tmp_path):
    head = "#ID DescID UPID Flags Uparent_Dist X Y Z VX VY VZ M V SM SFR Obs_SM Obs_SFR RA\n"
    row = "5 -1 -1 0 -1 7 7 7 1 2 3 7e12 300 1e11 1.5 2e11 2.5 0.3\n"
    with pytest.warns(errors.DataWarning, match=r"scale factor 0\.8"):
        galaxies = cm.open_catalogue(write(tmp_path / "sfr_catalog_0.800000.txt", head + row), hubble=0.7)
    assert (galaxies["stellar_mass"][0], galaxies["star_formation_rate"][0]) == (2e11, 2.5)
    assert galaxies["mvir"][0] == pytest.approx(1e13)
    assert "ra" not in galaxies  # RA is a rank there


def damage(text_, old, new):
    assert old in text_
    return text_.replace(old, new, 1)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (HEAD + ROWS[:-20], errors.TruncatedFileError, r"out\.list, line 7: has 8 columns, expected 15"),
        (damage(HEAD + ROWS, "700 600", "600"), errors.FileFormatError, "line 6: has 14 columns, the header names 15"),
        (damage(HEAD + ROWS, "300 200", "200"), errors.FileFormatError, "line 7: has 14 columns, expected 15"),
        (damage(HEAD + ROWS, "300 200", "3zz 200"), errors.FileFormatError,
         r"line 7, column 4 \(Vmax\): expected a number, got '3zz'"),
        (damage(HEAD + ROWS, "350", "35\x000"), errors.FileFormatError, "line 7: holds a NUL byte"),
        (damage(HEAD, "h = 0.700000", "h = 1e300") + ROWS, errors.FileFormatError, "entry h must be"),
        (HEAD + "1 " * 70_000 + "\n", errors.FileFormatError, "line 6: is longer than 65536 bytes"),
        ("", errors.FileFormatError, "no catalogue of a known format"),
        ("a b c\n1 2 3 4\n1 2\n", errors.FileFormatError, "no catalogue of a known format"),
    ],
)  # fmt: skip
def test_damage_is_located(tmp_path, content, error, message):
    with pytest.raises(error, match=message) as caught:
        cm.open_catalogue(write(tmp_path / "out.list", content))
    assert type(caught.value) is error
    assert "out.list" in str(caught.value)


def test_a_file_of_one_line_is_not_read_whole(tmp_path, monkeypatch):
    """A line without an end must not be gathered in memory."""
    path = write(tmp_path / "out.list", HEAD + ROWS + "1 " * 10**6)
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**15)
    sizes, check = [], text.check_text
    monkeypatch.setattr(text, "check_text", lambda name, data, line: (sizes.append(len(data)), check(name, data, line)))
    with pytest.raises(errors.FileFormatError, match="line 8: is longer than 65536 bytes"):
        cm.open_catalogue(path)
    assert sum(sizes) < 200_000


@pytest.mark.parametrize(("old", "new", "column"), [("7e12", "nan", "Mvir"), ("70 0 35", "inf 0 35", "X")])
def test_not_finite_is_located_when_read(tmp_path, old, new, column):
    halos = cm.open_catalogue(write(tmp_path / "out.list", damage(HEAD + ROWS, old, new)))
    message = f"line 7: column {column} holds {new.split()[0]}, expected finite"
    with pytest.raises(errors.FileFormatError, match=message):
        halos["mvir" if column == "Mvir" else "positions"]
    assert not np.isfinite(halos.raw(column)).all()


def test_what_is_not_finite_can_be_allowed(tmp_path):
    path = write(tmp_path / "out.list", damage(HEAD + ROWS, " 35 50", " nan 50"))
    with pytest.raises(errors.FileFormatError, match=r"column Rs holds nan.*missing=\[nan\] allows them"):
        cm.open_catalogue(path)["scale_radius"]
    column = cm.CatalogueColumn("Rs", "kpc/h", missing=[np.nan])
    np.testing.assert_allclose(cm.open_catalogue(path, columns={"scale_radius": column})["scale_radius"], (0.1, np.nan))


def test_identifiers_of_64_unsigned_bits_keep_their_bits(tmp_path):
    ids = [18446744073709551614, 11275813286437265519, 9223372036854775808, 5]
    head = "#ID(1) hostHalo(2) npart(3) Xc(4) Yc(5) Zc(6)\n"
    rows = "".join(f"{i} {host} 100 7 7 7\n" for i, host in zip(ids, (0, ids[0], ids[1], 0), strict=True))
    halos = cm.open_catalogue(write(tmp_path / "a.AHF_halos", head + rows), hubble=0.7, redshift=0)
    assert halos["ids"].view(np.uint64).tolist() == ids
    assert halos["host_ids"].view(np.uint64).tolist() == [2**64 - 1, ids[0], ids[0], 2**64 - 1]
    assert halos["host_ids"].tolist() == [-1, halos["ids"][0], halos["ids"][0], -1]


def test_an_identifier_must_be_whole(tmp_path):
    halos = cm.open_catalogue(write(tmp_path / "out.list", damage(HEAD + ROWS, "9223372036854775807", "1.5")))
    with pytest.raises(errors.FileFormatError, match=r"line 7: column ID holds 1\.5, expected whole numbers"):
        halos["ids"]


def test_a_cut_last_number_is_noticed(tmp_path):
    with pytest.warns(errors.DataWarning, match="without a line end: its last number may be cut"):
        cm.open_catalogue(write(tmp_path / "out.list", HEAD + ROWS.rstrip("\n")))


def test_empty_list(tmp_path):
    halos = cm.open_catalogue(write(tmp_path / "out.list", HEAD))
    assert (halos.n, len(halos)) == (0, 0)
    assert halos["positions"].shape == (0, 3)
    assert halos["ids"].dtype == np.int64


def test_blocks_do_not_matter(tmp_path, monkeypatch, rng):
    """Kinds of columns that change late, comments and empty lines between rows, and small blocks."""
    rows = [f"{i} -1 {rng.random():.17g} 1 1 1 1 1 1 1 1 1 1 1 5" for i in range(3000)]
    rows[2000] = rows[2000].replace(" 5", " 5.5")
    rows[2500:2500] = ["", "# said in passing", "   "]
    path = write(tmp_path / "out.list", HEAD + "\r\n".join(rows) + "\r\n")
    whole = cm.open_catalogue(path)
    monkeypatch.setattr(text, "BLOCK_BYTES", 1000)
    parts = cm.open_catalogue(path)
    assert whole.n == parts.n == 3000
    for name in whole.raw_names:
        np.testing.assert_array_equal(whole.raw(name), parts.raw(name))
    assert whole.raw("M200c")[[0, 2000]].tolist() == [5.0, 5.5]
    assert whole.raw("ID").dtype == np.int64
    values = [float(row.split()[2]) for row in rows if row.strip() and "#" not in row]
    np.testing.assert_array_equal(whole.raw("Mvir"), values)


def test_format_is_told_by_content(tmp_path, rockstar):
    assert identify(rockstar) == "rockstar_list"
    assert identify(write(tmp_path / "out_9.list", HLIST)) == "hlist"
    with pytest.raises(FileNotFoundError):
        identify(tmp_path / "nothing")
    with pytest.raises(errors.FileFormatError, match="is a snapshot"):
        identify(cm.datasets.sample_snapshot())


def test_cut_and_flipped_files(tmp_path, rng):
    whole = (HEAD + ROWS).encode()
    outcomes = set()
    for k in range(300):
        data = bytearray(whole[: rng.integers(1, len(whole))] if k % 3 == 0 else whole)
        for _ in range(k % 3):
            data[rng.integers(0, len(data))] ^= 1 << rng.integers(0, 8)
        path = tmp_path / "damaged.list"
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.DataWarning)
            try:
                halos = cm.open_catalogue(path)
                for info in halos.columns:
                    halos[info.name]
                outcomes.add("read")
            except errors.ClusterMassError as exc:
                outcomes.add(type(exc).__name__ if "damaged" in str(exc) else f"unnamed: {exc}")
    assert {"read", "FileFormatError", "TruncatedFileError"} == outcomes
