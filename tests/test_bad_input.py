"""DESIGN.md's table of bad input, row by row, through the public functions and on both engines.

Each refusal must teach (what was passed, what was expected, and where there is one, the corrected line), and must leave
everything as it was: weights, optimizer, history, files. Silent mistakes of other libraries are named after the thread.
"""

from __future__ import annotations

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import saving
from hillwalker.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    ModelCheckpoint,
)
from hillwalker.errors import (
    FileError,
    HillwalkerError,
    HillwalkerWarning,
    InputError,
    InputTypeError,
    StateError,
)
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise, Input, LeakyReLU, Softmax
from hillwalker.models import Sequential

pytestmark = pytest.mark.usefixtures("engine")

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, 0]


def regression():
    """A model that has been trained, so that there is something to lose."""
    model = Sequential([Input((3,)), Dense(4, activation="relu"), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    return model


def classifier(activation="softmax", loss="sparse_categorical_crossentropy", units=3):
    model = Sequential([Dense(units, activation=activation, input_dim=3)])
    model.compile("adam", loss)
    return model


def fingerprint(model):
    """Everything of a model that a refused call might have spoilt."""
    state = model.state if model.built else None
    return (
        None if state is None else (state.parameters.tobytes(), *(slot.tobytes() for slot in state.slots.values())),
        None if model.optimizer is None else (model.optimizer.iterations, model.optimizer.learning_rate),
        model.history,
        None if model.history is None else str(model.history.to_dict()),
        [layer.name for layer in model.layers],
        model.built,
        model.get_compile_config(),
    )


def refused(model, call, *told, kind=(InputError, InputTypeError), fix=True):
    """Check that a call is refused with a message that teaches, and that nothing has changed."""
    before = fingerprint(model)
    with pytest.raises(kind) as caught:
        call(model)
    assert fingerprint(model) == before
    message = str(caught.value)
    assert message.startswith("Passed: ")
    assert "\nExpected: " in message
    if fix:
        assert "\nTry: " in message, message
    for words in told:
        assert words in message, message


def with_value(value, row=4, column=1):
    spoilt = X.copy()
    spoilt[row, column] = value
    return spoilt


TAKES_X = {
    "fit": lambda model, x: model.fit(x, Y, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, Y, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y),
    "test_on_batch": lambda model, x: model.test_on_batch(x, Y),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "call": lambda model, x: model(x),
    "validation_data": lambda model, x: model.fit(X, Y, validation_data=(x, Y), verbose=0),
}
TAKES_Y = {
    "fit": lambda model, y: model.fit(X, y, verbose=0),
    "evaluate": lambda model, y: model.evaluate(X, y, verbose=0),
    "train_on_batch": lambda model, y: model.train_on_batch(X, y),
    "test_on_batch": lambda model, y: model.test_on_batch(X, y),
    "validation_data": lambda model, y: model.fit(X, np.zeros(20), validation_data=(X, y), verbose=0),
}


# ---- the inputs


BAD_X = {
    "NaN": (lambda: with_value(np.nan), ("column 1: 1", "NaN in row 4", "np.isfinite")),
    "infinity": (lambda: with_value(-np.inf), ("column 1: 1", "infinity in row 4", "np.isfinite")),
    "a wrong width": (lambda: X[:, :2], ("(20, 2)", "(rows, 3)")),
    "three dimensions": (lambda: X[:, :, np.newaxis], ("(20, 3, 1)", "reshape")),
    "one row, flat": (lambda: X[0], ("(3,)", "reshape(1, -1)")),
    "no rows": (lambda: X[:0], ("(0, 3)", "empty")),
    "no columns": (lambda: X[:, :0], ("(20, 0)", "empty")),
    "text": (lambda: X.astype(str), ("text", "dtype")),
    "objects": (lambda: np.array([[object()] * 3] * 20), ("object", "numbers")),
    "None": (lambda: None, ("None", "numbers")),
    "a string": (lambda: "X.csv", ("X.csv", "numbers")),
    "a number": (lambda: 3.0, ("3.0", "rows of numbers")),
    "a ragged list": (lambda: [[1, 2, 3], [1, 2]], ("3 numbers in row 0 and 2 in row 1",)),
    "complex numbers": (lambda: X + 0j, ("complex", "np.abs")),
    "dates": (lambda: np.zeros((20, 3), "datetime64[D]"), ("dates", "numbers")),
    "a dict": (lambda: {"a": X[:, 0]}, ("dict", "numbers")),
    "masked values": (lambda: np.ma.masked_greater(X, 0), ("masked", "filled")),
}


@pytest.mark.parametrize("what", BAD_X)
@pytest.mark.parametrize("function", TAKES_X)
def test_inputs_that_cannot_be_used(function, what):
    make, told = BAD_X[what]
    refused(regression(), lambda model: TAKES_X[function](model, make()), *told, fix=False)


@pytest.mark.parametrize("what", ["NaN", "no rows", "text", "three dimensions"])
@pytest.mark.parametrize("function", [name for name in TAKES_X if name != "validation_data"])
def test_a_refused_call_builds_nothing(function, what):
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    refused(model, lambda model: TAKES_X[function](model, BAD_X[what][0]()), fix=False)
    assert model.layers[0].weights == []


def test_numbers_too_large_for_the_models_precision():
    model = regression()
    if model.plan.dtype == "float64":
        assert np.isfinite(model.predict(with_value(1e39), verbose=0)).all()
    else:
        refused(model, lambda model: model.predict(with_value(1e39), verbose=0), "too large for float32", "floatx")


def test_text_in_a_frame_names_its_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(b="red")
    refused(regression(), lambda model: model.fit(frame, Y), "column 'b'", "get_dummies")


def test_too_many_rows_for_row_numbers(tmp_path):
    """The file is sparse and takes no room; no row of it is read."""
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (2**32, 3))
    refused(regression(), lambda model: model.predict(rows), "4294967296 rows", "fewer than 4294967296 rows")


# ---- the targets


BAD_Y = {
    "NaN": (lambda: np.where(np.arange(20) == 7, np.nan, Y), ("NaN in row 7", "np.isfinite")),
    "infinity": (lambda: np.where(np.arange(20) == 7, np.inf, Y), ("infinity in row 7",)),
    "fewer rows": (lambda: Y[:19], ("(20, 3)", "(19, 1)")),
    "two columns": (lambda: X[:, :2], ("(20, 2)", "(20, 1)", "broadcast")),
    "three dimensions": (lambda: Y[:, None, None], ("(20, 1, 1)",)),
    "text": (lambda: np.array(["up", "down"] * 10), ("'up'", "np.unique")),
    "objects": (lambda: np.array([object()] * 20), ("object", "numbers")),
    "no rows": (lambda: Y[:0], ("empty",)),
    "a number": (lambda: 1.0, ("1.0", "rows of numbers")),
}


@pytest.mark.parametrize("what", BAD_Y)
@pytest.mark.parametrize("function", TAKES_Y)
def test_targets_that_cannot_be_used(function, what):
    make, told = BAD_Y[what]
    refused(regression(), lambda model: TAKES_Y[function](model, make()), *told, fix=False)


def test_no_targets_at_all():
    refused(regression(), lambda model: model.fit(X), "without y", "model.fit(X, y)")
    refused(regression(), lambda model: model.evaluate(X), "without y", "model.evaluate(X, y)")


def test_keras_14627_a_column_against_a_flat_array_is_never_broadcast_to_a_square():
    """(n,) and (n, 1) mean the same; with n outputs for one column of targets, nothing is broadcast."""
    flat, column = regression(), regression()
    column.set_weights(flat.get_weights())
    assert flat.evaluate(X, Y, verbose=0) == column.evaluate(X, Y[:, None], verbose=0)
    predicted = flat.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(flat.evaluate(X, Y, verbose=0)[0], np.mean((predicted - Y) ** 2), rtol=1e-5)
    wide = Sequential([Dense(20, input_dim=3)])
    wide.compile("sgd", "mse")
    refused(wide, lambda model: model.fit(X, Y, verbose=0), "(20, 1)", "(20, 20)", "Dense(1)")


def test_keras_17388_binary_crossentropy_checks_shapes():
    model = classifier("sigmoid", "binary_crossentropy", units=2)
    refused(model, lambda model: model.fit(X, Y > 0, verbose=0), "(20, 1)", "(20, 2)", "Dense(1")


def test_keras_17029_categorical_crossentropy_with_one_unit():
    for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        model = classifier("sigmoid", loss, units=1)
        refused(model, lambda model: model.fit(X, (Y > 0).astype(int), verbose=0), "one output unit", "binary_cross")


def test_keras_18105_softmax_on_one_unit():
    for loss in ("binary_crossentropy", "mse"):
        model = classifier("softmax", loss, units=1)
        refused(model, lambda model: model.fit(X, Y > 0, verbose=0), "softmax on one unit", "sigmoid")
    split = Sequential([Dense(1, input_dim=3), Activation("softmax")])
    split.compile("sgd", "binary_crossentropy")
    refused(split, lambda model: model.fit(X, Y > 0, verbose=0), "softmax on one unit")
    layer = Sequential([Dense(1, input_dim=3), Softmax()])
    layer.compile("sgd", "binary_crossentropy")
    refused(layer, lambda model: model.fit(X, Y > 0, verbose=0), "softmax on one unit")


def test_keras_4766_binary_crossentropy_on_a_linear_output():
    model = classifier(None, "binary_crossentropy", units=1)
    refused(model, lambda model: model.fit(X, Y > 0, verbose=0), "linear output", "sigmoid", "from_logits=True")
    model.compile("sgd", hw.losses.BinaryCrossentropy(from_logits=True))
    assert np.isfinite(model.fit(X, Y > 0, verbose=0).history["loss"]).all()


def test_keras_hub_1008_crossentropy_of_classes_on_a_linear_output():
    model = classifier(None)
    refused(model, lambda model: model.fit(X, np.arange(20) % 3, verbose=0), "linear output", "softmax")


def test_keras_19189_pairs_that_work_but_are_probably_not_meant_warn():
    pairs = (
        ("sigmoid", "sparse_categorical_crossentropy", 3, np.arange(20) % 3, "do not sum to 1"),
        ("relu", "binary_crossentropy", 1, Y > 0, "no probability"),
        ("sigmoid", hw.losses.BinaryCrossentropy(from_logits=True), 1, Y > 0, "already a probability"),
    )
    for activation, loss, units, y, told in pairs:
        model = classifier(activation, loss, units)
        with pytest.warns(HillwalkerWarning, match=told):
            model.evaluate(X, y, verbose=0)


@pytest.mark.parametrize(
    ("loss", "activation", "units", "y", "told"),
    [
        ("sparse_categorical_crossentropy", "softmax", 3, np.full(20, 3), ("y with 3", "0 to 2", "from 0")),
        ("sparse_categorical_crossentropy", "softmax", 3, np.full(20, -1), ("y with -1", "np.unique")),
        ("sparse_categorical_crossentropy", "softmax", 3, np.full(20, 0.5), ("y with 0.5", "whole")),
        ("sparse_categorical_crossentropy", "softmax", 3, np.eye(3)[np.arange(20) % 3], ("(20, 3)", "categorical_cr")),
        ("categorical_crossentropy", "softmax", 3, np.arange(20) % 3, ("(20,)", "to_categorical")),
        ("categorical_crossentropy", "softmax", 3, np.eye(4)[np.arange(20) % 4], ("(20, 4)", "(20, 3)")),
        ("categorical_crossentropy", "softmax", 3, np.full((20, 3), 2), ("y with 2", "from 0 to 1")),
        ("binary_crossentropy", "sigmoid", 1, np.arange(20) % 3, ("y with 2 in row 2", "0 to 1")),
        ("binary_crossentropy", "sigmoid", 1, np.full(20, -1), ("y with -1", "0 to 1")),
        ("hinge", "tanh", 1, np.full(20, 2), ("y with 2", "np.where")),
        ("poisson", "exponential", 1, np.full(20, -1), ("y with -1", "0 or more")),
        ("mean_squared_logarithmic_error", None, 1, np.full(20, -0.5), ("y with -0.5", "0 or more")),
        ("qlike", "exponential", 1, np.zeros(20), ("y with 0", "above 0")),
    ],
    ids=[
        *("class too large", "class negative", "class not whole", "one-hot for sparse", "numbers for one-hot"),
        *("one-hot too wide", "one-hot above 1", "three classes for two", "minus one for binary", "hinge", "poisson"),
        *("msle", "qlike"),
    ],
)
def test_labels_outside_what_the_loss_and_the_output_can_mean(loss, activation, units, y, told):
    for call in ("fit", "evaluate"):
        refused(
            classifier(activation, loss, units), lambda model, call=call: getattr(model, call)(X, y, verbose=0), *told
        )
    refused(classifier(activation, loss, units), lambda model: model.train_on_batch(X, y), *told)


def test_metrics_that_do_not_fit_the_targets_are_found_before_training():
    model = Sequential([Dense(3, activation="softmax", input_dim=3)])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["mae"])
    refused(model, lambda model: model.fit(X, np.arange(20) % 3, verbose=0), "metric", "to_categorical")


