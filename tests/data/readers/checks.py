"""Comparison of what a reader returns with the universe that was written."""

import numpy as np

from tests.tolerances import READ


def assert_same(snapshot, made, skip=()):
    """Every field of the made-up universe is read back."""
    for t, fields in made.data.items():
        wanted = [name for name in fields if name not in skip and (t, name) not in skip]
        for name, values in snapshot.read(t, wanted).items():
            assert values.shape == fields[name].shape
            if name == "ids":
                np.testing.assert_array_equal(values, fields[name])
            else:
                limit = READ[values.dtype]
                np.testing.assert_allclose(values, fields[name], rtol=limit, atol=0, err_msg=f"{t} {name}")
