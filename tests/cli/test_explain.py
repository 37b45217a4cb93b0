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
