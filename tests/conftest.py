"""What holds for every test: nothing drawn on a screen, nothing left behind, the same random numbers on every run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from hillwalker import config

os.environ["MPLBACKEND"] = "Agg"
# A shell starts what runs in its background with Ctrl-C ignored, and some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("hillwalker", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("hillwalker")


@pytest.fixture(autouse=True)
def fresh_configuration() -> Iterator[None]:
    """Start each test from seed 0 and float32, whatever the one before did."""
    config.set_floatx("float32")
    config.set_random_seed(0)
    yield
    config.set_floatx("float32")


@pytest.fixture(params=config.ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test once with each engine; its value is the engine's name."""
    monkeypatch.setenv("HILLWALKER_ENGINE", request.param)
    name: str = request.param
    return name
