"""The model as a user drives it: every method and argument of `Sequential`, on both engines.

Numbers marked "Keras" were computed once with Keras 3.15 (JAX backend) by the same lines.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.callbacks import Callback, LambdaCallback, LearningRateScheduler, TerminateOnNaN
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, StateError
from hillwalker.layers import (
    ELU,
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Input,
    InputLayer,
    LeakyReLU,
    ReLU,
    Softmax,
)
from hillwalker.metrics import BinaryAccuracy
from hillwalker.models import Sequential, clone_model, model_from_json
from hillwalker.optimizers import SGD, Adam

pytestmark = pytest.mark.usefixtures("engine")

X7 = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0], [-1.0, 1.0], [0.5, 2.0], [1.5, 0.5]])
Y7 = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
W7 = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 0.0, 1.0])
KERAS = {"rtol": 2e-6}


def seven(metrics=None, weighted_metrics=None):
    """The small classifier of the numbers marked "Keras"."""
    model = Sequential([Input((2,)), Dense(1, activation="sigmoid")])
    model.set_weights([[[0.5], [-0.25]], [0.1]])
    model.compile(SGD(0.5), "binary_crossentropy", metrics=metrics, weighted_metrics=weighted_metrics)
    return model


def data(rows=100, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(rows, 4))
    return X, np.tanh(X[:, :1] - X[:, 1:2] * X[:, 2:3])


def network(*more, optimizer="adam", **compiling):
    model = Sequential([Input((4,)), Dense(8, activation="relu"), *more, Dense(1)])
    model.compile(optimizer, "mse", **compiling)
    return model


def vector(model):
    return model.state.parameters.tobytes()


# ---- building


@pytest.mark.parametrize(
    "first",
    [
        lambda: [Input((4,)), Dense(3)],
        lambda: [Input(shape=(4,)), Dense(3)],
        lambda: [InputLayer((4,)), Dense(3)],
        lambda: [InputLayer(input_shape=(4,)), Dense(3)],
        lambda: [Dense(3, input_shape=(4,))],
        lambda: [Dense(3, input_dim=4)],
        lambda: [Dense(3, batch_input_shape=(None, 4))],
    ],
    ids=["Input", "Input(shape)", "InputLayer", "InputLayer(input_shape)", "input_shape", "input_dim", "batch_shape"],
)
def test_every_way_to_tell_the_input_builds_at_once(first):
    by_list, by_add = Sequential(first()), Sequential()
    for layer in first():
        by_add.add(layer)
    for model in (by_list, by_add):
        assert model.built
        assert [weight.shape for weight in model.get_weights()] == [(4, 3), (3,)]
        assert model.input_shape == (None, 4)
        assert model.output_shape == (None, 3)
        assert len(model.layers) == 1


def test_lazy_build_by_build_by_fit_by_predict_and_by_evaluate():
    X, y = data()
    for build in (
        lambda model: model.build((None, 4)),
        lambda model: model.fit(X, y, verbose=0),
        lambda model: model.predict(X, verbose=0),
        lambda model: model.evaluate(X, y, verbose=0),
        lambda model: model.train_on_batch(X, y),
        lambda model: model(X),
    ):
        model = Sequential([Dense(8, activation="relu"), Dense(1)])
        model.compile("adam", "mse")
        assert not model.built
        with pytest.raises(StateError, match=r"model\.build"):
            model.get_weights()
        build(model)
        assert [weight.shape for weight in model.get_weights()] == [(4, 8), (8,), (8, 1), (1,)]


def test_build_refuses_another_shape_later():
    model = Sequential([Dense(1)])
    model.build((None, 4))
    model.build((None, 4))
    with pytest.raises(InputError, match="same shape"):
        model.build((None, 5))
    with pytest.raises(InputTypeError, match="a shape"):
        model.build("four")


def test_flatten_takes_rows_of_any_shape():
    model = Sequential([Flatten(input_shape=(2, 2)), Dense(1)])
    rows = np.arange(12.0).reshape(3, 2, 2)
    expected = rows.reshape(3, 4) @ model.get_weights()[0]
    np.testing.assert_allclose(model.predict(rows, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_pop_takes_the_top_layer_and_the_rest_keeps_its_weights():
    model = network()
    X, y = data()
    model.fit(X, y, verbose=0)
    kernel = model.layers[0].get_weights()[0]
    top = model.pop()
    assert top.units == 1
    assert model.output_shape == (None, 8)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    model.pop()
    assert not model.built
    with pytest.raises(InputError, match="empty"):
        model.pop()
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_adding_a_layer_to_a_trained_model_keeps_its_weights_and_trains_on():
    model = network()
    X, y = data()
    model.fit(X, y, verbose=0)
    before = model.get_weights()
    model.add(Dense(1))
    for old, new in zip(before, model.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    assert model.optimizer.iterations == 0
    losses = model.fit(X, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_refused_layer_is_not_added():
    model = network()
    kept = vector(model)
    for wrong in (Dense, "dense", Input((3,))):
        with pytest.raises((InputError, InputTypeError)):
            model.add(wrong)
    with pytest.raises(InputError, match="name"):
        model.add(Dense(1, name=model.layers[0].name))
    assert len(model.layers) == 2
    assert vector(model) == kept


def test_a_layer_of_another_model_is_copied_with_a_warning():
    first = network()
    with pytest.warns(HillwalkerWarning, match="belongs to another model"):
        second = Sequential([Input((4,)), first.layers[0], Dense(1)])
    np.testing.assert_array_equal(second.get_weights()[0], first.get_weights()[0])
    kept = vector(first)
    second.compile("adam", "mse")
    second.fit(*data(), verbose=0)
    assert vector(first) == kept


def test_an_optimizer_of_another_model_is_copied_with_a_warning():
    shared = Adam(0.01)
    first, second = network(optimizer=shared), network()
    first.fit(*data(), verbose=0)
    with pytest.warns(HillwalkerWarning, match="trains another model"):
        second.compile(shared, "mse")
    second.fit(*data(), verbose=0, epochs=3)
    assert (first.optimizer.iterations, second.optimizer.iterations) == (4, 12)
    assert second.optimizer.learning_rate == 0.01


def test_get_layer():
    model = Sequential([Dense(2, input_dim=3, name="below"), Dense(1, name="top")])
    assert model.get_layer("top") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(InputError, match="below, top"):
        model.get_layer("middle")


def test_every_layer_of_the_issue_trains():
    layers = [
        *(Dense(8), BatchNormalization(), Activation("tanh"), Dropout(0.1), GaussianNoise(0.01), Dense(8), ReLU()),
        *(Dense(8), LeakyReLU(), Dense(8), ELU(), Dense(3), Softmax()),
    ]
    model = Sequential([Input((4,)), *layers])
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    X, _ = data(300)
    history = model.fit(X, X[:, :3].argmax(axis=1), epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert history["accuracy"][-1] > 0.75


# ---- weights, configuration, copies


def test_get_and_set_weights():
    model = network()
    weights = model.get_weights()
    weights[0][:] = 7.0
    assert not (model.get_weights()[0] == 7.0).any(), "get_weights returns copies"
    model.set_weights([np.ones_like(weight) for weight in weights])
    assert all((weight == 1.0).all() for weight in model.weights)
    X = np.ones((2, 4))
    np.testing.assert_array_equal(model.predict(X, verbose=0), [[41.0], [41.0]])
    model.layers[1].set_weights([np.zeros((8, 1)), [2.0]])
    np.testing.assert_array_equal(model.predict(X, verbose=0), [[2.0], [2.0]])
    assert model.count_params() == 49


def test_config_json_and_clone_describe_the_same_architecture():
    model = Sequential(
        [
            Dense(5, activation="leaky_relu", input_dim=4, kernel_regularizer="l2", kernel_initializer="he_normal"),
            *(BatchNormalization(momentum=0.9), Dropout(0.25), Dense(2, use_bias=False, trainable=False)),
        ],
        name="mine",
    )
    config = model.get_config()
    json.dumps(config)
    for other in (Sequential.from_config(config), model_from_json(model.to_json()), clone_model(model)):
        assert other.get_config() == config
        assert other.name == "mine"
        assert not np.array_equal(other.get_weights()[0], model.get_weights()[0]), "weights are drawn anew"


def test_an_unbuilt_model_has_a_config_too():
    model = Sequential([Dense(2)])
    assert not Sequential.from_config(model.get_config()).built


def test_clone_model_takes_functions_along():
    def cube(z):
        return z * z * z

    model = Sequential([Dense(2, activation=cube, input_dim=1)])
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    X = np.array([[2.0]])
    np.testing.assert_array_equal(clone.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_copy_trains_on_as_the_original_does(copied):
    X, y = data()
    model = network(Dropout(0.2), metrics=["mae"])
    model.fit(X, y, epochs=2, verbose=0)
    other = copied(model)
    assert other.state.parameters.ctypes.data % 64 == 0
    kept = vector(model)
    assert vector(other) == kept
    histories = [one.fit(X, y, epochs=3, verbose=0).history for one in (other, model)]
    assert histories[0] == histories[1]
    assert vector(other) == vector(model) != kept
    other.layers[0].set_weights([np.zeros((4, 8)), np.zeros(8)])
    assert not other.get_weights()[0].any(), "the copy's layers are views into the copy's vector"
    assert model.get_weights()[0].any()


def test_tensorflow_49240_keras_11478_models_travel_to_other_processes(engine):
    joblib = pytest.importorskip("joblib")
    X, y = data()
    models = [network(Dropout(0.1)), network()]
    with joblib.parallel_config(backend="loky", n_jobs=2):
        there = joblib.Parallel()(joblib.delayed(Sequential.fit)(model, X, y, epochs=9, verbose=0) for model in models)
    joblib.externals.loky.get_reusable_executor().shutdown()  # the next ones must see their own environment
    for model, history in zip(models, there, strict=True):
        assert model.optimizer.iterations == 0, "what is trained there is a copy"
        assert model.fit(X, y, epochs=9, verbose=0).history == history.history


def test_models_train_in_threads_as_they_do_alone():
    X, y = data(400)

    def trained(seed, results):
        model = models[seed]
        model.fit(X, y, epochs=5, verbose=0)
        results[seed] = vector(model)

    together, alone = {}, {}
    models = [network(Dropout(0.2)) for _ in range(4)]
    twins = [copy.deepcopy(model) for model in models]
    threads = [threading.Thread(target=trained, args=(seed, together)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    models = twins
    for seed in range(4):
        trained(seed, alone)
    assert together == alone
    assert len(set(together.values())) == 4


def test_set_random_seed_repeats_everything_bit_for_bit():
    X, y = data()

    def trained(seed):
        hw.utils.set_random_seed(seed)
        model = network(Dropout(0.3), GaussianNoise(0.1))
        history = model.fit(X, y, epochs=3, verbose=0, validation_split=0.2)
        return vector(model), history.history

    assert trained(1) == trained(1)
    assert trained(1)[0] != trained(2)[0]


def test_history_does_not_depend_on_how_busy_the_machine_is(monkeypatch):
    """Sums over an epoch are added up in the same groups of steps, whatever the clock says."""
    X, y = data(30000)

    def trained():
        hw.utils.set_random_seed(0)
        model = network(metrics=["mae"])
        return model.fit(X[:rows], y[:rows], epochs=2, batch_size=2, verbose=0).history

    rows = 30000 if hw.config.engine_name() == "compiled" else 600
    calm = trained()
    ticks = iter(range(10**9))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    assert trained() == calm


# ---- trainable


def moved(model, X, y):
    before = model.get_weights()
    model.fit(X, y, epochs=2, verbose=0)
    return [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]


def test_trainable_of_layers_and_of_the_model_mean_what_they_mean_in_keras():
    X, y = data()
    model = network()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    assert moved(model, X, y) == [False, False, True, True]
    assert len(model.trainable_weights) == 2
    model.trainable = False
    assert moved(model, X, y) == [False] * 4
    assert model.trainable_weights == []
    model.layers[1].trainable = True
    assert moved(model, X, y) == [False] * 4, "Keras: the model's own switch is above its layers'"
    model.trainable = True
    assert moved(model, X, y) == [True] * 4


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_a_model_made_not_trainable_is_not_trained():
    model = Sequential([Input((4,)), Dense(2), Dense(1)], trainable=False)
    model.compile("sgd", "mse")
    assert moved(model, *data()) == [False] * 4
    assert model.layers[0].trainable, "Keras: its layers know nothing of it"


def test_a_frozen_batch_normalization_uses_and_keeps_its_moving_statistics():
    model = Sequential([Input((4,)), BatchNormalization(trainable=False), Dense(1)])
    model.compile("sgd", "mse")
    assert moved(model, *data()) == [False] * 4 + [True] * 2


# ---- compile


def test_compile_takes_names_objects_and_functions():
    X, y = data()
    expected = None
    for optimizer, loss in (
        ("sgd", "mse"),
        ("SGD", "mean_squared_error"),
        (SGD(), hw.losses.MeanSquaredError()),
        (SGD, hw.losses.MeanSquaredError),
        ({"class_name": "SGD", "config": {"learning_rate": 0.01}}, "MSE"),
    ):
        hw.utils.set_random_seed(3)
        model = network()
        model.compile(optimizer, loss, metrics=["mae"])
        model.fit(X, y, verbose=0)
        expected = expected or vector(model)
        assert vector(model) == expected


def test_compile_defaults_to_rmsprop_and_no_loss():
    model = Sequential([Dense(1, input_dim=4)])
    model.compile()
    assert type(model.optimizer).__name__ == "RMSprop"
    model.predict(np.zeros((1, 4)), verbose=0)
    with pytest.raises(StateError, match="without a loss"):
        model.fit(*data())


def test_compiling_again_with_the_same_optimizer_object_keeps_its_slots():
    X, y = data()
    model = network(optimizer=Adam())
    model.fit(X, y, verbose=0)
    slots = {name: slot.tobytes() for name, slot in model.state.slots.items()}
    model.compile(model.optimizer, "mae")
    assert {name: slot.tobytes() for name, slot in model.state.slots.items()} == slots
    assert model.optimizer.iterations == 4
    model.compile("adam", "mae")
    assert model.optimizer.iterations == 0
    assert not any(slot.any() for slot in model.state.slots.values())


def test_a_refused_compile_changes_nothing():
    model = network(metrics=["mae"])
    optimizer, before = model.optimizer, model.get_compile_config()
    for wrong in (
        {"optimizer": "adma", "loss": "mse"},
        {"optimizer": "adam", "loss": "msee"},
        {"optimizer": "adam", "loss": "mse", "metrics": ["maee"]},
        {"optimizer": "adam", "loss": "mse", "metrics": 3},
        {"optimizer": "adam", "loss": "mse", "loss_weights": [1.0]},
        {"optimizer": 3, "loss": "mse"},
        {"optimizer": "adam", "loss": 3},
    ):
        with pytest.raises((InputError, InputTypeError), match="Passed"):
            model.compile(**wrong)
    assert model.optimizer is optimizer
    assert model.get_compile_config() == before


# ---- fit, argument by argument


def test_weights_of_rows_and_classes_and_weighted_validation_agree_with_keras():
    """Keras: fit(..., sample_weight=w * [2 where y is 0, else 0.5]), for it refuses both kinds of weights at once."""
    model = seven(["mae"], ["accuracy"])
    history = model.fit(
        *(X7, Y7),
        batch_size=3,
        epochs=2,
        shuffle=False,
        verbose=0,
        sample_weight=W7,
        class_weight={0: 2.0, 1: 0.5},
        validation_data=(X7[:4], Y7[:4], W7[:4]),
        validation_batch_size=3,
    ).history
    keras = {
        "accuracy": [0.2571428716182709, 0.8571428656578064],
        "loss": [1.0955499410629272, 0.40823501348495483],
        "mae": [0.5454205274581909, 0.3980729281902313],
        "val_accuracy": [0.4444444477558136, 0.4444444477558136],
        "val_loss": [0.745630145072937, 0.6899492144584656],
        "val_mae": [0.42324116826057434, 0.39474406838417053],
    }
    assert list(history) == ["loss", "mae", "accuracy", "val_loss", "val_mae", "val_accuracy"]
    for name, values in keras.items():
        np.testing.assert_allclose(history[name], values, **KERAS)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel.ravel(), [-1.2784289121627808, 0.2111014425754547], **KERAS)
    np.testing.assert_allclose(bias, [-0.4941568076610565], **KERAS)
    measured = model.evaluate(X7, Y7, batch_size=4, sample_weight=W7, verbose=0)
    np.testing.assert_allclose(measured, [0.5426141023635864, 0.37287062406539917, 0.7058823704719543], **KERAS)


def test_validation_split_takes_the_last_part_before_shuffling():
    X, y = data(100)
    by_split, by_hand = [], []
    for run, call in (
        (by_split, {"x": X, "y": y, "validation_split": 0.25}),
        (by_hand, {"x": X[:75], "y": y[:75], "validation_data": (X[75:], y[75:])}),
    ):
        hw.utils.set_random_seed(0)
        model = network()
        run += [model.fit(**call, epochs=3, verbose=0).history, vector(model)]
    assert by_split == by_hand


def test_validation_freq_as_a_number_and_as_a_list_agrees_with_keras():
    options = {"batch_size": 2, "epochs": 6, "validation_split": 0.3, "shuffle": False, "verbose": 0}
    history = seven().fit(X7, Y7, validation_freq=[1, 4], **options)
    losses = [0.8953707814, 0.6159971952, 0.4845125676, 0.4085507989, 0.3575829268, 0.3205579519]
    np.testing.assert_allclose(history.history["loss"], losses, **KERAS)
    np.testing.assert_allclose(history.history["val_loss"], [0.6625791788101196, 0.3541069030761719], **KERAS)
    assert history.epochs_of("val_loss") == [0, 3]
    history = seven().fit(X7, Y7, validation_freq=2, initial_epoch=4, **options)
    assert history.epoch == [4, 5]
    np.testing.assert_allclose(history.history["loss"], losses[:2], **KERAS)
    np.testing.assert_allclose(history.history["val_loss"], [0.49407315254211426], **KERAS)


def test_validation_batch_size_changes_no_number_but_rounding():
    X, y = data(50)
    validated = []
    for size in (None, 1, 50):
        hw.utils.set_random_seed(0)
        options = {"validation_data": (X, y), "validation_batch_size": size}
        validated.append(network().fit(X, y, verbose=0, **options).history["val_loss"])
    np.testing.assert_allclose(validated[1:], [validated[0]] * 2, rtol=1e-5)


def test_shuffle_false_takes_rows_as_they_lie_and_true_in_an_order_of_each_epoch():
    """On a bias that takes each row's gradient alone, the order of rows can be read off."""
    y = np.arange(8.0)

    def order(shuffle, epochs=1):
        seen = []
        model = Sequential([Dense(1, input_dim=1, kernel_initializer="zeros")])
        model.compile(SGD(0.5), "mse")
        watch = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(float(model.get_weights()[1][0])))
        model.fit(np.zeros((8, 1)), y, batch_size=1, epochs=epochs, shuffle=shuffle, callbacks=[watch], verbose=0)
        return seen  # with this rate the bias jumps to each row's target

    assert order(False) == y.tolist()
    first, second = np.array_split(order(True, epochs=2), 2)
    assert sorted(first) == sorted(second) == y.tolist()
    assert first.tolist() != y.tolist()
    assert first.tolist() != second.tolist()


