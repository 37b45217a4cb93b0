"""Tables of centres: what is read, and that every bad line is named."""

import numpy as np
import pytest

from clustermass.data.readers.centres import read_centres
from clustermass.errors import FileFormatError


@pytest.fixture
def table(tmp_path):
    def write(content):
        path = tmp_path / "centres.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    ["1 2 3\n4 5 6\n", "x,y,z\n1,2,3\n4,5,6", "# a comment\n\n1\t2\t3 # here\n 4, 5, 6\n", "1 2 3\r\n4 5 6\r\n"],
)
def test_three_columns(table, text):
    centres, masses = read_centres(table(text))
    np.testing.assert_array_equal(centres, [[1, 2, 3], [4, 5, 6]])
    assert np.isnan(masses).all()


def test_fourth_column_is_the_mass(table):
    centres, masses = read_centres(table("x y z m200c\n1 2 3 1e14\n"))
    assert centres.shape == (1, 3)
    assert masses.tolist() == [1e14]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no centres"),
        ("# only a comment\n", "no centres"),
        ("x y z\n", "no centres"),
        ("x y z\na b c\n1 2 3\n", "line 2"),
        ("1 2 3\nx y z\n", "line 2"),
        ("1 2\n", "line 1: expected 3 or 4 numbers, got 2"),
        ("1 2 3 4 5\n", "got 5"),
        ("1 2 3\n1 2 3 4\n", "line 2: has 4"),
        ("1 2 nan\n", "line 1: numbers must be finite"),
        ("1 2 3 -1e14\n", "mass not negative"),
        ("1 2 " + "9" * 70_000, "longer than"),
        (b"\x89HDF\r\n\x1a\n\xff\xfe", "not text"),
    ],
)
def test_bad_lines_are_named(table, text, message):
    with pytest.raises(FileFormatError, match=message):
        read_centres(table(text))