# ---- weights of rows and classes


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (np.ones(19), ("(19,)", "(20,)")),
        (np.ones((20, 2)), ("(20, 2)", "(20,)")),
        (np.full(20, np.nan), ("NaN",)),
        (np.full(20, -1.0), ("-1", "0 or more")),
        ({0: 1.0}, ("dict", "class_weight")),
        ("balanced", ("'balanced'",)),
    ],
    ids=["fewer", "two columns", "NaN", "negative", "dict", "text"],
)
def test_sample_weight(weights, told):
    for call in (
        lambda model: model.fit(X, Y, sample_weight=weights, verbose=0),
        lambda model: model.evaluate(X, Y, sample_weight=weights, verbose=0),
        lambda model: model.train_on_batch(X, Y, sample_weight=weights),
        lambda model: model.test_on_batch(X, Y, sample_weight=weights),
        lambda model: model.fit(X, Y, validation_data=(X, Y, weights), verbose=0),
    ):
        refused(regression(), call, *told, fix=False)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({3: 1.0}, ("3", "0, 1, 2")),
        ([1.0, 2.0, 3.0], ("{0: 1.0, 1: 2.0, 2: 3.0}",)),
        ({0: -1.0}, ("-1.0", "0 or more")),
        ({0: np.nan}, ("nan",)),
        ({"a": 1.0}, ("'a'", "class numbers")),
        ("balanced", ("'balanced'", "dict")),
    ],
    ids=["absent class", "list", "negative", "NaN", "text key", "text"],
)
def test_class_weight(weights, told):
    for call in (
        lambda model: model.fit(X, np.arange(20) % 3, class_weight=weights, verbose=0),
        lambda model: model.train_on_batch(X, np.arange(20) % 3, class_weight=weights),
    ):
        refused(classifier(), call, *told, fix=False)