def test_epochs_zero_and_initial_epoch_beyond_train_nothing():
    model = network()
    kept = vector(model)
    X, y = data()
    for options in ({"epochs": 0}, {"epochs": 3, "initial_epoch": 3}):
        history = model.fit(X, y, verbose=0, **options)
        assert (history.epoch, history.history) == ([], {})
    assert vector(model) == kept


def test_batch_sizes_around_the_number_of_rows():
    X, y = data(10)
    for size, steps in ((1, 10), (3, 4), (10, 1), (1000, 1), (None, 1), (np.int64(5), 2)):
        model = network()
        history = model.fit(X, y, batch_size=size, verbose=0)
        assert model.optimizer.iterations == steps
        assert history.params["steps"] == steps


def test_verbose_of_every_kind(capsys):
    X, y = data()
    model = network()
    shown = {}
    for verbose in ("auto", 0, 1, 2):
        model.fit(X, y, epochs=2, verbose=verbose)
        shown[verbose] = capsys.readouterr().out
    assert shown[0] == ""
    assert shown[2].count("\n") == 2
    assert shown[2].startswith("Epoch 1/2")
    for verbose in ("auto", 1):
        assert "Epoch 2/2" in shown[verbose]
        assert "loss" in shown[verbose]
    model.predict(X, verbose=0)
    model.evaluate(X, y, verbose=0)
    assert capsys.readouterr().out == ""


