"""What changes would do is tried, paired, and read right."""

from __future__ import annotations

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.choosing.comparison import Comparison
from hillwalker.diagnosis import Changes, try_changes
from hillwalker.errors import InputError, InputTypeError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(240, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + 0.3 * RANDOM.normal(size=240)).astype(np.float32)


def made(rate=0.01, units=(16,), loss="mse", activation="linear"):
    layers = [hw.layers.Dense(count, activation="tanh") for count in units]
    model = hw.Sequential([hw.Input((3,)), *layers, hw.layers.Dense(1, activation=activation)])
    model.compile(hw.optimizers.Adam(rate), loss)
    return model


def tried(model=None, y=Y, epochs=30, **told):
    return try_changes(model or made(), X, y, epochs, 16, **({"verbose": 0, "seeds": 1} | told))


# What it finds


def test_a_rate_too_high_and_one_too_low_are_told_with_the_rate_that_mends_them():
    high, low = tried(made(1.0)), tried(made(1e-5))
    assert (high.verdict, low.verdict) == ("learning-rate-too-high", "learning-rate-too-low")
    for found in (high, low):
        rate = float(found.remedy.removeprefix("model.optimizer.learning_rate = "))
        assert 0.001 <= rate <= 0.1
    assert high.claims["learning-rate-too-low"] is not True
    assert low.claims["overfitting"] is False


def test_a_large_network_on_few_rows_trained_long_overfits():
    found = try_changes(made(0.01, (128, 64)), X[:60], Y[:60], 300, 16, seeds=1, verbose=0)
    assert found.claims["overfitting"] is True
    assert found.verdict in ("overfitting", "learning-rate-too-high")


def test_a_network_too_small_or_trained_too_short_underfits():
    assert tried(made(0.003), epochs=5).claims["underfitting"] is True


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_has_no_signal(seed):
    found = tried(y=np.random.default_rng(seed).normal(size=240))
    assert found.verdict == "no-signal"
    assert found.remedy is None


def test_labels():
    labels = (X[:, 0] + X[:, 1] > 0).astype(np.float32)
    found = tried(made(1e-5, loss="binary_crossentropy", activation="sigmoid"), labels)
    assert found.constant_losses == pytest.approx(np.full(5, np.log(2)), rel=0.02)
    assert found.verdict == "learning-rate-too-low"


# What decides


def changes(base, other, train=None, rate=0.01, epochs=4):
    """Return the record of two variants, the other of a third of the rate, with validation curves (folds, epochs)."""
    validation = np.array([base, other], float)[:, np.newaxis]
    training = np.array([train if train is not None else base, other], float)[:, np.newaxis]
    shape = validation.shape[:3]
    comparison = Comparison(
        ("as it is", "lower"), ({}, {"learning_rate": rate / 3}), (0,), "val_loss", 0,
        {"loss": training, "val_loss": validation}, np.full(shape, epochs), np.full(shape, epochs - 1),
        np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape), np.zeros(shape), np.zeros(2), 0.25,
    )  # fmt: skip
    return Changes(comparison, np.full(shape[2], 1.0), rate, epochs)


FALLING = np.array([[0.8, 0.6, 0.5, 0.4]] * 3)


def test_gains_by_hand():
    found = changes(FALLING, FALLING - np.array([[0.1], [0.2], [0.3]]))
    gain = next(one for one in found.gains if one.kind == "lower rate")
    assert found.scale == pytest.approx(0.8)  # 1 - (0.3 + 0.2 + 0.1) / 3
    assert gain.at_end == pytest.approx((0.25, np.std([0.1, 0.2, 0.3], ddof=1) / np.sqrt(3) / 0.8))
    assert gain.stopped == gain.at_end
    assert found.verdict == "learning-rate-too-high"


def test_a_lower_rate_that_only_stops_earlier_is_not_a_rate_too_high():
    rising = np.array([[0.8, 0.4, 0.6, 0.7], [0.8, 0.41, 0.6, 0.72], [0.8, 0.4, 0.61, 0.7]])
    found = changes(rising, np.array([[0.8, 0.6, 0.5, 0.41]] * 3), train=FALLING)
    assert found.claims["overfitting"] is True
    assert found.claims["learning-rate-too-high"] is False
    assert found.verdict == "overfitting"
    assert "EarlyStopping" in found.remedy