def test_class_weight_for_a_regression():
    refused(regression(), lambda model: model.fit(X, Y, class_weight={0: 2.0}, verbose=0), "sample_weight")


# ---- fit's other arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"epochs": -1}, ("epochs=-1",)),
        ({"epochs": 1.5}, ("epochs=1.5",)),
        ({"epochs": "ten"}, ("epochs='ten'",)),
        ({"epochs": True}, ("epochs=True",)),
        ({"initial_epoch": -1}, ("initial_epoch=-1",)),
        ({"batch_size": 0}, ("batch_size=0", "batch_size=32")),
        ({"batch_size": -1}, ("batch_size=-1",)),
        ({"batch_size": 2.5}, ("batch_size=2.5",)),
        ({"batch_size": "all"}, ("batch_size='all'",)),
        ({"validation_batch_size": 0}, ("validation_batch_size=0",)),
        ({"validation_split": 1.0}, ("validation_split=1.0",)),
        ({"validation_split": -0.1}, ("validation_split=-0.1",)),
        ({"validation_split": 0.999}, ("0.999", "20 rows")),
        ({"validation_split": "a fifth"}, ("'a fifth'",)),
        ({"validation_freq": 0, "validation_split": 0.2}, ("validation_freq=0",)),
        ({"validation_freq": [0], "validation_split": 0.2}, ("validation_freq=0",)),
        ({"validation_data": X}, ("ndarray", "(X, y)")),
        ({"validation_data": (X,)}, ("tuple", "(X, y)")),
        ({"validation_data": (X, Y, Y, Y)}, ("tuple",)),
        ({"validation_data": (X[:, :2], Y)}, ("(20, 2)",)),
        ({"steps_per_epoch": 3}, ("steps_per_epoch=3", "leave")),
        ({"validation_steps": 3}, ("validation_steps=3",)),
        ({"verbose": 3}, ("verbose=3", "auto")),
        ({"verbose": "loud"}, ("verbose='loud'",)),
        ({"callbacks": [EarlyStopping]}, ("the class EarlyStopping", "EarlyStopping()")),
        ({"callbacks": [print]}, ("print", "Callback")),
        ({"callbacks": "early stopping"}, ("str",)),
    ],
    ids=range(27),
)
def test_arguments_of_fit(arguments, told):
    call = {"verbose": 0, **arguments}
    refused(regression(), lambda model: model.fit(X, Y, **call), *told, fix=False)


