"""The range test: rules on curves made by hand, losses that are those of training, a model that stays as it was."""

import json
import math

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import config
from hillwalker.choosing import learning_rate, sweep_learning_rates
from hillwalker.choosing.learning_rate import lightning, minimum_by_ten, slide, smooth, steepest, suggestions, valley
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.layers import BatchNormalization, Dense, Dropout, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3)).astype("float32")
Y = (np.sin(X[:, 0]) + X[:, 1]).astype("float32")
RATES = np.logspace(-6, 0, 61)


def made(optimizer="adam", loss="mse", extra=(), input_layer=True):
    hw.utils.set_random_seed(3)
    first = [Input((3,))] if input_layer else []
    model = hw.Sequential([*first, Dense(6, activation="tanh"), *(make() for make in extra), Dense(1)])
    model.compile(optimizer=optimizer, loss=loss)
    return model


def everything(model):
    """Return all that looking must not change, as bytes and numbers."""
    state = model.state
    return (
        state.parameters.tobytes(),
        [slot.tobytes() for slot in state.slots.values()],
        model.optimizer.iterations,
        model.optimizer.learning_rate,
        model.optimizer.owner is model,
        state.seed,
        model.history,
    )


# The rules, on curves made by hand


def test_steepest_takes_the_start_of_the_largest_fall():
    losses = np.array([5.0, 4.9, 4.8, 2.0, 1.9, 1.8])
    assert steepest(np.logspace(-5, 0, 6), losses) == pytest.approx(1e-3)
    uneven = np.array([1e-5, 1e-1, 1.0])  # the fall counts by decade: 3 in four decades, 1 in one
    assert steepest(uneven, np.array([4.0, 1.0, 0.0])) == pytest.approx(1e-1)


def test_valley_takes_the_middle_third_of_the_longest_fall():
    losses = np.concatenate([np.full(20, 1.0), np.linspace(0.99, 0.1, 30), np.linspace(0.2, 9.0, 11)])
    # The run is one flat point and the 30 that fall after it: of length 31, it ends at 49, so it "starts" at 18;
    # a third is 10.33, and 18 + 10 + int(5.17) = 33.
    assert valley(RATES, losses) == pytest.approx(RATES[33])
    assert valley(RATES[:3], np.array([1.0, 2.0, 3.0])) == RATES[0]  # nothing falls


def test_valley_bridges_what_rises_for_a_moment():
    losses = np.linspace(1.0, 0.1, 61)
    noisy = losses.copy()
    noisy[30] += 0.2
    assert abs(np.log10(valley(RATES, noisy) / valley(RATES, losses))) < 0.2


def test_minimum_by_ten():
    losses = np.where(np.arange(61) < 50, 1.0 - np.arange(61) / 100, 5.0)
    assert minimum_by_ten(RATES, losses) == pytest.approx(RATES[49] / 10)


def test_slide_goes_down_until_both_ends_have_one_slope():
    losses = np.concatenate([np.full(41, 1.0), 1.0 + np.cumsum(np.linspace(0.1, 2.0, 20))])
    gradient = np.gradient(losses)
    right = 60
    while abs(gradient[right] - gradient[right - 15]) > 0.005:
        right -= 1
    assert slide(RATES, losses) == pytest.approx(RATES[right - 15 + 1])
    assert slide(RATES, np.full(61, 1.0)) == RATES[60 - 15]  # flat: it never slides


def test_lightning_takes_the_middle_of_the_largest_fall():
    losses = np.array([5.0, 4.9, 4.8, 3.0, 1.0, 0.9])
    assert lightning(np.logspace(-5, 0, 6), losses) == pytest.approx(1e-2)  # (1.0 - 4.8) / 2 is the least


def test_a_rule_without_points_enough_is_left_out_and_what_is_not_finite_ends_the_curve():
    losses = np.linspace(2.0, 1.0, 61)
    assert set(suggestions(RATES, losses, 61)) == set(learning_rate.RULES)
    assert set(suggestions(RATES[:20], losses[:20], 61)) == {"steepest", "valley", "minimum/10", "lightning"}
    assert suggestions(RATES[:3], losses[:3], 61) == {}
    broken = losses.copy()
    broken[40:] = math.nan
    assert suggestions(RATES, broken, 61)["minimum/10"] == pytest.approx(RATES[40 - 5 - 1] / 10)


def test_smoothing_is_the_weighted_mean_of_the_past():
    losses = RNG.normal(size=12)
    weights = 0.9 ** np.arange(11, -1, -1)
    assert smooth(losses, 0.9)[-1] == pytest.approx(float(weights @ losses / weights.sum()))
    np.testing.assert_array_equal(smooth(losses, 0.0), losses)


# The sweep


def test_its_losses_are_those_of_training_with_these_rates():
    sweep = sweep_learning_rates(made(), X, Y, 1e-4, 1e-2, steps=7, batch_size=90, verbose=0, stop_at=math.inf)
    np.testing.assert_allclose(sweep.rates, np.geomspace(1e-4, 1e-2, 7))
    model = made()
    for rate, loss in zip(sweep.rates, sweep.losses, strict=True):
        model.optimizer.learning_rate = float(rate)
        assert model.train_on_batch(X, Y) == pytest.approx(loss, rel=1e-5)
    np.testing.assert_array_equal(sweep.smoothed, smooth(sweep.losses, 0.98))
    assert sweep.stopped_at is None