def test_a_divergence_is_no_overfitting():
    rising = np.array([[0.8, 0.4, 0.6, 0.9]] * 3) + np.array([[0.0], [0.01], [0.02]])
    found = changes(rising, rising - [0.0, 0.1, 0.1, 0.1], train=rising)
    assert found.gains[0].kind == "stop"  # it gains most, but where training rises too it is no remedy to begin with
    assert found.claims["overfitting"] is False
    assert found.verdict == "learning-rate-too-high"
    assert found.remedy == "model.optimizer.learning_rate = 0.00333"


def test_the_stop_is_read_off_the_other_folds():
    lucky = np.tile([0.5, 0.5, 0.5, 0.5], (4, 1))
    lucky[np.arange(4), np.arange(4)] = 0.1  # each fold has its own lucky epoch, of which the others know nothing
    found = changes(lucky, lucky)
    assert next(one for one in found.gains if one.kind == "stop").at_end[0] <= 0


def test_nothing_gained_is_healthy_and_too_little_does_not_matter():
    assert changes(FALLING, FALLING).verdict == "healthy"
    assert changes(FALLING, FALLING - 0.005).verdict == "healthy"


# What stays as it is, and what is refused


def test_the_model_is_left_as_it_was():
    model = made()
    before = [weights.copy() for weights in model.get_weights()]
    tried(model)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


def test_threads_change_no_number_and_a_ledger_goes_on(tmp_path):
    one = tried(threads=1, folder=tmp_path / "runs")
    assert tried(threads=2).to_dict() == one.to_dict() == tried(folder=tmp_path / "runs").to_dict()
    assert len((tmp_path / "runs" / "runs.jsonl").read_text().splitlines()) == 11 * 5


def test_without_a_hidden_layer_no_units_are_doubled():
    found = tried(made(units=()))
    assert [one.change for one in found.gains if one.kind == "more"] == ["epochs=90"]


def test_rows_in_time():
    found = tried(made(1e-5), time_ordered=True)
    assert found.verdict == "learning-rate-too-low"


def test_records_are_plain():
    pytest.importorskip("pandas")
    found = tried()
    assert len(found.to_frame()) == 11
    assert found.to_dict()["verdict"] == found.verdict
    assert str(found).splitlines()[-1].startswith(f"{found.verdict}: ")


def test_its_picture():
    found = tried(made(1.0))
    (axes,) = found.plot().axes
    assert axes.get_title(loc="left") == "learning-rate-too-high: what each change brings"
    assert [text.get_text() for text in axes.get_yticklabels()] == [one.change for one in found.gains[::-1]]
    assert "%" in axes.get_xlabel()
    assert axes.get_xlim()[0] < -100
    assert found.comparison.plot().axes


@pytest.mark.parametrize(
    ("told", "words"),
    [({"folds": 2}, "3 or more"), ({"folds": 0}, "folds"), ({"seeds": 0}, "seeds"), ({"epochs": 0}, "epochs"),
     ({"seed": -1}, "seed")],
)  # fmt: skip
def test_bad_input_is_refused(told, words):
    with pytest.raises(InputError, match=words):
        tried(**told)


def test_models_that_cannot_be_tried():
    with pytest.raises(hw.errors.StateError):
        try_changes(hw.Sequential([hw.Input((3,)), hw.layers.Dense(1)]), X, Y)
    with pytest.raises(InputTypeError):
        try_changes("model", X, Y)


def test_where_the_rate_follows_a_schedule_no_rates_are_tried():
    model = made()
    model.compile(hw.optimizers.Adam(hw.schedules.ExponentialDecay(0.01, 10, 0.9)), "mse")
    found = tried(model, epochs=3)
    assert {one.kind for one in found.gains} == {"stop", "more"}
    assert "learning-rate-too-high" not in found.claims
