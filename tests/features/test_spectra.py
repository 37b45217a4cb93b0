"""Power spectra: drawn fields have them, measured ones are them."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from clustermass.features import spectra
from clustermass.features.correlated_noise import _on_device
from clustermass.features.spectra import torus_frequencies
from tests import tolerances
from tests.reference import correlated_noise as reference

STEEP = cm.BeamSpectrum(((2.0, 5.6),), white=0.1)
TABLE = cm.PowerSpectrum(np.arange(1, 60) / 96, 1.0 / (0.02 + np.arange(1, 60) / 96) ** 1.5)
SPECTRA = {"steep": STEEP, "white": cm.BeamSpectrum((), white=2.0), "table": TABLE}


@pytest.mark.parametrize("name", sorted(SPECTRA))
@pytest.mark.parametrize("shape", [(96, 96), (40, 65), (7, 24)])
def test_a_drawn_field_is_the_sum_over_modes(name, shape):
    """Against cosines and sines added up in float64, mode by mode."""
    spectrum = SPECTRA[name]
    items = np.array([3, 2**35, -9])
    got = cm.CorrelatedNoise(spectrum).draw(shape, items=items, seed=12)
    rows = slice(0, shape[0], max(1, shape[0] // 7))
    for item, field in zip(items, got, strict=True):
        want = reference.correlated_noise(spectrum.power, spectrum.variance, shape, item=item, seed=12, rows=rows)
        np.testing.assert_allclose(field[rows], want, atol=tolerances.DRAWN_FIELD * spectrum.variance**0.5)


@pytest.mark.parametrize("name", sorted(SPECTRA))
def test_covariance_of_drawn_fields_is_the_transform_of_the_spectrum(name):
    """All pairs of pixels of a small image, by their positions: stationary, no wrap-around, exact variance."""
    spectrum, n = SPECTRA[name], 8000
    fields = cm.CorrelatedNoise(spectrum).draw((12, 12), items=np.arange(n), seed=1).astype(float).reshape(n, -1)
    got = fields.T @ fields / n
    want = reference.covariance(spectrum.power, spectrum.variance, (12, 12)).reshape(144, 144)
    error = np.sqrt((spectrum.variance**2 + want**2) / n)
    pull = (got - want) / error
    assert abs(pull).max() < 6
    assert pull.std() < 1.3


def test_keys_alone_decide_and_not_batches_or_threads():
    noise, items = cm.CorrelatedNoise(STEEP), np.arange(50, 90)
    whole = noise.draw((33, 48), items=items, seed=5)
    np.testing.assert_array_equal(noise.draw((33, 48), items=items, seed=5, n_threads=4), whole)
    parts = [noise.draw((33, 48), items=part, seed=5) for part in np.split(items, [1, 7, 8, 30])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (noise.draw((33, 48), items=items, seed=6) != whole).all()
    assert noise.draw((33, 48), items=items[:0], seed=5).shape == (0, 33, 48)


@pytest.mark.parametrize("shape", [(96, 96), (7, 24)])
def test_the_transforms_of_a_device_give_the_same_fields(shape):
    """The form for tensors on a device, run on tensors of the host: other transforms of the same numbers."""
    torch = pytest.importorskip("torch")
    items = np.array([4, -2])
    got = _on_device(STEEP, *shape, torch.from_numpy(items), 3, torch.zeros(1))
    want = cm.CorrelatedNoise(STEEP).draw(shape, items=items, seed=3)
    np.testing.assert_allclose(got.numpy(), want, atol=tolerances.DRAWN_FIELD * STEEP.variance**0.5)


def test_spectrum_of_beams():
    f = torus_frequencies(400, 400)
    assert STEEP.power(f).mean() == pytest.approx(STEEP.variance, rel=1e-9)
    lag = np.arange(5)
    transformed = np.fft.ifft2(STEEP.power(f)).real[0, :5] / STEEP.variance
    np.testing.assert_allclose(STEEP.correlation(lag), transformed, rtol=1e-9)
    wider = STEEP.at_pixel(0.5)  # pixels of half the side
    assert wider.beams == ((2.0, 11.2),)
    assert wider.variance == STEEP.variance


@pytest.mark.parametrize(("name", "mask_radius"), [("steep", 0.0), ("steep", 12.0), ("table", 12.0)])
def test_the_spectrum_of_drawn_fields_is_recovered(name, mask_radius):
    spectrum = SPECTRA[name]
    maps = cm.CorrelatedNoise(spectrum).draw((96, 96), items=np.arange(200), seed=2)
    found = cm.measure_power_spectrum(maps, mask_radius=mask_radius)
    inside = np.asarray(found.frequency) < 0.6  # beyond, rings hold few modes
    ratio = (np.asarray(found.value) / spectrum.power(found.frequency))[inside]
    assert abs(ratio - 1).max() < tolerances.MEASURED_SPECTRUM
    assert found.variance == pytest.approx(spectrum.variance, rel=0.05)
    one_by_one = [cm.measure_power_spectrum(one, mask_radius=mask_radius) for one in maps[:20]]
    scatter = np.array([one.value for one in one_by_one])[:, inside].std(0) / spectrum.power(found.frequency)[inside]
    stated = one_by_one[0].relative_error[inside]
    assert np.median(scatter / stated) == pytest.approx(1.0, abs=0.25)


def test_periodic_maps_need_no_window():
    rng = np.random.default_rng(3)
    amplitude = np.sqrt(TABLE.power(torus_frequencies(64, 64)))
    maps = np.fft.ifft2(np.fft.fft2(rng.normal(size=(300, 64, 64))) * amplitude).real
    found = cm.measure_power_spectrum(maps, window="periodic")
    pull = (np.asarray(found.value) / TABLE.power(found.frequency) - 1) / found.relative_error
    assert abs(pull[1:]).max() < 5
    assert pull[1:].std() == pytest.approx(1.0, abs=0.4)


def test_a_source_in_the_middle_is_masked():
    maps = cm.CorrelatedNoise(STEEP).draw((96, 96), items=np.arange(20), seed=2).astype(float)
    clean = cm.measure_power_spectrum(maps, mask_radius=12)
    y, x = np.indices((96, 96)) - 47.5
    source = np.where(np.hypot(y, x) < 12, 50.0, 0.0)
    np.testing.assert_allclose(cm.measure_power_spectrum(maps + source, mask_radius=12).value, clean.value, rtol=1e-9)
    assert cm.measure_power_spectrum(maps + source).value[2] > 3 * clean.value[2]


@pytest.mark.parametrize("n_beams", [1, 2, 3])
def test_a_fit_finds_what_made_the_spectrum(n_beams):
    beams = (
        ((0.7, 25.0), (1.5, 5.0), (0.6, 2.0))[3 - n_beams :] if n_beams < 3 else ((0.7, 25.0), (1.5, 5.0), (0.6, 2.0))
    )
    truth = cm.BeamSpectrum(beams, white=0.2)
    rings = np.arange(1, 68) / 96
    exact = cm.PowerSpectrum(rings, truth.power(rings), modes=rings * 600)
    fit = cm.fit_beam_spectrum(exact, n_beams=n_beams)
    np.testing.assert_allclose(fit.beams, truth.beams, rtol=1e-3)
    assert fit.white == pytest.approx(0.2, rel=1e-3)


def test_a_fit_to_one_map_is_within_its_scatter():
    fields = cm.CorrelatedNoise(STEEP).draw((96, 96), items=np.arange(12), seed=8)
    fits = [cm.fit_beam_spectrum(cm.measure_power_spectrum(one, mask_radius=12)) for one in fields]
    widths = np.array([fit.beams[0][1] for fit in fits])
    assert widths.mean() == pytest.approx(5.6, rel=0.03)
    assert np.mean([fit.white for fit in fits]) == pytest.approx(0.1, rel=0.1)
    assert np.mean([fit.variance**0.5 for fit in fits]) == pytest.approx(2.0, rel=0.1)


def test_tables_refuse_what_is_no_spectrum():
    for arguments, error in (
        (([], []), ArrayError), (([0.1], [1.0, 2.0]), ArrayError), (([0.2, 0.1], [1, 1]), DomainError),
        (([0.0, 0.1], [1, 1]), DomainError), (([0.1], [-1.0]), DomainError), (([0.1], [np.nan]), DomainError),
        (([0.1], [0.0]), DomainError),
    ):  # fmt: skip
        with pytest.raises(error):
            cm.PowerSpectrum(*arguments)
    for beams, white in (((-1.0, 3.0),), 0.0), (((1.0, 0.0),), 0.0), ((), -1.0), ((), np.inf):
        with pytest.raises(DomainError):
            cm.BeamSpectrum(beams, white)
    with pytest.raises(DomainError, match="`spectrum`"):
        cm.CorrelatedNoise(4.0)
    with pytest.raises(DomainError, match="`measured`"):
        cm.fit_beam_spectrum(cm.PowerSpectrum([0.1, 0.2], [1.0, 1.0], modes=[4, 4]))
    with pytest.raises(DomainError, match="`measured`"):
        cm.fit_beam_spectrum(TABLE)  # modes not known


@pytest.mark.parametrize(
    ("maps", "options", "error"),
    [
        (np.zeros((2, 4, 96)), {}, ArrayError),
        (np.zeros((0, 96, 96)), {}, ArrayError),
        (np.zeros(96), {}, ArrayError),
        (np.zeros((1, 96, 96)), {}, DomainError),
        (np.full((96, 96), np.nan), {}, BadInputError),
        (np.zeros((96, 96), complex), {}, DTypeError),
        (np.ones((96, 96)), {"window": "hamming"}, DomainError),
        (np.ones((96, 96)), {"mask_radius": 100.0}, DomainError),
        (np.ones((96, 96)), {"mask_radius": -1.0}, DomainError),
    ],
)
def test_maps_that_cannot_be_measured_are_refused(maps, options, error):
    with pytest.raises(error):
        cm.measure_power_spectrum(maps, **options)


def test_a_fit_leaves_out_rings_without_modes_and_beyond_its_limit():
    truth, rings = cm.BeamSpectrum(((3.0, 6.0),), white=0.5), np.arange(1, 61) / 96
    power, modes = truth.power(rings), rings * 600
    power[rings > 0.5] *= 40.0  # corners that are wrong
    power[3], modes[3] = 1e3, 0.0  # a ring that nobody measured
    fit = cm.fit_beam_spectrum(cm.PowerSpectrum(rings, power, modes=modes))
    np.testing.assert_allclose([*fit.beams[0], fit.white], [3.0, 6.0, 0.5], rtol=1e-4)
    wrong = cm.fit_beam_spectrum(cm.PowerSpectrum(rings, power, modes=modes), max_frequency=0.7)
    assert wrong.white > 0.55


def test_rings_count_by_their_modes():
    """A ring that is wrong and well known pulls the fit, one of few modes does not."""
    truth, rings = cm.BeamSpectrum(((3.0, 6.0),), white=0.5), np.arange(1, 49) / 96
    power, modes = truth.power(rings), np.full(48, 1e4)
    power[-24:] *= 4.0
    found = []
    for known in (1e-3, 1e4):
        modes[-24:] = known
        found.append(cm.fit_beam_spectrum(cm.PowerSpectrum(rings, power, modes=modes)).white)
    assert found[0] < 0.6 < 0.9 < found[1]


def test_the_variance_of_a_table_is_the_integral_of_its_power():
    """A power that is 1 below 0.2 cycles per pixel and 1e-30 above: the area of a circle."""
    edge = [0.1, 0.2, 0.2 + 1e-9, 0.7]
    assert cm.PowerSpectrum(edge, [1.0, 1.0, 1e-30, 1e-30]).variance == pytest.approx(np.pi * 0.2**2, rel=0.01)


def test_the_best_of_several_climbs_is_kept(monkeypatch):
    """Three starts: one ends beside the peak, one on it, one nowhere."""
    truth, rings = cm.BeamSpectrum(((3.0, 6.0), (1.0, 2.0)), white=0.5), np.arange(1, 49) / 96
    measured = cm.PowerSpectrum(rings, truth.power(rings), modes=rings * 600)
    peak = np.log([3.0, 6.0, 1.0, 2.0, 0.5])
    for ends in ([peak + 0.1, peak, None], [peak, peak - 0.1, None], [None, None, peak]):
        left = list(ends)
        monkeypatch.setattr(spectra, "_climb", lambda *_, left=left: left.pop(0))
        found = cm.fit_beam_spectrum(measured, n_beams=2)
        np.testing.assert_allclose([*found.beams[0], *found.beams[1], found.white], np.exp(peak))
    monkeypatch.setattr(spectra, "_climb", lambda *_: None)
    with pytest.raises(DomainError, match="converge"):
        cm.fit_beam_spectrum(measured, n_beams=2)