@pytest.mark.parametrize("extra", [(), (lambda: Dropout(0.3), BatchNormalization)], ids=["dense", "dropout and norm"])
def test_the_model_stays_as_it_was(extra):
    model = made(extra=extra)
    model.fit(X, Y, epochs=2, verbose=0)
    before = everything(model)
    with config.seeded(11):
        sweep_learning_rates(model, X, Y, steps=30, verbose=0)
        next_seed = config.next_seed()
    assert everything(model) == before
    with config.seeded(11):
        assert config.next_seed() == next_seed  # the global generator was not touched
    after = made(extra=extra)
    after.fit(X, Y, epochs=2, verbose=0)
    assert model.fit(X, Y, epochs=1, verbose=0).history == after.fit(X, Y, epochs=1, verbose=0).history


def test_a_model_not_built_stays_unbuilt():
    model = made(input_layer=False)
    first = sweep_learning_rates(model, X, Y, steps=12, verbose=0)
    assert not model.built
    np.testing.assert_array_equal(first.losses, sweep_learning_rates(model, X, Y, steps=12, verbose=0).losses)


def test_the_seed_sets_the_rows_and_weights_and_float64_data_pass():
    model = made()
    first, second = (sweep_learning_rates(model, X, Y, steps=12, seed=seed, verbose=0).losses for seed in (0, 1))
    assert not np.array_equal(first, second)
    wide = sweep_learning_rates(model, X.astype("float64"), Y.astype("float64"), steps=12, verbose=0)
    np.testing.assert_allclose(wide.losses, first, rtol=1e-6)
    heavy = sweep_learning_rates(model, X, Y, steps=1 + 1, sample_weight=np.full(90, 3.0), verbose=0)
    assert heavy.losses[0] == pytest.approx(3 * first[0], rel=1e-5)


def test_it_stops_where_the_loss_blows_up():
    sweep = sweep_learning_rates(made("sgd"), X, Y, 1e-4, 1e3, smoothing=0.5, verbose=0)
    assert sweep.stopped_at == sweep.rates[-1] < 1e3
    assert sweep.smoothed[-1] > 4 * sweep.smoothed[:-1].min()
    assert (sweep.smoothed[1:-1] <= 4 * np.minimum.accumulate(sweep.smoothed)[1:-1]).all()
    assert sweep.rises_from is not None
    assert sweep.rises_from < sweep.stopped_at
    endless = sweep_learning_rates(made("sgd"), X, Y, 1.0, 1e12, stop_at=math.inf, verbose=0)
    assert not math.isfinite(endless.losses[-1])
    assert np.isfinite(endless.losses[:-1]).all()


def test_a_loss_below_zero_does_not_stop_it_at_once():
    model = hw.Sequential([Input((3,)), Dense(2)])
    model.compile(optimizer="sgd", loss="cosine_similarity")
    sweep = sweep_learning_rates(model, X, np.column_stack([Y, X[:, 2]]), 1e-3, 0.1, steps=30, verbose=0)
    assert sweep.losses.min() < 0
    assert len(sweep.rates) == 30


def test_the_record_and_its_picture():
    sweep = sweep_learning_rates(made("sgd"), X, Y, verbose=0)
    assert json.loads(json.dumps(sweep.to_dict()))["suggestions"] == sweep.suggestions
    assert list(sweep.to_frame().columns) == ["rate", "loss", "smoothed"]
    assert "valley" in repr(sweep)
    assert "blown up" in repr(sweep)
    (axes,) = sweep.plot("Title").axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["smoothed"].get_ydata(), sweep.smoothed)
    for name, rate in sweep.suggestions.items():
        assert lines[f"{name}: {rate:.2g}"].get_xdata()[0] == rate
    assert axes.get_xscale() == "log"


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"start": 0.0}, InputError, "above 0"),
        ({"start": 1.0, "end": 0.1}, InputError, "a start below the end"),
        ({"end": math.inf}, InputError, "end=inf"),
        ({"end": "1"}, InputTypeError, "a number"),
        ({"steps": 1}, InputError, "2 or more"),
        ({"steps": 2.5}, InputError, "steps=2.5"),
        ({"batch_size": 0}, InputError, "batch_size=0"),
        ({"smoothing": 1.0}, InputError, "below 1"),
        ({"stop_at": 0.5}, InputError, "1 or more"),
        ({"seed": -1}, InputError, "seed=-1"),
        ({"verbose": 7}, InputError, "verbose=7"),
        ({"sample_weight": [1.0]}, InputError, "sample_weight"),
    ],
    ids=str,
)
def test_bad_input_is_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        sweep_learning_rates(made(), X, Y, **{"verbose": 0, **arguments})


def test_what_is_no_compiled_model_is_refused():
    with pytest.raises(StateError, match="before compile"):
        sweep_learning_rates(hw.Sequential([Input((3,)), Dense(1)]), X, Y)
    with pytest.raises(InputTypeError, match="of str"):
        sweep_learning_rates("model", X, Y)
