"""Tables of galaxies and clusters into samples: formats, columns, centres and redshifts found, and what is refused."""

import math
import warnings

import numpy as np
import pytest

from clustermass.cosmology import PLANCK_2018, Cosmology
from clustermass.errors import BadInputError, DataWarning, DomainError, MissingFieldError
from clustermass.features import by_group, sky
from clustermass.features.cluster_tables import read_cluster_table
from clustermass.features.galaxy_tables import estimate_redshifts, read_galaxy_table
from clustermass.units import SPEED_OF_LIGHT
from tests import tolerances
from tests.data.catalogues import maps

CLUSTERS = {"007": (359.95, -20.0, 0.08, 60), "12": (150.0, 88.0, 0.15, 25), "100": (10.0, 0.0, 0.03, 1)}


def galaxies(rng):
    """(label, ra, dec, z) of galaxies about CLUSTERS, and their true offsets [comoving Mpc] and velocities."""
    rows = []
    for name, (ra, dec, z, n) in CLUSTERS.items():
        x, y = rng.normal(0, 0.5, (2, n)).clip(-1.5, 1.5)
        v = rng.normal(0, 600, n).clip(-1800, 1800)
        distance = float(PLANCK_2018.transverse_distance(z))
        at_ra, at_dec = sky._moved(*np.radians([[ra] * n, [dec] * n]), x / distance, y / distance)
        for k in range(n):
            redshift = z + v[k] / SPEED_OF_LIGHT * (1 + z)
            rows.append((name, math.degrees(at_ra[k]), math.degrees(at_dec[k]), redshift, x[k], y[k], v[k]))
    return rows


@pytest.fixture
def tables(tmp_path):
    rows = galaxies(np.random.Generator(np.random.Philox(3)))
    order = np.random.Generator(np.random.Philox(4)).permutation(len(rows))
    path, about = tmp_path / "galaxies.csv", tmp_path / "clusters.csv"
    lines = [",".join([rows[k][0], *(repr(float(v)) for v in rows[k][1:4])]) for k in order]
    path.write_text("\n".join(["Cluster,RA,Dec,zspec", *lines]) + "\n")
    lines = [f"{name},{ra!r},{dec!r},{z!r},{n}" for name, (ra, dec, z, n) in CLUSTERS.items()]
    about.write_text("\n".join(["name,ra,dec,z,richness", *lines, "empty,1.0,2.0,0.1,0"]) + "\n")
    return path, about, rows


def of(sample, name):
    return sample.only([sample.names.tolist().index(name)])


def test_sky_positions_and_redshifts_become_offsets_and_velocities(tables):
    path, about, rows = tables
    sample = read_galaxy_table(path, clusters=about, cluster_columns={"richness": "richness"})
    assert sample.names.tolist() == ["007", "12", "100", "empty"]
    assert sample.n_galaxies.tolist() == [60, 25, 1, 0]
    for name in CLUSTERS:
        mine = of(sample, name)
        true = np.array([row[4:] for row in rows if row[0] == name])
        found = np.stack([mine.x, mine.y, mine.velocity], axis=1)
        np.testing.assert_allclose(found[found[:, 2].argsort()], true[true[:, 2].argsort()], rtol=0, atol=1e-7)
    assert sample.quantities["richness"].tolist() == [60, 25, 1, 0]
    assert sample.max_radius[3] == 0


def test_centre_and_redshift_are_found(tables):
    path, about, _ = tables
    given = read_galaxy_table(path, clusters=about)
    found = read_galaxy_table(path)
    assert sorted(found.names) == ["007", "100", "12"]  # text: the zeros stay
    for name, n in (("007", 60), ("12", 25)):
        a, b = of(given, name), of(found, name)
        assert b.n_galaxies[0] == n
        # sigma / sqrt(n) of centre and redshift is 0.07 to 0.1 Mpc and 80 to 120 km/s
        assert abs(SPEED_OF_LIGHT * (b.redshift[0] - a.redshift[0])) < 300
        assert np.hypot(np.mean(np.sort(b.x) - np.sort(a.x)), np.mean(np.sort(b.y) - np.sort(a.y))) < 0.4
    one = of(found, "100")
    assert (one.n_galaxies[0], one.x[0], one.velocity[0]) == (1, 0.0, 0.0)


