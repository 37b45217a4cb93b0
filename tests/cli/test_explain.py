"""`clustermass explain`: a model and maps in, figures with their numbers out."""

import pytest

from clustermass.cli import main
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
