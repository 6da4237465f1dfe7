"""Several threads on one wide network: the same bits whatever their number, in any company."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

import hillwalker as hw

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(700, 300)).astype("float32")
Y = GENERATOR.integers(0, 10, size=700)


@pytest.fixture(autouse=True)
def keep_threads():
    before = hw.config.threads()
    yield
    hw.config.set_threads(before)


def network(activation="relu", normalise=False, clipped=False):
    layers = [hw.Input((300,)), hw.layers.Dense(260, activation=activation)]
    layers += [hw.layers.BatchNormalization(), hw.layers.Dropout(0.2)] if normalise else []
    layers += [hw.layers.Dense(33, activation=activation), hw.layers.Dense(10, activation="softmax")]
    hw.utils.set_random_seed(3)
    model = hw.Sequential(layers)
    optimizer = hw.optimizers.AdamW(weight_decay=0.01, global_clipnorm=0.5) if clipped else "adam"
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(threads, batch_size=128, **settings):
    """Everything that could differ: weights, curves, measures, predictions."""
    hw.config.set_threads(threads)
    model = network(**settings)
    history = model.fit(X, Y, epochs=2, batch_size=batch_size, validation_split=0.2, verbose=0).history
    numbers = [*model.get_weights(), model.predict(X, verbose=0), np.array(model.evaluate(X, Y, verbose=0))]
    return [array.tobytes() for array in numbers], history


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": "tanh"},
        {"normalise": True},
        {"batch_size": 560},  # beyond what passes through at once
        {"batch_size": 101},  # the last part is smaller than the others
        {"clipped": True},
    ],
    ids=str,
)
def test_the_number_of_threads_changes_no_bit(settings):
    alone = trained(1, **settings)
    for threads in (2, 3, 5):
        assert trained(threads, **settings) == alone


def test_two_networks_trained_at_the_same_time_do_not_meet():
    alone = trained(1)
    hw.config.set_threads(2)
    models = [network() for _ in range(3)]

    def fit(model):
        model.fit(X, Y, epochs=2, batch_size=128, validation_split=0.2, verbose=0)
        return [array.tobytes() for array in model.get_weights()]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for weights in pool.map(fit, models):
            assert weights == alone[0][: len(weights)]


def _weights_in_child(queue):
    queue.put(trained(2)[0])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_trains_with_threads_of_its_own():
    here = trained(2)[0]  # the team of threads exists from now on; a child of a fork does not inherit it
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_weights_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == here
    child.join()


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_is_a_whole_number_above_0(bad):
    with pytest.raises(hw.errors.InputError, match=r"hw\.config\.set_threads\(2\)"):
        hw.config.set_threads(bad)


def in_a_new_process(code, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    return subprocess.run([sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"HILLWALKER_THREADS": "3", "OMP_NUM_THREADS": "1"}, "3"), ({"OMP_NUM_THREADS": "2"}, "2")],
)
def test_the_environment_sets_the_number_of_threads(environment, expected):
    result = in_a_new_process("import hillwalker; print(hillwalker.config.threads())", **environment)
    assert result.stdout.strip() == expected


def test_a_wrong_number_in_the_environment_is_named():
    result = in_a_new_process("import hillwalker; hillwalker.config.threads()", HILLWALKER_THREADS="0")
    assert "HILLWALKER_THREADS=0" in result.stderr
    assert "HILLWALKER_THREADS=1" in result.stderr
