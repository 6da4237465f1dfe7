"""Likely mistakes warn before training, by a name that silences them; what is healthy beside them does not."""

from __future__ import annotations

import pickle
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import config, mistakes
from hillwalker.errors import InputError, MistakeWarning
from hillwalker.labels import labels
from hillwalker.layers import (
    ELU,
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Input,
    LeakyReLU,
    ReLU,
    Softmax,
)

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4))
Y = X[:, 0] + 0.1 * RANDOM.normal(size=300)
YES = (Y > 0).astype(float)
CLASSES = RANDOM.integers(0, 3, size=300)
ONE_HOT = np.eye(3)[CLASSES]
PIXELS = RANDOM.integers(0, 256, size=(300, 16)).astype(float)

OF_LABELS = {
    "loss-activation-mismatch": (np.eye(2), "categorical_crossentropy", 2, "sigmoid", False),
    "double-softmax": (np.eye(2), "categorical_crossentropy", 2, "softmax", True),
    "label-sums": (np.array([[1.0, 1.0]]), "categorical_crossentropy", 2, "softmax", False),
    "division-by-zero": (np.array([[0.0]]), "mean_absolute_percentage_error", 1, "linear", False),
    "cosine-of-one-output": (np.array([[1.0]]), "cosine_similarity", 1, "linear", False),
}


@pytest.fixture(autouse=True)
def _nothing_silenced(monkeypatch):
    monkeypatch.setattr(config, "_silenced", ())


def with_column(scale, shift=0.0):
    """Inputs whose last column has this deviation and mean."""
    return np.column_stack([X[:, :3], scale * X[:, 3] + shift])


def hidden(*stack, units=1, activation=None):
    """A network with a hidden layer of ReLU, and these layers below it."""
    return [*stack, Dense(8, activation="relu"), Dense(units, activation=activation)]