def test_arguments_of_evaluate_and_predict():
    for call, told in (
        (lambda model: model.evaluate(X, Y, batch_size=0), "batch_size=0"),
        (lambda model: model.evaluate(X, Y, verbose=5), "verbose=5"),
        (lambda model: model.evaluate(X, Y, steps=1), "steps=1"),
        (lambda model: model.predict(X, batch_size=0), "batch_size=0"),
        (lambda model: model.predict(X, verbose=5), "verbose=5"),
        (lambda model: model.predict(X, steps=1), "steps=1"),
        (lambda model: model.predict(X, callbacks=[print]), "Callback"),
    ):
        refused(regression(), call, told)


def test_calls_that_come_too_early():
    raw = Sequential([Dense(1, input_dim=3)])
    for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        refused(raw, lambda model, call=call: getattr(model, call)(X, Y), "model.compile", kind=StateError)
    lazy = Sequential([Dense(1)])
    for call in (
        lambda model: model.get_weights(),
        lambda model: model.set_weights([]),
        lambda model: model.count_params(),
        lambda model: model.save("never.safetensors"),
        lambda model: model.build(),
        lambda model: model.layers[0].set_weights([]),
    ):
        refused(lazy, call, "model.build", kind=StateError)
    refused(Sequential(), lambda model: model.predict(X), "without layers", kind=StateError)


