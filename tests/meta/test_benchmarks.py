"""The benchmark harness itself: order of rounds, verdicts, tables, and floors that do real work."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import arms, compare, floor, report, run, streaming


def test_rounds_alternate():
    calls = []
    times = compare.interleave({name: lambda name=name: calls.append(name) for name in "abc"}, 4)
    assert "".join(calls) == "abccbaabccba"
    assert {name: len(t) for name, t in times.items()} == {"a": 4, "b": 4, "c": 4}
    with pytest.raises(ValueError, match="even"):
        compare.interleave({}, 3)


def test_verdict_needs_the_whole_band():
    assert compare.verdict([1.0] * 8, [1.5, 1.2, 1.3, 1.1, 1.4, 1.2, 1.3, 1.2])["a_is"] == "faster"
    assert compare.verdict([1.0] * 8, [0.5] * 8)["a_is"] == "slower"
    assert compare.verdict([1.0] * 4, [0.5] * 4)["a_is"] == "not distinguishable"
    assert compare.verdict([1.0] * 8, [1.5, 0.9, 1.3, 0.8, 1.4, 1.2, 1.3, 1.2])["a_is"] == "not distinguishable"


def test_a_row_becomes_a_table():
    row = arms.Row(
        "T", "test", "pixels", [arms.Arm("clustermass", lambda: sum(range(10)), 100)],
        [arms.Arm("slow", lambda: sum(range(200_000)), 100, "less"), arms.peer("none", "no_such_package", None)],
        [arms.Arm("least", lambda: None)], {"slow": 2.0, "none": 3.0},
    )  # fmt: skip
    result = run.measure(row, 4)
    slow, none = result["peers"]
    assert slow["ratio"] > 2.0
    assert not report.missed(slow)
    assert report.missed(slow | {"ratio": 1.9})
    assert none["installed"] is False
    text = report.table(result)
    assert "| none | not installed |" in text
    assert "Share of the floor:" in text


def test_a_wrong_answer_has_no_speed():
    image = np.arange(1.0, 5.0)
    arms.close(image, 1e-3)(image * 1.0001)
    wrong = arms.Arm("wrong", lambda: image * 1.01, check=arms.close(image, 1e-3))
    with pytest.raises(AssertionError, match="differs by 0.01"):
        run.measure(arms.Row("T", "test", "pixels", [wrong], []), 2)


def test_floors_do_real_work():
    if floor.library() is None:
        pytest.skip("no C++ compiler on the PATH: the floors of benchmarks cannot be built")
    for dtype, bound in ((np.float32, 1e-6), (np.float64, 1e-14)):
        x = np.linspace(-50, 50, 1024).astype(dtype)
        arguments = x[:512].astype(float)
        floor.call(f"exp_f{8 * x.itemsize}", x, 512, 1)
        np.testing.assert_allclose(x[512:], np.exp(arguments), rtol=bound)
    values, copied = np.random.default_rng(0).random(1024, np.float32), np.zeros(1024, np.float32)
    floor.call("copy_floats", copied, values, 1024)
    np.testing.assert_array_equal(copied, values)
    pixel, image = np.array([3, 0, 3], np.int32), np.zeros(16)
    floor.call("scatter_4", pixel, values, image, 3)
    np.testing.assert_allclose(image[12:], values[:4].astype(float) + values[8:12])


def test_streaming_maps_what_it_reads(tmp_path, capsys):
    streaming.write_snapshot(tmp_path / "small.hdf5", 5000)
    streaming.stream(str(tmp_path / "small.hdf5"))  # asserts the mass of the map
    assert '"read_mb"' in capsys.readouterr().out