def test_arguments_may_stand_in_keras_order():
    X, y = data()
    history = network().fit(X, y, 10, 2, 0, None, 0.2, None, True, None, None, 0)
    assert history.params["epochs"] == 2
    assert history.params["batch_size"] == 10
    assert len(history.history["val_loss"]) == 2


# ---- train_on_batch and its like


def test_losses_and_metrics_of_single_batches_agree_with_keras():
    model = seven(["mae"])
    returned = [
        model.train_on_batch(X7[:3], Y7[:3]),
        model.train_on_batch(X7[3:], Y7[3:], sample_weight=W7[3:]),
        model.test_on_batch(X7, Y7),
        model.train_on_batch(X7[:2], Y7[:2], class_weight={0: 3.0}),
    ]
    keras = [
        [0.7806090712547302, 0.5321561694145203],
        [1.3370208740234375, 0.6253204941749573],
        [0.5965642929077148, 0.4457089602947235],
        [1.3858509063720703, 0.46697744727134705],
    ]
    np.testing.assert_allclose(returned, keras, **KERAS)
    named = model.test_on_batch(X7[:4], Y7[:4], return_dict=True)
    np.testing.assert_allclose(list(named.values()), [0.5326150059700012, 0.3979494273662567], **KERAS)
    assert list(named) == ["loss", "mae"]