def test_callbacks_that_refuse_leave_the_last_history(tmp_path):
    (tmp_path / "a folder").mkdir()
    for callback, kind in (
        (EarlyStopping("mine"), InputError),
        (CSVLogger(tmp_path / "no folder" / "log.csv"), FileError),
        (ModelCheckpoint(tmp_path / "a folder"), FileError),
    ):
        refused(
            regression(), lambda model, callback=callback: model.fit(X, Y, callbacks=[callback], verbose=0), kind=kind,
            fix=False,
        )  # fmt: skip


def test_a_damaged_backup_stops_fit_before_anything_is_trained_or_deleted(tmp_path):
    (tmp_path / "latest.safetensors").write_bytes(b"not a backup")
    model = regression()
    refused(model, lambda model: model.fit(X, Y, callbacks=[BackupAndRestore(tmp_path)], verbose=0), kind=FileError)
    assert (tmp_path / "latest.safetensors").read_bytes() == b"not a backup"


@pytest.mark.parametrize("gone", ["model", "epoch", "history", "callbacks", "learning_rate", "stop_training"])
def test_a_backup_whose_parts_contradict_each_other_overwrites_nothing(gone, tmp_path):
    def callbacks():
        stop = EarlyStopping("loss", restore_best_weights=True)
        return [stop, BackupAndRestore(tmp_path, delete_checkpoint=False)]

    regression().fit(X, Y, callbacks=callbacks(), verbose=0)
    arrays, metadata = saving.read(tmp_path / "latest.safetensors")
    del metadata["backup"][gone]
    saving.write(tmp_path / "latest.safetensors", arrays, metadata)
    call = {"epochs": 2, "callbacks": callbacks(), "verbose": 0}
    refused(regression(), lambda model: model.fit(X, Y, **call), kind=FileError)
    assert (tmp_path / "latest.safetensors").exists()


