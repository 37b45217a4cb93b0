"""Tables of observations: column maps, units of files and of callers, missing values, text; what is refused."""

import math

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

import clustermass as cm
from clustermass import CatalogueColumn, errors
from clustermass.data.readers.catalogues.columns import parse_column_unit
from tests.data.catalogues import writers
from tests.tolerances import F32, READ


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "# a comment, with a comma\n"
        'name,ra,logm,"r, 200",z,n,code\n'
        '"Abell, 1",180.0,14.5,1000,0.5,3,007\n'
        "Abell 2,-90,,2000,-1,,012\n"
        "Abell 3,0,15,null,1.0,5,100\n"
    )
    return path


MAP = {
    "names": "name", "ra": ("ra", "deg"), "m200c": ("logm", "log10 Msun/h"), "r200c": ("r, 200", "physical kpc"),
    "redshift": CatalogueColumn("z", missing=-1), "richness": 6,
}  # fmt: skip


def test_a_column_map_gives_meaning(csv):
    bare = cm.open_catalogue(csv)
    assert (bare.format, bare.columns, bare.assumptions) == ("text_table", (), ())
    assert bare.raw_names == ("name", "ra", "logm", "r, 200", "z", "n", "code")
    with pytest.raises(errors.MissingFieldError, match=r"none without a column map \(argument columns\)"):
        bare["ra"]
    table = cm.open_catalogue(csv, columns=MAP, hubble=0.5)
    assert table["names"].tolist() == ["Abell, 1", "Abell 2", "Abell 3"]
    np.testing.assert_allclose(table["ra"], (math.pi, -math.pi / 2, 0))
    np.testing.assert_allclose(table["m200c"], (2 * 10**14.5, np.nan, 2e15))
    np.testing.assert_array_equal(table["redshift"], (0.5, np.nan, 1.0))
    np.testing.assert_allclose(table["r200c"], (1.5, np.nan, np.nan))  # comoving: times 1 + z of the row
    np.testing.assert_array_equal(table["richness"], (3, np.nan, 5))
    assert table.raw("code").tolist() == ["007", "012", "100"]
    assert {c.name: c.unit for c in table.columns}["ra"] == "rad"


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"ra": "ra"}, errors.DomainError, r"ra needs a unit, such as CatalogueColumn\('ra'"),
        ({"ra": ("ra", "km/s")}, errors.DomainError, "ra must have a unit like rad"),
        ({"ra": ("RA", "deg")}, errors.MissingFieldError, "no column 'RA' for ra; its columns are name, ra"),
        ({"ra": (8, "deg")}, errors.DomainError, "column 1 to 7"),
        ({"ra": (("ra", "z"), "deg")}, errors.DomainError, r"ra must be 1 column"),
        ({"m200c": ("logm", "log Msun")}, errors.DomainError, "must be a unit such as"),
        ({"m200c": ("logm", "physical Msun")}, errors.DomainError, "only a length can be physical"),
        ({"m200c": ("logm", "-1 Msun")}, errors.DomainError, "must be a unit such as"),
        ({"a b": "ra"}, errors.DomainError, "names of quantities as keys"),
        ({"ra": 1.5}, errors.DomainError, "`source` must be"),
    ],
)
def test_maps_that_make_no_sense(csv, columns, error, message):
    with pytest.raises(error, match=message):
        cm.open_catalogue(csv, columns=columns)


def test_text_where_numbers_must_be(csv):
    table = cm.open_catalogue(csv, columns={"redshift": "name", "ids": "code", "ra": ("name", "hh:mm:ss")})
    for name in ("redshift", "ids"):
        with pytest.raises(errors.FileFormatError, match="it holds text"):
            table[name]
    with pytest.raises(errors.FileFormatError, match="line 3: column name holds 'Abell, 1', expected 00:00:00"):
        table["ra"]
    with pytest.raises(errors.FileFormatError, match="column n holds nan, expected whole numbers"):
        cm.open_catalogue(csv, columns={"ids": "n"})["ids"]
    with pytest.raises(errors.MissingFieldError, match="a physical length needs a redshift"):
        cm.open_catalogue(csv, columns={"rvir": ("ra", "physical Mpc")})["rvir"]


@pytest.mark.parametrize(
    ("content", "names", "n"),
    [
        ("# a b c\n1 2 3\n4 5 6\n", ("a", "b", "c"), 2),
        ("a b c\n1 2 3\n", ("a", "b", "c"), 1),
        ("# nothing\n1 2 3\n4 5 6\n", ("col1", "col2", "col3"), 2),
        ("1\t2\t3\n", ("col1", "col2", "col3"), 1),
        ("a name\tb\n1\t2\n", ("a name", "b"), 1),
        ("x;y\n1;2\n3;4\n", ("x", "y"), 2),
        ("\ufeffa,b\n1,2\n", ("a", "b"), 1),
        ("#a,b\r\n1,2\r\n3,4\r\n", ("a", "b"), 2),
    ],
)
def test_names_are_found(tmp_path, content, names, n):
    path = tmp_path / "t.txt"
    path.write_bytes(content.encode())
    table = cm.open_catalogue(path)
    assert (table.raw_names, table.n) == (names, n)
    np.testing.assert_array_equal(table.raw(names[0])[0], 1)


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\0\0", b"word\n", b"\x01\x02 \x03\n", b"a b\n1 2 3\n1\n1 2 3 4\n", b"\xff" * 900]
)
def test_no_tables(tmp_path, content):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(errors.FileFormatError, match=r"t\.txt"):
        cm.open_catalogue(tmp_path / "t.txt")