def test_train_on_batch_without_metrics_returns_a_number_and_does_one_step():
    model = seven()
    np.testing.assert_allclose(model.train_on_batch(X7, Y7), 0.9833296537399292, **KERAS)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose([*kernel.ravel(), *bias], [0.2700436115, -0.0257172287, 0.1022685394], **KERAS)
    assert model.optimizer.iterations == 1


def test_evaluate_returns_a_number_a_list_or_a_dict():
    assert isinstance(seven().evaluate(X7, Y7, verbose=0), float)
    model = seven(["mae"])
    loss, mae = model.evaluate(X7, Y7, verbose=0)
    assert model.evaluate(X7, Y7, verbose=0, return_dict=True) == {"loss": loss, "mae": mae}
    assert model.metrics_names == ["loss", "mae"]


def test_predict_is_the_same_in_every_way_of_asking():
    X, _ = data(101)
    model = network()
    expected = model.predict(X, verbose=0)
    assert expected.shape == (101, 1)
    assert expected.dtype == model.plan.dtype
    for other in (
        model.predict(X, batch_size=7, verbose=0),
        model.predict_on_batch(X),
        model(X),
        np.concatenate([model.predict(X[:50], verbose=0), model.predict(X[50:], verbose=0)]),
    ):
        np.testing.assert_allclose(other, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="training=False"):
        model(X, training=True)


