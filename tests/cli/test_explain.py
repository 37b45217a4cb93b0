"""`clustermass explain`: a model and maps in, figures with their numbers out."""

import json

import numpy as np
import pytest

from clustermass.cli import main
from clustermass.data.map_sample import read_map_sample
from clustermass.data.maps_file import ChannelRecord, MapsHeader
from clustermass.data.maps_writer import MapsWriter
from clustermass.models.registry import make_estimator
from clustermass.models.store import save_estimator

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("matplotlib")


def test_a_model_that_reads_no_maps_is_refused(tmp_path, capsys):
    model = tmp_path / "sigma.safetensors"
    save_estimator(model, make_estimator("m-sigma-evrard2008"))
    assert main.run(["explain", str(model), "maps.h5", "--out", str(tmp_path / "why")]) == 2
    assert "networks that read maps" in capsys.readouterr().err
    assert not (tmp_path / "why").exists()


def test_a_network_on_galaxies_and_maps_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("clustermass.models.store.load_estimator", lambda path: make_estimator("joint-posterior"))
    assert main.run(["explain", "joint.safetensors", "maps.h5", "--out", str(tmp_path / "why")]) == 2
    assert "not both; joint-posterior reads" in capsys.readouterr().err


def test_a_network_on_galaxies_is_explained_by_its_galaxies(tmp_path, capsys):
    from clustermass.report.tables import read_csv
    from tests.evaluation.toys import write_catalogue
    from tests.training.test_saliency import untrained

    model = untrained("cnn-1d")
    model._support = {name: [0.0, 1e30] for name in ("n_galaxies", "redshift", "max_radius", "max_velocity")}
    save_estimator(tmp_path / "model.safetensors", model)
    catalogue = write_catalogue(tmp_path / "clusters.hdf5", n_hosts=12)
    words = [str(tmp_path / "model.safetensors"), str(catalogue), "--out", str(tmp_path / "why")]
    assert main.run(["explain", *words, "--bins", "2", "--clusters", "1", "--device", "cpu"]) == 0
    assert "a galaxy changes" in capsys.readouterr().out
    rows = read_csv(tmp_path / "why" / "galaxies.csv")
    assert len({row["cluster"] for row in rows}) == 2
    assert {"influence_dex", "dex_per_weight", "is_member"} <= set(rows[0])
    assert (tmp_path / "why" / "saliency.png").is_file()


def planck_maps(path, n=16, pixels=22, angle=4 * 1.72 / 60 * np.pi / 180):
    """Clusters of growing mass at redshifts of three bins; the pixels are wider than a core."""
    mass, redshift = np.linspace(14.0, 14.9, n), np.resize([0.05, 0.15, 0.3, 0.17], n)
    away = np.hypot(*(np.indices((pixels, pixels)) - 0.5 * (pixels - 1)))
    noise = 1e-7 * np.random.default_rng(2).normal(size=(n, pixels, pixels))
    images = 1e-5 * 10 ** (mass - 14.5)[:, None, None] * np.exp(-0.5 * (away / 4) ** 2) + noise
    labels = {"cluster_id": np.arange(n), "m200c": 10 ** (mass + 0.15), "m500c": 10**mass}
    views = {"redshift": redshift, "number": np.zeros(n, int), "direction": np.tile([0.0, 0, 1], (n, 1))}
    cosmology = {"cosmology": {"h": 0.7, "omega_m": 0.3, "omega_lambda": 0.7}}
    shape, channels = (n, 1, pixels, pixels), (ChannelRecord("compton_y", "", 1e-7, 0.0),)
    with MapsWriter(path, {}, [n]) as writer:
        writer.save(0, images[:, None].astype(np.float32))
        writer.finish(MapsHeader(channels, labels, views, shape, angle, cosmology))
    return read_map_sample(path)


def test_a_model_with_bins_of_redshift_is_explained_by_the_network_of_each_cluster(tmp_path, capsys):
    from clustermass.report.tables import read_csv
    from tests.training.redshift_toys import untrained_bins

    sample = planck_maps(tmp_path / "maps.h5")
    model = untrained_bins(sample.images, pixels=22)
    save_estimator(tmp_path / "model.safetensors", model)
    words = [str(tmp_path / "model.safetensors"), str(tmp_path / "maps.h5"), "--out", str(tmp_path / "why")]
    assert main.run(["explain", *words, "--bins", "2", "--clusters", "2", "--mask-sigma", "2", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "4 of 16 maps are left out: the model has no estimate of them." in out
    assert "none inside 0.15 R200c" in out
    assert "nan" not in out
    rows = read_csv(tmp_path / "why" / "clusters.csv")
    number = np.array([row["row"] for row in rows], int)
    assert {sample.redshift[k] > 0.1 for k in number} == {True, False}, "both networks are explained"
    assert sample.redshift[number].max() < 0.2
    want = model.predict(sample).log10_mass
    np.testing.assert_allclose([row["log10_m500c_pred"] for row in rows], want[number], rtol=1e-5)
    assert np.ptp(want[number]) > 0.01, "the masses depend on the image"
    said = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert said["settings"]["n_without_estimate"] == 4


def test_maps_that_no_network_has_an_estimate_of_are_refused(tmp_path):
    from clustermass.errors import BadInputError
    from clustermass.interpretation.maps import explain_maps
    from tests.training.redshift_toys import untrained_bins

    sample = planck_maps(tmp_path / "maps.h5")
    with pytest.raises(BadInputError, match="has an estimate of"):
        explain_maps(untrained_bins(bins=(3,), pixels=22), sample, device="cpu")
