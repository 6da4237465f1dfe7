"""`hw.diagnose`: read from curves, from inside, verified by experiment, mended."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.choosing import experiment
from hillwalker.diagnosis import diagnosing, match_learning_rates, read_curves, reader, trying
from hillwalker.diagnosis.curve_features import features
from hillwalker.diagnosis.symptoms import SYMPTOMS
from hillwalker.errors import InputError, InputTypeError, StateError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(240, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + 0.3 * RANDOM.normal(size=240)).astype(np.float32)
T = np.arange(60)
FALLING = 0.05 + np.exp(-T / 10)
OVERFIT = 0.3 + 0.7 * np.exp(-T / 4) + 0.01 * np.maximum(T - 12, 0)


def made(rate=0.01, units=(16,), activation="tanh", **dense):
    layers = [hw.layers.Dense(count, activation=activation, **dense) for count in units]
    model = hw.Sequential([hw.Input((3,)), *layers, hw.layers.Dense(1)])
    model.compile(hw.optimizers.Adam(rate), "mse")
    return model


# Curves alone


def test_curves_of_known_shapes():
    told = hw.diagnose({"loss": FALLING * 0.5, "val_loss": OVERFIT}, learning_rate=0.01)
    assert told.verdict == "overfitting"
    first = told.findings[0]
    assert first.epoch is not None
    assert abs(first.epoch - 13) <= 3
    assert "EarlyStopping" in first.remedy
    assert first.verified is None

    low = hw.diagnose({"loss": 1 - T / 300, "val_loss": 1.01 - T / 300}, learning_rate=0.01)
    assert low.verdict == "learning-rate-too-low"
    assert "0.03" in low.findings[0].remedy

    noise = np.random.default_rng(0).normal(size=(2, 60))
    high = hw.diagnose({"loss": 0.6 + 0.2 * np.abs(noise[0]), "val_loss": 0.7 + 0.3 * np.abs(noise[1])})
    assert high.verdict in ("learning-rate-too-high", "no-signal", "oscillating")
    assert next(one for one in high.findings if one.symptom == "learning-rate-too-high").confidence > 0.3

    settled = 0.2 + np.exp(-T / 5) + 0.002 * np.random.default_rng(1).normal(size=60)
    assert hw.diagnose({"loss": settled, "val_loss": settled + 0.02}).verdict == "healthy"


@pytest.mark.parametrize("loss", [[1.0, 2.0, np.inf], [1.0, np.inf, np.inf, np.inf], [1.0, 50.0, 9e4, 3e8, 1e12]])
def test_what_grows_without_end_has_diverged(loss):
    told = hw.diagnose({"loss": loss, "val_loss": loss})
    assert told.verdict == "diverged"
    assert told.findings[0].confidence > 0.9


def test_scale_and_length_of_a_curve_do_not_matter():
    one = reader.read(FALLING, OVERFIT)
    other = reader.read(1000 * FALLING, 1000 * OVERFIT)
    assert one == pytest.approx(other, abs=1e-6)
    assert np.isfinite(list(features(np.zeros(5), np.zeros(5)).values())).all()
    assert np.isfinite(list(features(np.full(3, np.inf), None).values())).all()
    assert features(FALLING, OVERFIT).keys() == features(None, OVERFIT, (1.0, 1.0)).keys()


def test_a_known_constant_tells_no_signal():
    flat = 0.69 + 0.01 * np.exp(-T / 5) + 0.003 * np.random.default_rng(0).normal(size=60)
    without, known = (
        hw.diagnose({"loss": flat - 0.01, "val_loss": flat}, constant_loss=c) for c in (None, (0.69, 0.69))
    )
    chance = [next(one.confidence for one in told.findings if one.symptom == "no-signal") for told in (without, known)]
    assert chance[1] > 0.5
    assert known.constant_loss == (0.69, 0.69)


def test_without_validation_nothing_is_said_of_overfitting():
    told = hw.diagnose(list(FALLING))
    assert all(one.symptom != "overfitting" for one in told.findings)
    assert any("overfitting" in note for note in told.notes)


def test_findings_are_sorted_named_and_plain():
    told = hw.diagnose({"loss": FALLING, "val_loss": OVERFIT})
    confidences = [one.confidence for one in told.findings]
    assert confidences == sorted(confidences, reverse=True)
    assert all(one.symptom in SYMPTOMS and 0 <= one.confidence <= 1 and one.evidence for one in told.findings)
    assert len({one.symptom for one in told.findings}) == len(told.findings)
    assert json.loads(json.dumps(told.to_dict()))["verdict"] == told.verdict
    assert told.verdict in str(told)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"learning_rate": -1}, InputError),
        ({"learning_rate": "fast"}, InputError),
        ({"constant_loss": 0.5}, InputTypeError),
        ({"constant_loss": (0.5, np.nan)}, InputError),
        ({"batch_size": 0}, InputError),
        ({"verify": True}, InputError),
    ],
)
def test_what_cannot_be(told, error):
    with pytest.raises(error):
        hw.diagnose({"loss": FALLING}, **told)


def test_models_that_cannot_be_diagnosed():
    with pytest.raises(StateError):
        hw.diagnose(hw.Sequential([hw.Input((3,)), hw.layers.Dense(1)]), X, Y)
    with pytest.raises(InputError, match="without X and y"):
        hw.diagnose(made())
    with pytest.raises(InputError, match="which has it"):
        hw.diagnose(made(), X, Y, learning_rate=0.1)
    with pytest.raises(InputError):
        hw.diagnose(made(), X[:4], Y[:4])
    with pytest.raises(InputError, match="budget"):
        hw.diagnose(made(), X, Y, verify=True, budget=0, verbose=0)


# With a model and data


def test_a_model_is_read_and_left_as_it_was():
    model = made(1e-5)
    model.fit(X, Y, epochs=20, batch_size=16, validation_split=0.2, verbose=0)
    before, history = [weights.copy() for weights in model.get_weights()], model.history
    told = hw.diagnose(model, X, Y, verbose=0)
    assert told.verdict == "learning-rate-too-low"
    assert told.curves.source == "the model's last training"
    assert len(told.curves) == 20
    assert told.inspection is not None
    assert told.experiment is None
    assert told.constant_loss[1] == pytest.approx(float(np.var(Y)), rel=0.3)
    assert model.history is history
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert hw.diagnose(model).verdict == hw.diagnose(history).verdict
    with pytest.raises(StateError, match="verify=True"):
        told.apply()


def test_seeds_of_reading_and_verifying_are_never_shared(monkeypatch):
    seen: dict[str, list[int]] = {"read": [], "verify": []}

    def listening(part):
        def compare(*arguments, **told):
            seen[part].extend(arguments[4])
            return experiment.compare(*arguments, **told)

        return compare

    monkeypatch.setattr(diagnosing, "compare", listening("read"))
    monkeypatch.setattr(trying, "compare", listening("verify"))
    for seed in (0, 1, 7):
        hw.diagnose(made(), X, Y, epochs=2, verify=True, seeds=2, folds=3, seed=seed, verbose=0)
    assert len(set(seen["read"])) == 9
    assert len(set(seen["verify"])) >= 6
    assert not set(seen["read"]) & set(seen["verify"])


def test_a_rate_too_high_is_confirmed_and_mended():
    told = hw.diagnose(made(1.0), X, Y, epochs=25, batch_size=16, verify=True, seeds=2, verbose=0)
    assert told.verdict == "learning-rate-too-high"
    first = told.findings[0]
    assert first.verified is True
    assert first.gain[1] > 0
    assert "model.optimizer.learning_rate = " in first.remedy
    assert told.experiment.claims["learning-rate-too-high"] is True
    mended = told.apply(verbose=0)
    assert mended.optimizer.learning_rate < 1.0
    assert len(mended.history.epoch) == 25
    worse = made(1.0)
    worse.fit(X, Y, epochs=25, batch_size=16, verbose=0)
    assert mended.history.history["loss"][-1] < worse.history.history["loss"][-1]


def test_confirmed_overfitting_is_met_with_weapons_and_fewer_rows():
    model, seeds = made(0.01, (128, 64), "relu"), {"seeds": 2, "folds": 3}
    told = hw.diagnose(model, X[:60], Y[:60], epochs=150, batch_size=16, verify=True, verbose=0, **seeds)
    overfitting = next(one for one in told.findings if one.symptom == "overfitting")
    assert overfitting.verified is True
    assert told.weapons is not None
    assert told.weapons.claims["overfitting"] is True
    assert told.weapons.verdict == "overfitting"
    assert "Against overfitting:" in str(told)
    assert "Against overfitting" in told.to_html()
    tried = [one.change for one in told.weapons.gains]
    assert any("dropout" in change for change in tried)
    assert any("l2" in change for change in tried)
    assert any("units" in change for change in tried)
    assert told.rows.rows.tolist() == sorted(told.rows.rows.tolist())
    assert overfitting.gain[0] >= max(one.at_end[0] for one in told.weapons.gains) - 0.2
    assert len(told.apply(verbose=0).history.epoch) <= 450
    assert "weapons" in told.to_dict()


def test_a_healthy_training_is_called_healthy_and_noise_no_signal():
    linear = (X[:, 0] - X[:, 2] + 0.2 * RANDOM.normal(size=240)).astype(np.float32)
    told = hw.diagnose(made(0.01, (16,)), X, linear, epochs=60, batch_size=16, verify=True, seeds=2, verbose=0)
    assert told.verdict == "healthy"
    with pytest.raises(StateError, match="no remedy"):
        told.apply()
    noise = np.random.default_rng(3).normal(size=240).astype(np.float32)
    told = hw.diagnose(made(), X, noise, epochs=20, verify=True, seeds=2, verbose=0)
    assert told.verdict == "no-signal"
    assert told.findings[0].verified is True
    assert all(not one.asserted or one.symptom == "no-signal" or one.verified is None for one in told.findings)


def test_an_inner_fault_is_tried_with_its_own_remedy():
    model = made(0.01, (16,), "relu", bias_initializer=hw.initializers.Constant(-10.0))
    told = hw.diagnose(model, X, Y, epochs=25, batch_size=16, verify=True, seeds=2, folds=3, verbose=0)
    dead = next(one for one in told.findings if one.symptom == "dead-relu")
    assert dead.confidence > 0.5
    assert any(one.kind == "dead-relu" for one in told.experiment.gains)


def test_cost_is_announced_and_a_budget_kept(capsys):
    told = hw.diagnose(made(), X, Y, epochs=5, verify=True, seeds=4, folds=3, verbose=2)
    assert "Verifying:" in capsys.readouterr().out
    assert told.experiment.parts == 12
    told = hw.diagnose(made(), X, Y, epochs=5, verify=True, seeds=4, folds=3, budget=1e-6, verbose=0)
    assert capsys.readouterr().out == ""
    assert told.experiment.parts == 3
    assert any("budget" in note for note in told.notes)


def test_interrupted_it_keeps_what_is_done(monkeypatch):
    done = experiment.in_portions

    def stopped(task, runs, threads, show):
        for number, found in enumerate(done(task, runs, threads, show)):
            if number == 70 and len(task.variants) > 1:  # five folds of eleven variants, and some of the next seed's
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(experiment, "in_portions", stopped)
    told = hw.diagnose(made(1.0), X, Y, epochs=5, verify=True, seeds=3, verbose=0)
    assert told.experiment.comparison.interrupted
    assert 5 <= told.experiment.parts < 15
    assert any("interrupted" in note for note in told.notes)
    assert told.verdict == "learning-rate-too-high"


def test_interrupted_before_a_part_is_done_everything_stays_open(monkeypatch):
    done = experiment.in_portions

    def stopped(task, runs, threads, show):
        for number, found in enumerate(done(task, runs, threads, show)):
            if number == 4 and len(task.variants) > 1:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(experiment, "in_portions", stopped)
    told = hw.diagnose(made(1.0), X, Y, epochs=5, verify=True, seeds=3, verbose=0)
    assert told.experiment is None
    assert all(one.verified is None for one in told.findings)
    assert "interrupted" in str(told)
    assert json.loads(json.dumps(told.to_dict()))


def test_rows_in_time_and_validation_data():
    told = hw.diagnose(made(1e-5), X, Y, epochs=10, verify=True, seeds=2, time_ordered=True, verbose=0)
    assert told.experiment.parts == 5
    assert told.verdict == "learning-rate-too-low"
    data = {"validation_data": (X[180:], Y[180:]), "seeds": 3}
    apart = hw.diagnose(made(1e-5), X[:180], Y[:180], epochs=10, verify=True, verbose=0, **data)
    assert apart.experiment.parts == 3
    with pytest.raises(InputError, match="3 or more"):
        hw.diagnose(made(), X[:180], Y[:180], verify=True, verbose=0, **(data | {"seeds": 2}))
    assert apart.verdict == "learning-rate-too-low"


# Three curves of one task


def test_three_trainings_are_matched_with_their_rates():
    histories = {}
    for answer, rate in {"low": 1e-4, "right": 0.01, "high": 3.0}.items():
        histories[answer] = made(rate).fit(X, Y, epochs=30, batch_size=16, verbose=0)
    for order in (("low", "right", "high"), ("high", "low", "right")):
        assert match_learning_rates([histories[name] for name in order]) == list(order)
    with pytest.raises(InputError):
        match_learning_rates([FALLING])
    assert read_curves(histories["low"]).loss is not None


def test_evidence_says_only_what_the_curves_show():
    from hillwalker.diagnosis.curve_rules import Known, findings_of

    read = dict.fromkeys(
        ("learning-rate-too-high", "learning-rate-too-low", "overfitting", "underfitting", "no-signal"), 0.5
    )

    def said(values):
        curves = hw.diagnosis.Curves(np.arange(len(values)), np.array(values), None)
        return {one.symptom: one.evidence for one in findings_of(curves, read, Known())}

    falling, rising = said(np.linspace(2.0, 1.0, 20)), said([*np.linspace(2.0, 1.0, 15), *np.linspace(1.0, 1.5, 15)])
    assert "is still coming down" in falling["learning-rate-too-low"]
    assert "ends 0 % of its whole fall above its least" in falling["learning-rate-too-high"]
    assert "rose in 0 %" not in falling["learning-rate-too-high"]
    assert "coming down" not in rising["learning-rate-too-low"]
    assert "down no further in its last" in rising["learning-rate-too-low"]
    assert "rose in 100 % of the last" in rising["learning-rate-too-high"]