# ---- summary


def test_summary_tells_layers_shapes_and_numbers():
    model = Sequential(
        [Input((4,)), Dense(8, name="hidden"), Dropout(0.5, name="rest"), Dense(1, name="out")], name="m"
    )
    model.layers[0].trainable = False
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    for told in ('Model: "m"', "hidden (Dense)", "(None, 8)", "rest (Dropout)", "Total parameters: 49"):
        assert told in text
    assert "Trainable parameters: 9 " in text
    assert "Non-trainable parameters: 40 " in text


def test_summary_of_a_model_that_is_not_built(capsys):
    Sequential([Dense(8)]).summary()
    assert "not built" in capsys.readouterr().out


# ---- functions of one's own


def test_a_loss_an_activation_and_a_metric_of_ones_own():
    def own_loss(y_true, y_pred):
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def own_metric(y_true, y_pred):
        return np.abs(y_true - y_pred).max()

    X, y = data()
    results = []
    for loss, activation in (("mse", "tanh"), (own_loss, np.tanh)):
        hw.utils.set_random_seed(1)
        model = Sequential([Input((4,)), Dense(8, activation=activation), Dense(1)])
        model.compile("sgd", loss, metrics=[own_metric])
        history = model.fit(X, y, epochs=3, verbose=0, batch_size=100).history
        results.append([*history["loss"], *history["own_metric"], *model.predict(X, verbose=0).ravel()])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-5)