# ---- functions of one's own


def test_a_loss_or_metric_of_ones_own_that_fails_is_found_before_training():
    for loss, metrics, told in (
        (lambda y_true, y_pred: "small", None, "loss"),
        (lambda y_true, y_pred: np.zeros(3), None, "(3,)"),
        ("mse", [lambda y_true, y_pred: "good"], "metric"),
        ("mse", [lambda y_true, y_pred: np.zeros(3)], "(3,)"),
    ):
        model = Sequential([Dense(1)])
        model.compile("sgd", loss, metrics=metrics)
        refused(model, lambda model: model.fit(X, Y, verbose=0), told)


def test_errors_in_a_function_of_ones_own_come_through_and_nothing_is_trained():
    def broken(y_true, y_pred):
        raise ZeroDivisionError

    for loss, metrics in ((broken, None), ("mse", [broken])):
        model = regression()
        model.compile(model.optimizer, loss, metrics=metrics)
        refused_state = fingerprint(model)[0]
        with pytest.raises((ZeroDivisionError, HillwalkerError)):
            model.fit(X, Y, verbose=0)
        assert fingerprint(model)[0] == refused_state


# ---- layers, models, optimizers


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Dense(0), "units=0"),
        (lambda: Dense(2.5), "units=2.5"),
        (lambda: Dense("64"), "units='64'"),
        (lambda: Dense(4, activation="rleu"), "relu"),
        (lambda: Dense(4, kernel_initializer="he_norml"), "he_normal"),
        (lambda: Dense(4, kernel_regularizer="l3"), "l3"),
        (lambda: Dense(4, kernel_constraint="max_norm"), "kernel_constraint"),
        (lambda: Dense(4, units_wanted=3), "units_wanted"),
        (lambda: Dense(4, input_dim=0), "input shape"),
        (lambda: Dense(4, input_shape=(None,)), "input shape"),
        (lambda: Input(()), "input shape"),
        (lambda: Input(), "without a shape"),
        (lambda: Input((-3,)), "input shape"),
        (lambda: Dropout(1.0), "Dropout(1.0)"),
        (lambda: Dropout(-0.1), "Dropout(-0.1)"),
        (lambda: Dropout("half"), "half"),
        (lambda: Dropout(float("nan")), "nan"),
        (lambda: GaussianNoise(-1), "-1"),
        (lambda: BatchNormalization(momentum=1.0), "momentum=1.0"),
        (lambda: BatchNormalization(epsilon=0.0), "epsilon=0.0"),
        (lambda: BatchNormalization(axis=0), "axis=0"),
        (lambda: LeakyReLU(-0.1), "-0.1"),
        (lambda: Activation("tahn"), "tanh"),
        (lambda: Sequential(Dense(1)), "a list of layers"),
        (lambda: Sequential([Dense]), "Dense()"),
        (lambda: Sequential([print]), "print"),
        (lambda: Sequential([Dense(1), Input((3,))]), "input layer"),
        (lambda: Sequential([Dense(1, name="a"), Dense(1, name="a")]), "'a'"),
        (lambda: Sequential([Input((2, 3)), Dense(1)]), "Flatten"),
        (lambda: hw.optimizers.Adam(-1.0), "learning_rate=-1.0"),
        (lambda: hw.optimizers.Adam("fast"), "'fast'"),
        (lambda: hw.optimizers.SGD(0.1, momentum=float("nan")), "nan"),
        (lambda: hw.optimizers.Adam(learning_rat=0.1), "learning_rate"),
        (lambda: hw.optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "at most one"),
        (lambda: hw.utils.set_random_seed(-1), "-1"),
        (lambda: hw.config.set_floatx("float16"), "float16"),
    ],
    ids=range(36),
)
def test_layers_models_and_optimizers_that_cannot_be(make, told):
    with pytest.raises((InputError, InputTypeError)) as caught:
        make()
    message = str(caught.value)
    assert told in message
    assert message.startswith("Passed: ")
    assert "\nExpected: " in message


