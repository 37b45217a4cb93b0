"""Toy networks gain nothing by threads and lose much where others compute."""

from tests.training.conftest import one_thread  # noqa: F401