# ---- callbacks


def test_batch_hooks_are_called_for_every_batch_and_change_no_weight():
    X, y = data(100)
    calls = []

    class Watch(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            calls.append(("begin", batch))

        def on_train_batch_end(self, batch, logs=None):
            calls.append(("end", batch))
            assert logs["loss"] > 0

        def on_test_batch_end(self, batch, logs=None):
            calls.append(("test", batch))

    vectors = []
    for callbacks in ([Watch()], None):
        hw.utils.set_random_seed(0)
        model = network(Dropout(0.2))
        model.fit(X, y, epochs=1, callbacks=callbacks, validation_data=(X[:40], y[:40]), verbose=0)
        vectors.append(vector(model))
    expected = [(when, batch) for batch in range(4) for when in ("begin", "end")]
    assert calls == [*expected, ("test", 0), ("test", 1)]
    assert vectors[0] == vectors[1]


def test_a_callback_sees_and_stops_the_training():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = epoch * 10
            self.model.stop_training = epoch == 2

    model = network()
    history = model.fit(*data(), epochs=10, callbacks=[Stop()], verbose=0)
    assert history.epoch == [0, 1, 2]
    assert history.history["mine"] == [0, 10, 20]
    assert len(model.fit(*data(), epochs=2, verbose=0).epoch) == 2, "the next fit begins afresh"


def test_callbacks_of_predict_and_evaluate():
    seen = []
    watch = LambdaCallback(
        on_predict_batch_end=lambda batch, logs: seen.append(("predict", batch)),
        on_test_batch_begin=lambda batch, logs: seen.append(("test", batch)),
    )
    model = network()
    X, y = data(40)
    model.predict(X, callbacks=[watch], verbose=0)
    model.evaluate(X, y, callbacks=[watch], verbose=0)
    assert seen == [("predict", 0), ("predict", 1), ("test", 0), ("test", 1)]


def test_the_learning_rate_may_change_in_mid_training():
    X, y = data(64)
    model = network(optimizer=SGD(0.1))
    weights = []

    class Freeze(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.0
            weights.append(vector(self.model))

    model.fit(X, y, callbacks=[Freeze()], verbose=0)
    assert weights[0] == weights[1]
    model.optimizer.learning_rate = 0.1
    model.fit(X, y, verbose=0)
    assert vector(model) != weights[1]


def test_schedules_by_step_and_by_epoch():
    X, y = data(64)
    schedule = hw.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.0])
    by_step, by_hand = network(optimizer=SGD(schedule)), network(optimizer=SGD(0.1))
    by_hand.set_weights(by_step.get_weights())
    by_step.fit(X, y, batch_size=16, shuffle=False, verbose=0)
    by_hand.fit(X[:32], y[:32], batch_size=16, shuffle=False, verbose=0)
    assert vector(by_step) == vector(by_hand)
    rates = LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = network(optimizer=SGD(0.1)).fit(X, y, epochs=3, callbacks=[rates], verbose=0).history
    assert history["learning_rate"] == [0.05, 0.025, 0.0125]


