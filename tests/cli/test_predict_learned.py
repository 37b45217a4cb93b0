"""`clustermass predict` with a trained network: any table of galaxies in, masses with intervals and flags out."""

import csv
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.cli.main import run  # noqa: E402
from clustermass.cosmology import PLANCK_2018  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import save_estimator  # noqa: E402
from clustermass.units import SPEED_OF_LIGHT  # noqa: E402
from tests.training.test_estimator import clusters  # noqa: E402

Z, CENTRE = 0.1, (150.0, 2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network with intervals of its own, and three clusters as galaxies on the sky and as velocities and radii."""
    made = tmp_path_factory.mktemp("learned")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    training = clusters(60, max_radius=np.full(60, 1.6))
    model = make_estimator("bayesian-cnn", settings=dict(epochs=3, batch_size=20), device="cpu").fit(training)
    torch.set_num_threads(threads)
    save_estimator(made / "model.safetensors", model)
    rng = np.random.Generator(np.random.Philox(9))
    sky, offsets = ["cluster,ra,dec,z"], ["cluster,r_mpc,vlos"]
    distance = float(PLANCK_2018.comoving_distance(Z))
    for name, n, sigma in (("A", 50, 900.0), ("B", 30, 500.0), ("poor", 2, 300.0)):
        x, y = np.degrees(rng.normal(0, 0.5, (2, n)) / distance)
        velocity = rng.normal(0, sigma, n)
        for dx, dy, v in zip(x, y, velocity, strict=True):
            ra, dec = CENTRE[0] + dx / np.cos(np.radians(CENTRE[1])), CENTRE[1] + dy
            sky.append(f"{name},{ra:.9f},{dec:.9f},{Z + v / SPEED_OF_LIGHT * (1 + Z):.9f}")
            radius = np.radians(np.hypot(dx, dy)) * distance / (1 + Z)
            offsets.append(f"{name},{radius:.8f},{v:.4f}")
    (made / "sky.csv").write_text("\n".join(sky) + "\n")
    (made / "offsets.csv").write_text("\n".join(offsets) + "\n")
    return made


def predict(folder, name, capsys, *words):
    columns = ["--columns", "projected_radius=r_mpc,Mpc"] if name == "offsets.csv" else []
    assert run(["predict", str(folder / "model.safetensors"), str(folder / name), *columns, *words]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def mass(row):
    return float(row["log10_m200c_msun"])


def test_places_and_redshifts_or_radii_and_velocities_give_the_same_masses(folder, capsys):
    sky = predict(folder, "sky.csv", capsys, "--centre", "150,2", "--redshift", str(Z))
    offsets = predict(folder, "offsets.csv", capsys, "--redshift", str(Z))
    assert [row["cluster"] for row in sky] == [row["cluster"] for row in offsets] == ["A", "B", "poor"]
    for one, other in zip(sky[:2], offsets[:2], strict=True):
        assert one["n_galaxies"] == other["n_galaxies"]
        assert mass(one) == pytest.approx(mass(other), abs=5e-3)
        assert float(one["lo"]) < mass(one) < float(one["hi"])
    assert sky[2]["log10_m200c_msun"] == sky[2]["lo"] == sky[2]["hi"] == ""
    assert "too_few_galaxies" in sky[2]["flags"].split(";")


def test_centre_and_redshift_are_estimated_where_nobody_gives_them(folder, capsys):
    given = predict(folder, "sky.csv", capsys, "--centre", "150,2", "--redshift", str(Z))
    found = predict(folder, "sky.csv", capsys)
    for one, other in zip(given[:2], found[:2], strict=True):
        assert float(other["redshift"]) == pytest.approx(Z, abs=0.001)
        assert mass(one) != mass(other)
        assert mass(one) == pytest.approx(mass(other), abs=0.15)
        assert float(other["lo"]) < mass(other) < float(other["hi"])


def test_clusters_unlike_those_of_training_are_flagged(folder, capsys):
    near, far = (
        predict(folder, "offsets.csv", capsys, "--max-radius", "2.5", "--redshift", z)[0] for z in ("0.1", "0.6")
    )
    assert near["flags"] == ""
    assert "out_of_support" in far["flags"].split(";")
    small = predict(folder, "offsets.csv", capsys, "--redshift", "0.1", "--max-radius", "0.3")[0]
    assert "out_of_support" in small["flags"].split(";")


def test_another_prior_moves_the_masses(folder, capsys):
    own = predict(folder, "offsets.csv", capsys, "--redshift", str(Z))
    flat = predict(folder, "offsets.csv", capsys, "--redshift", str(Z), "--prior", "flat")
    assert mass(own[0]) != mass(flat[0])
    assert flat[2]["log10_m200c_msun"] == ""