@pytest.mark.parametrize(
    ("compiling", "told"),
    [
        ({"optimizer": "adam", "loss": "mean_square_error"}, "'mean_squared_error'"),
        ({"optimizer": "rmsprob", "loss": "mse"}, "'rmsprop'"),
        ({"optimizer": "adam", "loss": "mse", "metrics": ["acuracy"]}, "accuracy"),
        ({"optimizer": "adam", "loss": "mse", "metrics": "mae"}, "['mae']"),
        ({"optimizer": "adam", "loss": "mse", "loss_weights": 2}, "leave loss_weights out"),
    ],
    ids=["loss", "optimizer", "metric", "metrics not a list", "loss_weights"],
)
def test_unknown_names_in_compile_come_with_the_nearest_known_one(compiling, told):
    refused(regression(), lambda model: model.compile(**compiling), told)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda weights: weights[:-1], "shapes"),
        (lambda weights: [weights[0].T, *weights[1:]], "(4, 3)"),
        (lambda weights: [*weights[:-1], [np.nan]], "NaN"),
        (lambda weights: [*weights[:-1], [np.inf]], "infinity"),
        (lambda weights: [*weights[:-1], ["one"]], "numbers"),
        (lambda weights: None, "list of arrays"),
        (lambda weights: [[[1], [1, 2]], *weights[1:]], "list of arrays"),
    ],
    ids=["fewer", "transposed", "NaN", "infinity", "text", "None", "ragged"],
)
def test_set_weights(spoil, told):
    refused(regression(), lambda model: model.set_weights(spoil(model.get_weights())), told)
    refused(regression(), lambda model: model.layers[1].set_weights(spoil(model.layers[1].get_weights())), fix=False)


def test_weights_too_large_for_the_models_precision():
    model = regression()
    large = [np.full(weight.shape, 1e300) for weight in model.get_weights()]
    if model.plan.dtype == "float32":
        refused(model, lambda model: model.set_weights(large), "infinity")
    else:
        model.set_weights(large)
        assert model.get_weights()[0][0, 0] == 1e300


def test_a_layer_built_for_another_width():
    model = Sequential([Dense(2, name="a", input_dim=3), Dense(1, name="b")])
    kept = model.layers[1]
    model.pop()
    model.add(Dense(5))
    before = fingerprint(model)
    lone = Sequential()
    lone.add(model.layers[1])
    assert fingerprint(model) == before
    refused(model, lambda model: model.add(kept), "built for 2 inputs, on 5")


# ---- what is not silent


def test_keras_1872_history_of_every_fit_is_its_own_and_complete():
    model = regression()
    first = model.history
    copy_of_first = first.to_dict()
    second = model.fit(X, Y, epochs=3, verbose=0)
    assert first.to_dict() == copy_of_first, "a record does not change when training goes on"
    assert len(second.history["loss"]) == 3
    assert model.history is second


def test_a_metric_that_early_stopping_waits_for_but_nobody_measures_is_told():
    with pytest.warns(HillwalkerWarning, match="val_loss.*not measured"):
        regression().fit(X, Y, epochs=2, callbacks=[EarlyStopping("val_loss")], verbose=0)


def test_values_near_zero_for_a_percentage_error_are_told():
    model = Sequential([Dense(1, input_dim=3)])
    model.compile("sgd", "mape")
    with pytest.warns(HillwalkerWarning, match="divides by it"):
        model.evaluate(X, np.zeros(20), verbose=0)


def test_a_callback_of_another_library_is_told_where_ours_is():
    class EarlyStopping:
        pass

    refused(regression(), lambda model: model.fit(X, Y, callbacks=[EarlyStopping()], verbose=0), "hillwalker.callbacks")
    assert issubclass(hw.callbacks.EarlyStopping, Callback)