def test_mean_centre_is_the_mean(tables):
    path, _, _ = tables
    sample = read_galaxy_table(path, centre="mean")
    np.testing.assert_allclose(of(sample, "007").x.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(of(sample, "007").y.mean(), 0, atol=1e-5)


def test_the_peak_is_not_drawn_to_a_group_at_the_edge():
    rng = np.random.Generator(np.random.Philox(8))
    east = np.concatenate([rng.normal(0, 0.002, 150), rng.normal(0.03, 0.001, 30)])
    north = np.concatenate([rng.normal(0, 0.002, 150), rng.normal(0.0, 0.001, 30)])
    group = np.zeros(180, np.int64)
    ra, dec = sky._moved(np.full(180, 1.0), np.full(180, 0.5), east, north)
    peak, mean = sky.peak_direction(ra, dec, group, 1), sky.mean_direction(ra, dec, group, 1)
    away = [np.hypot(*sky.tangent_offsets(*at, np.array([1.0]), np.array([0.5]))[:, 0]) for at in (peak, mean)]
    assert away[0] < 0.001 < 0.004 < away[1]


def test_redshift_of_a_cluster_is_not_drawn_to_field_or_background():
    rng = np.random.Generator(np.random.Philox(9))
    z = np.concatenate([0.05 + rng.normal(0, 0.002, 80), rng.uniform(0.08, 0.3, 200), 0.1 + rng.normal(0, 0.002, 40)])
    found = estimate_redshifts(z, np.zeros(z.size, np.int64), 1)
    assert abs(found[0] - 0.05) * SPEED_OF_LIGHT < 3 * 600 / math.sqrt(80)


def test_radii_and_velocities_in_other_columns_and_units(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("id_cluster R[kpc] v_los zcl\n" + "a 500 100 0.1\n" * 3 + "b 250 -900 0.2\n")
    sample = read_galaxy_table(path)
    assert sample.names.tolist() == ["a", "b"]
    np.testing.assert_allclose(sample.x, [0.55, 0.55, 0.55, 0.3])
    assert sample.velocity.tolist() == [100, 100, 100, -900]
    assert sample.redshift.tolist() == [0.1, 0.2]
    assert sample.y.tolist() == [0, 0, 0, 0]
    assert sample.max_radius.tolist() == pytest.approx([0.55, 0.3])


def test_numbered_columns_arcminutes_and_cz(tmp_path):
    path = tmp_path / "bare.dat"
    path.write_text("1 10.0 15300\n1 20.0 14700\n1 5.0 15000\n")
    columns = {"clusters": 1, "projected_radius": (2, "arcmin"), "recession_velocity": 3}
    sample = read_galaxy_table(path, columns)
    z = sample.redshift[0]
    assert z == pytest.approx(15000 / SPEED_OF_LIGHT, rel=1e-4)
    scale = float(PLANCK_2018.transverse_distance(z)) * math.pi / 10800
    np.testing.assert_allclose(sample.x, scale * np.array([10, 20, 5]))
    np.testing.assert_allclose(sample.velocity.sum(), 0, atol=1)


def test_lengths_without_a_unit_are_said_to_be_assumed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("dproj,vlos,zclus\n0.5,100,0.1\n")
    with pytest.warns(DataWarning, match="dproj .* physical Mpc"):
        assert read_galaxy_table(path).x[0] == pytest.approx(0.55)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_galaxy_table(path, {"projected_radius": ("dproj", "Mpc")}).x[0] == 0.5


def test_aperture_and_members(tables, tmp_path):
    path, about, _ = tables
    sample = read_galaxy_table(path, clusters=about, max_radius=0.5, max_velocity=500)
    assert 0 < sample.n_galaxies[0] < 60
    assert sample.radius.max() <= 0.5
    assert np.abs(sample.velocity).max() <= 500
    assert (sample.max_radius == 0.5).all()
    flagged = tmp_path / "flags.csv"
    flagged.write_text("rmpc,v,zcl,member\n0.1,10,0.1,1\n0.2,20,0.1,0\n")
    with pytest.warns(DataWarning):
        assert read_galaxy_table(flagged, members_only=True).velocity.tolist() == [10]


def test_rows_that_lack_a_value_are_left_out_and_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("cluster,ra,dec,z\nA,1,1,0.1\nA,1.001,1,\nA,1.002,1,-1\nA,1.003,1.0,0.1\n")
    with pytest.warns(DataWarning, match="2 of 4 galaxies"):
        assert read_galaxy_table(path).n_galaxies.tolist() == [2]


def test_galaxies_of_unknown_clusters_are_counted(tables, tmp_path):
    path, _, _ = tables
    about = tmp_path / "one.csv"
    about.write_text("name,ra,dec,z\n12,150.0,88.0,0.15\n")
    with pytest.warns(DataWarning, match="61 of 86 galaxies are of clusters"):
        assert read_galaxy_table(path, clusters=about).n_galaxies.tolist() == [25]


@pytest.mark.parametrize(
    ("text", "arguments", "error", "message"),
    [
        ("a,b\n1,2\n", {}, MissingFieldError, "galaxies need a place"),
        ("rmpc,mag\n1,2\n", {}, MissingFieldError, "galaxies need a speed"),
        ("rmpc,v\n1,2\n", {}, MissingFieldError, "redshift of the clusters is in no column"),
        ("rmpc,v,zcl\n1,2,-0.5\n", {}, BadInputError, "redshift of 0 or more"),
        ("rmpc,v,zcl\n-1,2,0.1\n", {}, BadInputError, "`projected_radius` must not be negative"),
        ("rmpc,v,zcl\n1,9000,0.1\n", {}, BadInputError, "map them to recession_velocity"),
        ("ra,dec,z\n1,2,50\n", {}, BadInputError, "`redshift` must lie between"),
        ("ra,dec,z\n1,-91,0.1\n", {}, BadInputError, "`dec` must lie between"),
        ("ra,dec,z\n1,2,0\n", {}, BadInputError, "must be above zero where places are angles"),
        ("ra,dec,z\n1,2,0.1\n", {"centre": "given"}, MissingFieldError, "no column has the centres"),
        ("ra,dec,z\n1,2,0.1\n", {"centre": "heaviest"}, DomainError, "`centre` must be"),
        ("ra,dec,z\n1,2,0.1\n", {"centre": (1.0, 100.0)}, DomainError, "`centre` must be"),
        ("rmpc,v,zcl\n1,2,0.1\n", {"centre": "peak"}, MissingFieldError, "needs columns ra and dec"),
        ("rmpc,v,zcl\n1,2,0.1\n", {"members_only": True}, MissingFieldError, "is_member"),
        ("rmpc,v,zcl\n1,2,0.1\n", {"max_velocity": 0}, DomainError, "`max_velocity`"),
        ("rmpc,v,zcl\n1,2,0.1\n", {"cluster_columns": {}}, DomainError, "`cluster_columns` needs `clusters`"),
    ],
)
@pytest.mark.filterwarnings("ignore::clustermass.errors.DataWarning")
def test_what_cannot_be_is_refused(tmp_path, text, arguments, error, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_galaxy_table(path, **arguments)


def test_magnitudes_are_not_taken_for_redshifts(tmp_path):
    path = tmp_path / "photometry.csv"
    path.write_text("ra,dec,u,g,r,i,z,z_spec\n1,2,19,18,17,16.5,16,0.1\n1.001,2,19,18,17,16.5,16,0.101\n")
    assert read_galaxy_table(path).redshift[0] == pytest.approx(0.1005, abs=1e-6)


def test_cluster_tables(tmp_path):
    path = tmp_path / "sz.csv"
    path.write_text("name,z,Y,M\nA,0.1,2.0,1e15\nB,-1,3.0,2e15\n")
    with pytest.warns(DataWarning, match="1 of 2 clusters have no redshift"):
        sample = read_cluster_table(
            path, {"y_5r500_arcmin2": "Y", "y_5r500_arcmin2_error": "Y", "m200c": ("M", "Msun")}, true_mass="m200c"
        )
    distance = float(PLANCK_2018.angular_diameter_distance(0.1))
    assert sample.quantities["y_500"][0] == pytest.approx(2.0 / 1.796 * (distance * math.pi / 10800) ** 2)
    assert sample.quantities["y_500_error"].tolist() == sample.quantities["y_500"].tolist()
    assert sample.log10_m200c.tolist() == [15.0]
    assert sample.n_galaxies.tolist() == [0]
    with pytest.raises(MissingFieldError, match="`true_mass` must be one of"):
        read_cluster_table(path, true_mass="m200c")
    path.write_text("name,Y\nA,1\nB,2\n")
    with pytest.raises(MissingFieldError, match="column `redshift`"):
        read_cluster_table(path)


def test_groups_against_one_group_at_a_time():
    rng = np.random.Generator(np.random.Philox(5))
    group = rng.integers(0, 40, 500)
    group[group == 7] = 8  # an empty one
    values = rng.normal(0, 1, 500) + rng.choice([0, 20], 500, p=[0.95, 0.05])
    medians, centres = by_group.group_median(values, group, 40), by_group.group_biweight_centre(values, group, 40)
    for k in range(40):
        mine = values[group == k]
        if k == 7:
            assert np.isnan(medians[k])
            assert np.isnan(centres[k])
            continue
        assert medians[k] == np.median(mine)
        expected = np.median(mine)
        for _ in range(10):
            u = (mine - expected) / (6 * np.median(np.abs(mine - expected)))
            weight = np.where(np.abs(u) < 1, (1 - u**2) ** 2, 0)
            expected = expected + (weight * (mine - expected)).sum() / weight.sum()
        assert centres[k] == pytest.approx(expected, abs=tolerances.STATISTICS)


def test_tables_of_the_literature(real_data):
    with pytest.warns(DataWarning, match="dproj"):
        coma = read_galaxy_table(real_data("coma-sdss-dr20/coma_sample.txt"))
    assert (len(coma), coma.n_galaxies[0], coma.redshift[0]) == (1, 1743, 0.0235)
    near = (coma.radius < 2.23 * 1.0235) & (np.abs(coma.velocity) < 3000)
    assert near.sum() == 679
    psz2 = maps.PSZ2 | {"y_5r500_arcmin2": ("Y5R500", "1e-3")}
    with pytest.warns(DataWarning, match="560 of 1,653"):
        planck = read_cluster_table(real_data("planck-psz2/HFI_PCCS_SZ-union_R2.08.fits"), psz2)
    assert (len(planck), len(planck.quantities["y_500"])) == (1093, 1093)


def test_splus_by_sky_and_by_its_own_offsets(real_data):
    path, about = (real_data(f"splus-128-clusters/{n}") for n in ("galaxies_spec_r200.dat", "clusters128.dat"))
    named = {"clusters": about, "cluster_columns": maps.SPLUS_CLUSTERS, "members_only": True}
    theirs = Cosmology(h=0.7, omega_m=0.3)
    by_sky = read_galaxy_table(path, maps.SPLUS_GALAXIES, cosmology=theirs, **named)
    assert (by_sky.names[0], len(by_sky), by_sky.n_galaxies.sum()) == ("00007", 128, 1267)
    own = maps.SPLUS_GALAXIES | {"ra": None, "dec": None}
    by_own = read_galaxy_table(path, own, **named)
    # two groups of clusters: radii 0.08 % and 1.07 % larger than with H0 = 70 km/s/Mpc and Omega_m = 0.3
    ratio = by_own.radius / by_sky.radius
    assert np.percentile(ratio, [5, 95]) == pytest.approx([1.0008, 1.0107], abs=3e-4)
    again = read_galaxy_table(path, own | {"velocity": None}, **named)
    np.testing.assert_allclose(again.velocity, by_own.velocity, atol=0.2)  # redshifts have six digits
