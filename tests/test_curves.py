"""The record of curves: what is in it, as JSON and as a frame."""

from __future__ import annotations

import json
import math

import numpy as np

from hillwalker.diagnosis import Curves


def example() -> Curves:
    return Curves(
        epochs=np.array([5, 10, 15]),
        loss=np.array([1.0, 3.0, math.inf]),
        val_loss=np.array([1.5, math.nan, math.inf]),
        metrics={"mae": np.array([1.0, 2.0, math.nan])},
        learning_rate=np.array([0.1, 0.1, 0.1]),
        source="training.csv",
        interrupted=True,
    )


def test_curves_say_what_they_hold():
    assert len(example()) == 3
    assert repr(example()) == "Curves from training.csv: 3 epochs of loss, val_loss, mae, learning_rate"
    assert repr(Curves(np.array([0]), None, np.array([1.0]))) == "Curves from curves: 1 epoch of val_loss"


def test_json_tells_a_blank_from_a_loss_that_was_infinite():
    plain = json.loads(json.dumps(example().to_dict(), allow_nan=False))
    assert plain["loss"] == [1.0, 3.0, None]
    assert plain["val_loss"] == [1.5, None, None]
    assert plain["infinite"] == {"loss": [2], "val_loss": [2]}
    assert (plain["epochs"], plain["interrupted"], plain["stop_reason"]) == ([5, 10, 15], True, None)


def test_a_frame_has_a_row_an_epoch():
    frame = example().to_frame()
    assert frame.index.tolist() == [5, 10, 15]
    assert list(frame.columns) == ["loss", "val_loss", "mae", "learning_rate"]
