"""Both engines, every instruction set and both precisions against numbers that Keras and PyTorch made once.

tests/golden/make.py made them, in float64: losses and weights after 1 step, 10 steps and an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hillwalker
from hillwalker import config, engine

FILES = sorted((Path(__file__).parent / "golden").glob("*.npz"))
LENGTHS = ("1 step", "10 steps", "1 epoch")
TOLERANCE = {"float32": 3e-6, "float64": 1e-9}  # of the largest weight: eleven steps' rounding
ENGINES = [("reference", "float64", None)]
ENGINES += [("compiled", dtype, name) for dtype in config.FLOATS for name in engine.instruction_sets()]


@pytest.fixture(params=ENGINES, ids=lambda one: "-".join(str(part) for part in one if part))
def dtype(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test on each engine; its value is the precision."""
    name, dtype, instruction_set = request.param
    before = engine.instruction_set()
    monkeypatch.setenv("HILLWALKER_ENGINE", name)
    config.set_floatx(dtype)
    engine.choose_instruction_set(instruction_set or before)
    yield dtype
    engine.choose_instruction_set(before)


def test_the_files_are_there_and_small():
    assert len(FILES) >= 20
    assert sum(path.stat().st_size for path in FILES) < 300_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_training(path, dtype):
    golden = dict(np.load(path))
    model, loss, optimizer = (eval(str(text), {"k": hillwalker}) for text in golden["text"])
    start = [golden[f"start/{number}"] for number in range(len(model.get_weights()))]
    for length in LENGTHS:
        rows = int(golden[f"{length}/rows"])
        model.compile(type(optimizer).from_config(optimizer.get_config()), loss)
        model.set_weights(start)
        weight = golden["weight"][:rows] if "weight" in golden else None
        history = model.fit(
            golden["x"][:rows],
            golden["y"][:rows],
            batch_size=int(golden["batch_size"]),
            shuffle=False,
            sample_weight=weight,
            verbose=0,
        )
        tolerance = TOLERANCE[dtype]
        assert history.history["loss"] == [pytest.approx(float(golden[f"{length}/loss"]), rel=tolerance)]
        for number, found in enumerate(model.get_weights()):
            wanted = golden[f"{length}/{number}"]
            scale = max(0.1, np.abs(wanted).max())
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale, err_msg=f"{length}, {number}")
