"""`clustermass maps` on every real file that has gas, stars or at least mass."""

import numpy as np
import pytest

from clustermass.cli import main
from clustermass.data.maps_file import read_maps

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("default::clustermass.errors.DataWarning")]
ALL = ("stars", "xray_soft", "xray_bolometric", "compton_y")


def run(out, snapshot, *words):
    assert main.run(["maps", str(snapshot), "--out", str(out), "--noise", "none", *map(str, words)]) == 0
    maps = read_maps(out)
    images = maps.images
    assert np.isfinite(images).all()
    assert (images >= 0).all()
    assert images[:, -1].any()  # the first may be dark: gas at 1e4 K has no soft X-rays
    return maps


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("gadget-format2-isolated-halo/snap_000", ALL[1:]),
        ("gadget-format2-isolated-halo/snap_200", ALL),
        ("arepo-hdf5-isolated/isolated_32_smallbox.hdf5", ("compton_y",)),
        ("gadget2-lcdm-gas-ics/lcdm_gas_littleendian.dat", ("gas_mass", "dark_matter")),
        ("disperse-simu32/simu_32_id.gad", ("dark_matter",)),
    ],
)
def test_files_without_a_catalogue(tmp_path, real_data, name, channels):
    maps = run(tmp_path / "maps.h5", real_data(name), "--pixels", 40, "--views", "x", "diagonal")
    assert maps.channel_names == channels
    assert maps.shape == (2, len(channels), 40, 40)


def test_byte_order_does_not_matter(tmp_path, real_data):
    little, big = (
        run(tmp_path / f"{order}.h5", real_data(f"gadget2-lcdm-gas-ics/lcdm_gas_{order}endian.dat"), "--pixels", 30)
        for order in ("little", "big")
    )
    np.testing.assert_array_equal(little.images, big.images)


def test_all_mass_of_an_isolated_halo_is_on_a_wide_map(tmp_path, real_data):
    """1e12 Msun in all, stars and gas after 2 Gyr: the README of the file."""
    snapshot = real_data("gadget-format2-isolated-halo/snap_200")
    words = ["--field", 200, "--redshift", 0.05, "--pixels", 200, "--beams", "none"]
    maps = run(tmp_path / "maps.h5", snapshot, *words, "--channels", "stars,gas_mass,dark_matter")
    totals = maps.images.sum(axis=(1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(totals, 1e12, rtol=1e-5)


def test_camels_cutout_by_its_subhaloes(tmp_path, real_data):
    groups = real_data("camels-tng-cutout/camels_subhalo.hdf5")
    snapshot = real_data("camels-tng-cutout/camels_snap.hdf5")
    maps = run(tmp_path / "maps.h5", snapshot, "--groups", groups, "--pixels", 30)
    assert maps.shape == (40, 1, 30, 30)
    assert np.isnan(maps.labels["m200c"]).all()


def test_whole_cosmological_box_streams_to_the_same_maps(tmp_path, real_data):
    folder = real_data("gadget4-hydro-80/snapshot_000.0.hdf5").parent
    words = ["--groups", folder / "fof_subhalo_tab_000.0.hdf5", "--min-mass", 2.3e14, "--assignment", "cic"]
    kept = run(tmp_path / "kept.h5", folder / "snapshot_000.0.hdf5", *words)
    streamed = run(tmp_path / "streamed.h5", folder / "snapshot_000.1.hdf5", *words, "--byte-budget", "8M")
    assert kept.channel_names == ALL
    assert kept.labels["m200c"][0] == pytest.approx(3.21791e14 / 0.678, rel=1e-4)
    assert kept.labels["m500c"][0] == pytest.approx(1.75710e14 / 0.678, rel=1e-4)
    assert kept.labels["r200c"][0] == pytest.approx(1.18532 / 0.678, rel=1e-4)
    np.testing.assert_array_equal(kept.labels["m200c"], streamed.labels["m200c"])
    scale = kept.images.max(axis=(0, 2, 3))[:, None, None]
    np.testing.assert_allclose(kept.images / scale, streamed.images / scale, atol=1e-6)
    y = kept.read_images(channel="compton_y").sum(axis=(1, 2)) * kept.views["angular_diameter_distance"] ** 2
    heaviest = y[:4].mean()
    assert heaviest > y[4:].mean()