# ---- what goes wrong in training


def diverging():
    model = network(optimizer=SGD(1e20))
    X, y = data()
    return model, X, y * 1e10


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_finite_epoch():
    model, X, y = diverging()
    kept = vector(model)
    with pytest.warns(HillwalkerWarning, match="last finite epoch"):
        history = model.fit(X, y, epochs=5, validation_split=0.1, verbose=0)
    assert len(history.epoch) == 1
    assert not np.isfinite(history.history["loss"][-1])
    assert np.isnan(history.history["val_loss"][-1])
    assert "epoch 1" in history.stop_reason
    assert vector(model) == kept
    assert model.optimizer.iterations == 0


def test_a_late_divergence_keeps_the_epochs_before():
    model = network(optimizer=SGD(0.01))
    X, y = data()
    kept = []

    class Explode(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            kept.append(vector(self.model))
            if epoch == 2:
                self.model.optimizer.learning_rate = 1e30

    with pytest.warns(HillwalkerWarning, match="in epoch 3"):
        history = model.fit(X, y, epochs=5, callbacks=[Explode()], verbose=0)
    assert history.epoch == [0, 1, 2]
    assert np.isfinite(history.history["loss"][:2]).all()
    assert vector(model) == kept[2] != kept[1]


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_terminate_on_nan_expects_it_and_nothing_is_warned(capsys):
    model, X, y = diverging()
    model.fit(X, y, epochs=5, callbacks=[TerminateOnNaN()], verbose=0)
    assert "terminating" in capsys.readouterr().out


def test_train_on_batch_does_not_learn_from_a_batch_whose_loss_is_not_finite():
    model = network()
    model.set_weights([np.full_like(weight, 3e38) for weight in model.get_weights()])
    if model.plan.dtype == "float64":
        model.set_weights([np.full_like(weight, 1e300) for weight in model.get_weights()])
    kept = vector(model)
    assert not np.isfinite(model.train_on_batch(np.ones((2, 4)), np.ones(2)))
    assert vector(model) == kept


def test_an_error_in_a_callback_ends_fit_and_the_next_one_begins_afresh():
    model = network()
    X, y = data()

    def fail(epoch, logs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        model.fit(X, y, epochs=3, callbacks=[LambdaCallback(on_epoch_end=fail)], verbose=0)
    assert model.fit(X, y, epochs=2, verbose=0).epoch == [0, 1]


SCRIPT = """
    import os, signal, sys, threading, time
    import numpy as np
    import hillwalker as hw
    from hillwalker.callbacks import LambdaCallback

    model = hw.Sequential([hw.Input((4,)), hw.layers.Dense(8, activation="relu"), hw.layers.Dense(1)])
    model.compile("adam", "mse")
    X = np.random.default_rng(0).normal(size=(2000, 4))
    at = {"epoch": dict(on_epoch_end=lambda epoch, logs: epoch == 3 and os.kill(os.getpid(), signal.SIGINT)),
          "batch": dict(on_train_batch_end=lambda batch, logs: model.optimizer.iterations == 250
                        and os.kill(os.getpid(), signal.SIGINT)),
          "timer": dict(on_epoch_begin=lambda epoch, logs: epoch == 2 and threading.Timer(
                        0.2, os.kill, (os.getpid(), signal.SIGINT)).start())}[sys.argv[1]]
    history = model.fit(X, X[:, 0], epochs=10**6, callbacks=[LambdaCallback(**at)], verbose=0)
    assert history is model.history and history.interrupted and "Ctrl-C" in history.stop_reason
    assert len(history.epoch) == len(history.history["loss"]) >= 2
    assert model.optimizer.iterations >= 63 * len(history.epoch)
    assert np.isfinite(model.predict(X, verbose=0)).all()
    again = model.fit(X, X[:, 0], epochs=2, verbose=0)
    assert not again.interrupted and len(again.epoch) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    print("the script goes on after", len(history.epoch))
"""


@pytest.mark.parametrize("at", ["epoch", "batch", "timer"])
def test_keras_6697_ctrl_c_keeps_history_and_weights_and_the_script_goes_on(at):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), at], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "the script goes on" in done.stdout
    if at == "epoch":
        assert done.stdout.endswith("after 4\n"), "an epoch that was finished counts"
    if at == "batch":
        assert done.stdout.endswith("after 3\n"), "250 steps are three epochs of 63 and a part, which does not count"