def test_a_short_line_is_located(tmp_path):
    (tmp_path / "t.txt").write_text("a b c\n" + "1 2 3\n" * 5 + "1 2\n" + "1 2 3\n")
    with pytest.raises(errors.FileFormatError, match=r"t\.txt, line 7: has 2 columns, expected 3"):
        cm.open_catalogue(tmp_path / "t.txt")


def test_fits(tmp_path, rng):
    made = writers.halos(rng, 50)
    columns = {"names": "NAME", "ra": "RA", "m200c": "MASS", "redshift": CatalogueColumn("Z", missing=[-1.0]),
               "good": "GOOD", "positions": ("POS", "Mpc")}  # fmt: skip
    path = writers.fits_table(tmp_path / "t.fits", made)
    table = cm.open_catalogue(path, columns=columns)
    assert (table.format, table.n) == ("fits_table", 50)
    np.testing.assert_allclose(table["ra"], np.linspace(0, 2 * np.pi, 50))
    np.testing.assert_allclose(table["m200c"], made["mass"], rtol=READ[F32])
    assert np.isnan(table["redshift"]).sum() == 25
    assert table["names"][7] == "cluster 7"
    assert table["good"].sum() == 25
    np.testing.assert_array_equal(table["positions"], made["position"])
    assert np.isnan(table.raw("ID")[1])  # the mark of a missing integer
    with pytest.raises(errors.DomainError, match="gives column RADIUS the unit 'furlong', which is not known"):
        cm.open_catalogue(path, columns={"rvir": "RADIUS"})


def test_a_fits_table_that_is_cut(tmp_path, rng):
    path = writers.fits_table(tmp_path / "t.fits", writers.halos(rng, 500))
    path.write_bytes(path.read_bytes()[:-8000])
    with pytest.raises(errors.TruncatedFileError, match=r"t\.fits: its table ends at byte \d+, the file has \d+"):
        cm.open_catalogue(path)


def test_ecsv(tmp_path):
    table = Table({"m": MaskedColumn([1.0, 2.0], unit=u.Unit("1e14 solMass"), mask=[False, True]), "s": ["a", "b"]})
    table["v"] = [10.0, 20.0] * u.km / u.s
    table["ids"] = np.array([2**53 + 1, 2**63 - 1])
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    read = cm.open_catalogue(tmp_path / "t.ecsv", columns={"m500c": "m", "velocity": "v", "names": "s", "ids": "ids"})
    assert read.format == "ecsv_table"
    np.testing.assert_allclose(read["m500c"], (1e14, np.nan))
    np.testing.assert_array_equal(read["velocity"], (10, 20))
    assert read["ids"].tolist() == [2**53 + 1, 2**63 - 1]
    assert read["names"].tolist() == ["a", "b"]


def test_npy_columns(tmp_path, rng):
    np.save(tmp_path / "mass.npy", np.arange(5.0).astype(">f4"))
    np.save(tmp_path / "id.npy", np.arange(5) + 2**60)
    table = cm.open_catalogue(tmp_path, columns={"m200c": ("mass", "1e10 Msun"), "ids": "id"})
    assert table["ids"].tolist() == [2**60 + k for k in range(5)]
    np.testing.assert_array_equal(table["m200c"], np.arange(5) * 1e10)
    np.save(tmp_path / "short.npy", np.arange(4))
    with pytest.raises(errors.FileFormatError, match="columns of one length"):
        cm.open_catalogue(tmp_path)
    np.save(tmp_path / "short.npy", np.array([{}] * 5, object), allow_pickle=True)
    with pytest.raises(errors.FileFormatError, match=r"short\.npy: cannot read the table"):
        cm.open_catalogue(tmp_path)
    huge = (tmp_path / "mass.npy").read_bytes().replace(b"(5,), }" + b" " * 9, b"(5000000000,), }", 1)
    assert b"5000000000" in huge
    (tmp_path / "short.npy").write_bytes(huge)
    with pytest.raises(errors.FileFormatError, match=r"short\.npy"):
        cm.open_catalogue(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.FileFormatError, match="is no catalogue"):
        cm.open_catalogue(tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "dimension", "size", "h_power"),
    [("Mpc/h", "length", 1, -1), ("1e10 Msun/h", "mass", 1e10, -1), ("log10 Msun", "mass", 1, 0), ("", "", 1, 0),
     ("arcmin", "angle", math.pi / 10800, 0), ("physical kpc", "length", 1e-3, 0), ("1e10 Msun/h^2", "mass", 1e10, -2),
     ("100", "", 100, 0)],
)  # fmt: skip
def test_units(text, dimension, size, h_power):
    unit = parse_column_unit(text)
    assert (unit.dimension, unit.size, unit.h_power) == (dimension, pytest.approx(size), h_power)
    assert (unit.is_log, unit.is_physical) == ("log10" in text, "physical" in text)