def told_of(stack, loss, x=X, y=Y, optimizer="adam"):
    """The names of the mistakes that compile and fit warn of, in order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = hw.Sequential(stack)
        model.compile(optimizer, loss)
        model.fit(x, y, epochs=1, verbose=0)
    found = [warning for warning in caught if issubclass(warning.category, MistakeWarning)]
    assert all(warning.filename == __file__ for warning in found), "the warning points at the user's line"
    return [warning.message.name for warning in found]


# One table: what trips, and its healthy neighbours

MISTAKES = {
    "missing-nonlinearity": [
        ([Dense(8), Dense(1)], "mse", X, Y),
        ([Dense(8), Dropout(0.1), BatchNormalization(), Dense(8, activation="relu"), Dense(1)], "mse", X, Y),
        ([Dense(8, activation="relu"), Dense(8), Activation("linear"), GaussianNoise(0.1), Dense(1)], "mse", X, Y),
        ([Dense(4), Dense(3, activation="softmax")], "sparse_categorical_crossentropy", X, CLASSES),
    ],
    "double-softmax": [
        ([*hidden(units=3, activation="softmax"), Softmax()], "sparse_categorical_crossentropy", X, CLASSES),
        (
            [*hidden(units=3, activation="softmax"), Dropout(0.1), Activation("softmax")],
            "categorical_crossentropy",
            X,
            ONE_HOT,
        ),
        ([*hidden(activation="sigmoid"), Activation("sigmoid")], "binary_crossentropy", X, YES),
    ],
    "loss-activation-mismatch": [
        (hidden(activation="sigmoid"), "mse", X, YES),
        (hidden(units=3, activation="softmax"), "mae", X, ONE_HOT),
        (hidden(activation="sigmoid"), "mse", X, Y),
        (hidden(activation="tanh"), "huber", X, 3 * Y),
        (hidden(activation="relu"), "mse", X, Y),
        ([*hidden(), ReLU(max_value=1.0)], "mse", X, Y**2),
        (hidden(activation="softplus"), "pinball", X, Y),
        (hidden(activation="exponential"), "mae", X, Y),
    ],
    "unscaled-inputs": [
        (hidden(), "mse", with_column(300), Y),
        (hidden(), "mse", with_column(1, 2000), Y),
        (hidden(), "mse", with_column(2e-4), Y),
        (hidden(), "mse", X / 1e5, Y),
        (hidden(), "mse", PIXELS, Y),
        (hidden(Flatten(input_shape=(4, 4))), "mse", PIXELS.reshape(-1, 4, 4), Y),
        (hidden(Dense(8, activation="relu"), BatchNormalization()), "mse", with_column(300), Y),
    ],
    "unscaled-targets": [
        (hidden(), "mse", X, 300 * Y),
        (hidden(), "mae", X, Y + 150),
        (hidden(), "huber", X, Y / 1e4),
        (hidden(units=2), "mse", X, np.column_stack([Y, 1000 * Y])),
    ],
}

HEALTHY = [
    # missing-nonlinearity: an activation, a bottleneck, a projection that is kept, one layer
    ([Dense(8), LeakyReLU(), Dense(1)], "mse", X, Y),
    ([Dense(8), ELU(), BatchNormalization(), Dense(1)], "mse", X, Y),
    ([Dense(2), Dense(4)], "mse", X, X),
    ([Dense(8, trainable=False), Dense(1)], "mse", X, Y),
    ([Dense(8, activation=lambda z: z**2), Dense(1)], "mse", X, Y),
    ([Dense(1)], "mse", X, Y),
    # double-softmax: softmax within the network, from_logits on a linear output
    ([Dense(4, activation="softmax"), Dense(3, activation="softmax")], "sparse_categorical_crossentropy", X, CLASSES),
    (hidden(units=3), hw.losses.SparseCategoricalCrossentropy(from_logits=True), X, CLASSES),
    # loss-activation-mismatch: the table's own pairs, targets within reach, what only slows down
    (hidden(activation="sigmoid"), "binary_crossentropy", X, YES),
    (hidden(units=3, activation="sigmoid"), "binary_crossentropy", X, ONE_HOT),
    (hidden(units=3, activation="softmax"), "binary_crossentropy", X, ONE_HOT),
    (hidden(units=3, activation="softmax"), "categorical_crossentropy", X, ONE_HOT),
    (hidden(), "mse", X, YES),
    (hidden(activation="sigmoid"), "mse", X, (Y - Y.min()) / np.ptp(Y)),
    (hidden(activation="tanh"), "mse", X, np.sign(Y)),
    (hidden(activation="relu"), "mse", X, np.maximum(Y, 0)),
    ([*hidden(), LeakyReLU()], "mse", X, Y),
    (hidden(activation="tanh"), "hinge", X, np.sign(Y)),
    # unscaled-inputs: a factor of ten, constants, rare yes and no, pixels of which most are 0, normalised inside
    (hidden(), "mse", with_column(10, 50), Y),
    (hidden(), "mse", with_column(0, 5000), Y),
    (hidden(), "mse", np.column_stack([20 * X, np.arange(300) == 7]), Y),
    (hidden(), "mse", np.column_stack([X, np.where(np.arange(300) < 5, np.arange(300) / 1e4, 0)]), Y),
    (hidden(BatchNormalization()), "mse", with_column(300), Y),
    (hidden(Flatten(), BatchNormalization()), "mse", PIXELS, Y),
    # unscaled-targets: z-scores and the like, counts under their own loss, a start that is right, constants
    (hidden(), "mse", X, 20 * Y + 50),
    (hidden(), "mse", X, 0.01 * Y),
    (hidden(), "mse", X, np.full(300, 0.7)),
    (hidden(activation="exponential"), "poisson", X, np.round(np.exp(Y + 6))),
    ([Dense(1, bias_initializer=hw.initializers.Constant(150))], "mse", X, Y + 150),
]


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, cases in MISTAKES.items() for n in range(len(cases))])
def test_a_mistake_is_told_by_its_name_once_and_silenced_by_it(name, number):
    stack, loss, x, y = MISTAKES[name][number]
    assert told_of(fresh(stack), loss, x, y) == [name]
    config.silence(name)
    assert told_of(fresh(stack), loss, x, y) == []


@pytest.mark.parametrize("number", range(len(HEALTHY)))
def test_its_healthy_neighbour_is_not(number):
    stack, loss, x, y = HEALTHY[number]
    assert told_of(stack, loss, x, y) == []


def fresh(stack):
    """New layers like these, for a layer belongs to one model."""
    return [hw.layers.deserialize(hw.layers.serialize(layer)) for layer in stack]


def test_every_name_has_a_case_and_a_line_in_the_document():
    assert sorted({*MISTAKES, *OF_LABELS}) == sorted(config.MISTAKES)
    names = {name for name, _ in mistakes.OF_STACK + mistakes.OF_DATA}
    assert names == set(MISTAKES)
    document = (Path(__file__).parents[1] / "docs" / "mistakes.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)`", document, re.MULTILINE)) == sorted(config.MISTAKES)


# What the messages say


@pytest.mark.parametrize(
    ("stack", "loss", "x", "y", "said"),
    [
        (hidden(), "mse", with_column(300), Y, "column 3 has mean"),
        (hidden(), "mse", PIXELS, Y, "Try: X = X / 255"),
        (hidden(), "mse", 300 * np.column_stack([X, np.ones(300)]), Y, "np.maximum(X_train.std"),
        (hidden(), "mse", with_column(2e-4), Y, "column 3 by 0.0002"),
        (hidden(units=2), "mse", X, np.column_stack([Y, 1000 * Y]), "y whose column 1 is of mean"),
        (hidden(activation="sigmoid"), "mse", X, YES, 'Try: loss="binary_crossentropy"'),
        (hidden(activation="relu"), "mse", X, Y, "out of reach of 'relu', which is 0 or more"),
    ],
)
def test_what_is_said(stack, loss, x, y, said):
    model = hw.Sequential(fresh(stack))
    model.compile("adam", loss)
    with pytest.warns(MistakeWarning, match=re.escape(said)):
        model.fit(x, y, verbose=0)


@pytest.mark.parametrize("name", OF_LABELS)
def test_the_warnings_about_labels_have_names_too(name):
    told = set()
    with pytest.warns(MistakeWarning) as caught:
        labels(*OF_LABELS[name], told)
    assert [warning.message.name for warning in caught] == [name]
    assert str(caught[0].message).endswith(f'Silence it: hw.config.silence("{name}")')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels(*OF_LABELS[name], told)
        config.silence(name)
        labels(*OF_LABELS[name])


# Once a model


def both(**compiled):
    """A model with a mistake that compile sees; fit sees more."""
    model = hw.Sequential([Input((4,)), Dense(8), Dense(1)])
    with pytest.warns(MistakeWarning) as caught:
        model.compile("adam", "mse", **compiled)
    assert [warning.message.name for warning in caught] == ["missing-nonlinearity"]
    return model


def test_a_model_is_told_once_whatever_is_called_again():
    model = both()
    model.compile("adam", "mse")
    with pytest.warns(MistakeWarning) as caught:
        model.fit(with_column(300), 300 * Y, epochs=1, verbose=0, seeds=2)
    assert [warning.message.name for warning in caught] == ["unscaled-inputs", "unscaled-targets"]
    model.fit(with_column(300), 300 * Y, epochs=1, verbose=0)
    model.compile("adam", "mse")
    model.fit(with_column(300), 300 * Y, epochs=1, verbose=0)


def test_labels_are_told_of_once_too():
    model = hw.Sequential(hidden(units=3, activation="sigmoid"))
    model.compile("adam", "categorical_crossentropy")
    with pytest.warns(MistakeWarning, match="do not sum to 1"):
        model.fit(X, ONE_HOT, verbose=0)
    model.fit(X, ONE_HOT, verbose=0)
    model.evaluate(X, ONE_HOT, verbose=0)


def test_a_warning_that_is_an_error_comes_again_and_leaves_the_model_as_it_was():
    model = hw.Sequential(hidden())
    model.compile("adam", "mse")
    for _ in range(2):
        with pytest.raises(MistakeWarning, match="unscaled-targets"):
            model.fit(X, 300 * Y, verbose=0)
        assert not model.built
    with pytest.raises(MistakeWarning, match="unscaled-targets"):
        hw.fit_many([model], X, 300 * Y, verbose=0)
    assert not model.built
    model.fit(X, Y, verbose=0)


def test_many_models_are_told_once():
    models = [*hw.copies(both(), 3), *(hw.Sequential(hidden()) for _ in range(2))]
    for model in models[3:]:
        model.compile("adam", "mae")
    with pytest.warns(MistakeWarning) as caught:
        hw.fit_many(models, with_column(300), 300 * Y, verbose=0, validation_split=0.2)
    assert [warning.message.name for warning in caught] == ["unscaled-inputs", "unscaled-targets"]
    assert {warning.filename for warning in caught} == {__file__}


def test_comparisons_and_the_race_tell_once():
    with pytest.warns(MistakeWarning) as caught:
        hw.compare(
            both(), X, 300 * Y, vary={"learning_rate": [1e-6, 1e-7], "units": [4, 8]}, seeds=2, epochs=1, verbose=0
        )
    assert [warning.message.name for warning in caught] == ["unscaled-targets"]
    with pytest.warns(MistakeWarning) as caught:
        hw.find_learning_rate(both(), X, 300 * Y, rates=[1e-6, 1e-5, 1e-4], epochs=1, verbose=0)
    assert [warning.message.name for warning in caught] == ["unscaled-targets"]


@pytest.mark.filterwarnings("error")
def test_whoever_loads_or_trains_on_is_not_told(tmp_path):
    config.silence("missing-nonlinearity", "unscaled-targets")
    model = hw.Sequential([Input((4,)), Dense(8), Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.safetensors")
    config._silenced = ()
    loaded = hw.models.load_model(tmp_path / "model.safetensors")
    loaded.fit(X, 300 * Y, verbose=0)
    model.train_on_batch(X, 300 * Y)


# Silence


def test_an_unknown_name_is_told_the_nearest_and_silences_nothing():
    with pytest.raises(InputError, match="double-softmax"):
        config.silence("label-sums", "double-sofmax")
    assert config.silence() == ()


def test_the_standard_filter_and_pickle_work():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=MistakeWarning)
        labels(*OF_LABELS["double-softmax"])
    copy = pickle.loads(pickle.dumps(MistakeWarning("told", "label-sums")))
    assert (copy.name, str(copy)) == ("label-sums", str(MistakeWarning("told", "label-sums")))


# Data of other people, as they come


@pytest.mark.parametrize(
    ("source", "raw"),
    [("iris", []), ("digits", []), ("wine", ["unscaled-inputs"]), ("breast_cancer", ["unscaled-inputs"])],
)
def test_known_tables(source, raw):
    data = pytest.importorskip("sklearn.datasets")
    x, y = getattr(data, f"load_{source}")(return_X_y=True)
    stack = hidden(units=int(y.max()) + 1, activation="softmax")
    loss = "sparse_categorical_crossentropy"
    assert told_of(fresh(stack), loss, x, y) == raw
    assert told_of(fresh(stack), loss, (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6), y) == []


def test_known_regression():
    data = pytest.importorskip("sklearn.datasets")
    x, y = data.load_diabetes(return_X_y=True)
    assert told_of(hidden(), "mse", x, y) == ["unscaled-targets"]
    assert told_of(hidden(), "mse", x, (y - y.mean()) / y.std()) == []


# Costs and odd data


def test_large_data_are_sampled():
    x, y = np.ones((2_000_000, 4), np.float32), np.zeros((2_000_000, 1), np.float32)
    x[:, 2] = np.linspace(0, 1e4, len(x))
    began = time.perf_counter()
    found = [name for name, _ in mistakes.found(hidden(), "mean_squared_error", 4, x, y)]
    assert time.perf_counter() - began < 0.5, "a hundredth of this on an idle machine"
    assert found == ["unscaled-inputs"]


def test_numbers_near_the_largest_and_single_rows_do_no_harm():
    x = np.array([[1e300, -1e300, 1.0], [-1e300, 1e300, 1.0]])
    found = [name for name, _ in mistakes.found(hidden(), "mean_squared_error", 3, x, np.array([[1.0], [2.0]]))]
    assert found == ["unscaled-inputs"]
    assert list(mistakes.found(hidden(), "mean_squared_error", 3, np.ones((1, 3)), np.ones((1, 1)))) == []
    assert list(mistakes.found([], "", None)) == []
    assert list(mistakes.found([Activation("linear")], "mean_squared_error", 1, np.ones((2, 1)), np.ones((2, 1)))) == []