def test_sigint_handling_is_left_to_programs_that_have_their_own():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        stop = LambdaCallback(on_epoch_end=lambda epoch, logs: os.kill(os.getpid(), signal.SIGINT))
        history = network().fit(*data(), epochs=3, callbacks=[stop], verbose=0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(history.epoch) == len(heard) == 3


def test_preprocessing_is_saved_with_the_model(tmp_path):
    model = network()
    model.preprocessing = {"mean": [1.0, 2.0], "kind": "standard"}
    model.save(tmp_path / "model.safetensors")
    assert hw.models.load_model(tmp_path / "model.safetensors").preprocessing == model.preprocessing


def test_class_weights_are_for_the_rows_that_are_trained_on(engine):
    X, y = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2
    model = Sequential([Dense(4, "tanh"), Dense(1, "sigmoid")])
    model.compile(SGD(0.0), "binary_crossentropy")
    weighted = model.fit(X, y, validation_split=0.2, class_weight={0: 3.0, 1: 0.5}, verbose=0).history
    plain = model.fit(X, y, validation_split=0.2, verbose=0).history
    assert weighted["val_loss"] == plain["val_loss"]  # as in Keras
    assert weighted["loss"] != plain["loss"]


def test_two_metrics_of_one_name_are_told_apart_as_in_keras(engine):
    X, y = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2
    model = Sequential([Dense(1, "sigmoid")])
    accuracies = [BinaryAccuracy(threshold=0.3), "binary_accuracy"]
    model.compile("sgd", "binary_crossentropy", metrics=accuracies, weighted_metrics=["binary_accuracy"])
    history = model.fit(X, y, validation_split=0.2, verbose=0).history
    names = ["binary_accuracy", "binary_accuracy_1", "weighted_binary_accuracy"]
    assert list(history) == ["loss", *names, "val_loss", *(f"val_{name}" for name in names)]
    assert model.metrics_names == ["loss", *names]
