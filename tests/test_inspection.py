"""What is inside a training is measured on copies, and read right; the healthy are left alone."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.diagnosis.data_facts import facts
from hillwalker.diagnosis.inside import RULES, SIDE_EFFECTS, look_inside
from hillwalker.diagnosis.inspection import inspect
from hillwalker.diagnosis.reachable import Reachable
from hillwalker.diagnosis.rules import logistic
from hillwalker.diagnosis.symptoms import SYMPTOMS
from hillwalker.errors import InputError, InputTypeError, StateError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(400, 4)).astype(np.float32)
NOISE = RANDOM.normal(size=400)
Y = (X[:, 0] * X[:, 1] + X[:, 2] + 0.3 * NOISE).astype(np.float32)
CLASSES = np.digitize(X[:, 0] + X[:, 1] + 0.2 * NOISE, [-0.7, 0.7]).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] + 0.2 * NOISE > 0).astype(np.float32)


def made(optimizer=None, units=(24,), activation="relu", output=1, last="linear", loss="mse", extra=(), **dense):
    layers = [hw.layers.Dense(count, activation, **dense) for count in units]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hw.Sequential([hw.Input((X.shape[1],)), *layers, hw.layers.Dense(output, last), *extra])
        model.compile(optimizer or hw.optimizers.Adam(0.01), loss)
    return model


def said(model, x=X, y=Y, epochs=30, **told):
    return look_inside(inspect(model, x, y, **{"epochs": epochs, "batch_size": 16} | told))


def asserted(findings):
    return [one.symptom for one in findings if one.asserted]


# Healthy networks are left alone


@pytest.mark.parametrize("rate", [0.005, 0.01])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_healthy_regression_has_no_finding(rate, activation):
    assert asserted(said(made(hw.optimizers.Adam(rate), activation=activation))) == []


def test_healthy_classifiers_have_no_finding():
    several = made(output=3, last="softmax", loss="sparse_categorical_crossentropy")
    assert asserted(said(several, y=CLASSES, epochs=12)) == []
    assert asserted(said(made(last="sigmoid", loss="binary_crossentropy"), y=LABELS, epochs=15)) == []


def test_z_scores_beyond_one_and_a_few_dead_units_are_fine():
    assert asserted(said(made(), x=X * np.array([1.0, 2.0, 0.5, 3.0], np.float32) + 1)) == []


# What is wrong is named first


CASES = {
    "learning-rate-too-low": lambda: said(made(hw.optimizers.Adam(3e-5))),
    "learning-rate-too-high": lambda: said(made(hw.optimizers.Adam(1.0))),
    "missing-nonlinearity": lambda: said(made(activation="linear")),
    "bad-initialization": lambda: said(made(kernel_initializer="zeros")),
    "unscaled-inputs": lambda: said(made(), x=X * np.array([1e4, 1, 1, 1e4], np.float32)),
    "unscaled-targets": lambda: said(made(), y=Y * 1e4 + 1e5),
    "vanishing-gradients": lambda: said(made(units=(16,) * 8, activation="sigmoid")),
    "double-softmax": lambda: said(
        made(output=3, last="softmax", loss="sparse_categorical_crossentropy", extra=[hw.layers.Activation("softmax")]),
        y=CLASSES,
    ),
    "over-regularized": lambda: said(made(kernel_regularizer=hw.regularizers.L2(1.0))),
    "batch-too-large": lambda: said(made(hw.optimizers.Adam(0.003)), batch_size=400),
    "no-signal": lambda: said(made(), y=np.random.default_rng(5).normal(size=400), epochs=15),
    "inputs-ignored": lambda: said(made(), x=0 * X),
    "underfitting": lambda: said(made(units=(1, 1))),
    "overfitting": lambda: said(
        made(units=(128, 128)), x=X[:100], y=Y[:100] + NOISE[:100], epochs=200, validation_rows=range(60, 100)
    ),
    "dead-relu": lambda: said(made(bias_initializer=hw.initializers.Constant(-10.0))),
    "saturated-units": lambda: said(made(activation="tanh", bias_initializer=hw.initializers.Constant(10.0))),
    "class-imbalance": lambda: said(
        made(last="sigmoid", loss="binary_crossentropy"), y=(X[:, 0] + NOISE > 2.7).astype(np.float32), epochs=10
    ),
}


@pytest.mark.parametrize("cause", CASES)
def test_a_cause_is_named_first(cause):
    findings = CASES[cause]()
    assert findings[0].symptom == cause, [(one.symptom, one.confidence) for one in findings]
    assert findings[0].asserted
    assert any(letter.isdigit() for letter in findings[0].evidence) or cause in ("double-softmax", "bad-initialization")


def test_a_training_that_fails_has_a_rate_too_high_and_has_diverged():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is said but by findings
        findings = said(made(hw.optimizers.SGD(30.0)))
    assert findings[0].symptom in ("learning-rate-too-high", "diverged")
    assert findings[0].remedy.endswith("learning_rate = 3")


def test_a_loss_that_does_not_go_with_the_output():
    one_hot = np.eye(3, dtype=np.float32)[CLASSES.astype(int)]
    assert said(made(output=3, last="softmax"), y=one_hot)[0].symptom == "loss-activation-mismatch"
    assert said(made(last="relu"))[0].symptom == "loss-activation-mismatch"
    assert asserted(said(made(last="relu"), y=Y - Y.min())) == []


def test_rows_in_both_parts_and_a_column_that_is_the_target_leak():
    x, y = np.concatenate([X[:300], X[350:]]), np.concatenate([Y[:300], Y[350:]])
    assert said(made(), x=x, y=y, validation_data=(X[300:], Y[300:]))[0].symptom == "leakage"
    copied = X.copy()
    copied[:, 2] = 3 * Y
    finding = said(made(), x=copied)[0]
    assert finding.symptom == "leakage"
    assert "np.delete(X, 2, axis=1)" in finding.remedy


def test_columns_of_few_values_agree_by_chance():
    x = (X > 0).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 1).astype(np.float32)
    assert "leakage" not in asserted(said(made(last="sigmoid", loss="binary_crossentropy"), x=x, y=y, epochs=10))


def test_class_weights_answer_an_imbalance():
    y = (X[:, 0] + NOISE > 2.7).astype(np.float32)
    model = made(last="sigmoid", loss="binary_crossentropy")
    told = said(model, y=y, epochs=10, class_weight={0: 0.5, 1: 15.0})
    assert "class-imbalance" not in [one.symptom for one in told]


def test_remedies_hold_the_users_numbers():
    high = said(made(hw.optimizers.Adam(1.0)))[0]
    assert "model.optimizer.learning_rate = 0.01" in high.remedy
    assert "batch_size=32" in said(made(hw.optimizers.Adam(0.003)), batch_size=400)[0].remedy


# The record


def test_the_users_model_stays_as_it_is_to_the_bit():
    model = made(hw.optimizers.SGD(0.05, momentum=0.9))
    model.fit(X, Y, epochs=2, verbose=0)
    weights, slots = model.state.parameters.copy(), {name: slot.copy() for name, slot in model.state.slots.items()}
    kept = model.optimizer.iterations, model.optimizer.learning_rate, model.state.seed, model.history
    numpys = np.random.get_state()[1].copy()
    told = inspect(model, X, Y, epochs=5)
    assert told.now is not None
    assert (model.state.parameters == weights).all()
    assert all((model.state.slots[name] == value).all() for name, value in slots.items())
    assert (model.optimizer.iterations, model.optimizer.learning_rate, model.state.seed, model.history) == kept
    assert (np.random.get_state()[1] == numpys).all()
    assert inspect(made(), X, Y, epochs=2).now is None


def test_the_next_model_starts_as_it_would_have_without():
    hw.utils.set_random_seed(1)
    model = made()
    first = made().get_weights()[0]
    hw.utils.set_random_seed(1)
    model = made()
    inspect(model, X, Y, epochs=2)
    assert (made().get_weights()[0] == first).all()


def test_the_same_seed_gives_the_same_record_as_plain_json():
    one, two = (inspect(made(), X, Y, epochs=6, seed=4).to_dict() for _ in range(2))
    for told in (one, two):
        told["configuration"].pop("layers")  # named by number
    assert json.dumps(one) == json.dumps(two)
    assert len(one["curve"]) == 6
    assert one["data"]["rows"] == 300


def test_units_of_the_users_own_weights_are_looked_at():
    model = made()
    model.fit(X, Y, epochs=1, verbose=0)
    weights = model.get_weights()
    weights[1][:] = -100
    model.set_weights(weights)
    told = inspect(model, X, Y, epochs=2)
    assert told.now is not None
    assert told.now.dead[0] == 1.0


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_layers_of_all_kinds_and_losses_of_ones_own(engine, monkeypatch):
    monkeypatch.setenv("HILLWALKER_ENGINE", engine)
    layers = [hw.layers.Dense(8), hw.layers.BatchNormalization(), hw.layers.LeakyReLU(), hw.layers.Dropout(0.2)]
    model = hw.Sequential([hw.Input((4,)), *layers, hw.layers.GaussianNoise(0.1), hw.layers.Dense(1)])
    model.compile("rmsprop", lambda y, p: np.abs(y - p))
    told = inspect(model, X, Y, np.ones(400), epochs=4)
    assert np.isnan(told.reachable)
    assert look_inside(told) is not None


def test_a_schedule_and_a_model_that_is_not_built():
    model = hw.Sequential([hw.layers.Dense(8, "relu"), hw.layers.Dense(1)])
    model.compile(hw.optimizers.SGD(hw.optimizers.schedules.CosineDecay(0.1, 100)), "mse")
    told = inspect(model, X, Y, epochs=4)
    assert "lower rate" not in told.trials
    assert not model.built


def test_what_cannot_be_inspected_is_refused():
    with pytest.raises(InputTypeError, match="a model"):
        inspect("model", X, Y)
    with pytest.raises(StateError, match="compile"):
        inspect(hw.Sequential([hw.Input((4,)), hw.layers.Dense(1)]), X, Y)
    with pytest.raises(InputError, match="epochs"):
        inspect(made(), X, Y, epochs=0)
    with pytest.raises(InputError, match="validation_rows"):
        inspect(made(), X, Y, validation_rows=[900])
    with pytest.raises(InputError, match="2 rows or more"):
        inspect(made(), X, Y, validation_rows=range(399))


# The parts


def test_random_features_explain_what_there_is_and_no_noise():
    reference = Reachable(X[:300])
    assert reference.explained(Y[:300, None], X[300:], Y[300:, None]) > 0.6
    assert reference.explained(NOISE[:300, None], X[300:], NOISE[300:, None]) < 0.05


def test_facts_count_what_repeats_and_contradicts():
    x = np.concatenate([X[:50], X[:10]])
    y = np.concatenate([CLASSES[:50], 2 - CLASSES[:10]])[:, None]
    told = facts(x, y, X[:4], CLASSES[:4, None], 3)
    changed = int((CLASSES[:10] != 1).sum())
    assert told.contradicted == pytest.approx(2 * changed / 60)
    assert told.repeated == pytest.approx((10 - changed) / 60)
    assert told.copied == 1.0
    assert told.class_shares.sum() == pytest.approx(1)


def test_the_table_names_symptoms_of_the_catalogue():
    effects = {name for names in SIDE_EFFECTS.values() for name in names}
    assert {*SIDE_EFFECTS, *effects} <= set(SYMPTOMS)
    assert len({rule.__name__ for rule in RULES}) == len(RULES)
    assert logistic(float("nan"), 0, 1) == 0
