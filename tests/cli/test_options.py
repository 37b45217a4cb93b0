"""Words of the command line into values, and errors that name the nearest valid word."""

import pytest

from clustermass.cli import _options as options
from clustermass.cli._progress import ProgressLine, duration
from clustermass.errors import DomainError

CHANNELS = ("stars", "xray_soft", "xray_bolometric", "compton_y")


def test_word_list():
    assert options.word_list("stars, compton_y", CHANNELS, "--channels") == ("stars", "compton_y")
    with pytest.raises(DomainError, match="did you mean 'compton_y'"):
        options.word_list("stars,compton", CHANNELS, "--channels")
    for text in ("", ",", "stars,stars"):
        with pytest.raises(DomainError, match="--channels"):
            options.word_list(text, CHANNELS, "--channels")


def test_value_pairs():
    assert options.value_pairs("stars=1e11,compton_y = 0", CHANNELS, "--noise") == {"stars": 1e11, "compton_y": 0.0}
    assert options.value_pairs("", CHANNELS, "--noise") == {}
    assert options.value_pairs("none", CHANNELS, "--noise") == dict.fromkeys(CHANNELS, 0.0)
    with pytest.raises(DomainError, match="did you mean 'stars'"):
        options.value_pairs("star=1", CHANNELS, "--noise")
    for text in ("stars", "stars=x", "stars="):
        with pytest.raises(DomainError, match="--noise"):
            options.value_pairs(text, CHANNELS, "--noise")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.05", (0.05, 0.05)), ("0.03-0.07", (0.03, 0.07)), ("5e-2", (0.05, 0.05)), ("0.03 - 0.07", (0.03, 0.07))],
)
def test_number_range(text, value):
    assert options.number_range(text, "--redshift") == value


@pytest.mark.parametrize("text", ["", "low", "0.03-", "0.03:0.07"])
def test_number_range_refuses(text):
    with pytest.raises(DomainError, match="--redshift"):
        options.number_range(text, "--redshift")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1G", 2**30), ("256M", 2**28), ("1.5gib", 3 * 2**29), ("100MB", 100 * 2**20), ("4096", 4096), ("10 k", 10240)],
)
def test_byte_size(text, size):
    assert options.byte_size(text, "--byte-budget") == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1X", "inf", "nan"])
def test_byte_size_refuses(text):
    with pytest.raises(DomainError, match="--byte-budget"):
        options.byte_size(text, "--byte-budget")


def test_view_list():
    named = ("x", "y", "z", "diagonal")
    assert options.view_list(["x,y", "z", "random:3"], named) == (["x", "y", "z"], 3)
    assert options.view_list(["1,-1,0", "(0, 0.5, 2)"], named) == ([(1.0, -1.0, 0.0), (0.0, 0.5, 2.0)], 0)
    with pytest.raises(DomainError, match="did you mean 'diagonal'"):
        options.view_list(["diag"], named)
    for text in ("random:", "random:x", "random:-1"):
        with pytest.raises(DomainError, match="random:N"):
            options.view_list([text], named)


def test_unknown_word_without_a_neighbour_lists_the_words():
    with pytest.raises(DomainError, match=r"knows ngp, cic, got 'zzz'$"):
        options.nearest("zzz", ("ngp", "cic"), "--assignment")


class Stream:
    def __init__(self, is_terminal):
        self.text, self._is_terminal = "", is_terminal

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_shows_on_a_terminal_only():
    terminal, pipe = Stream(True), Stream(False)
    for stream in (terminal, pipe):
        line = ProgressLine("maps", 10, stream)
        line.advance(5)
        line.close()
    assert "50 %" in terminal.text
    assert terminal.text.endswith("\r\x1b[K")
    assert pipe.text == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2 min 05 s"), (7500, "2 h 05 min")])
def test_duration(seconds, text):
    assert duration(seconds) == text
