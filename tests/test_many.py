"""Many models at once: each is trained as `fit` would train it alone, whatever the threads and the company."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import config
from hillwalker.callbacks import EarlyStopping
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, StateError
from hillwalker.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Input
from hillwalker.models import Sequential, clone_model, copies, fit_many
from hillwalker.optimizers import SGD, Adam, Lion, RMSprop
from hillwalker.schedules import CosineDecay

# The models differ in all that models may differ in, so some are not what anyone would train.
pytestmark = pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")

generator = np.random.default_rng(7)
X = generator.normal(size=(150, 4)).astype("float32")
Y = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * generator.normal(size=150)).astype("float32")
CLASSES = (Y > 0).astype("float32")


def small(seed=0, units=5, optimizer="adam", activation="relu", loss="mse", **compiled):
    with config.seeded(seed):
        model = Sequential([Input((4,)), Dense(units, activation=activation), Dense(1)])
    model.compile(optimizer, loss, **compiled)
    return model


def everything():
    """Models that differ in all that models may differ in."""
    with config.seeded(1):
        deep = Sequential([Input((4,)), Dense(6, "gelu"), Dropout(0.3), Dense(3, "tanh"), GaussianNoise(0.1), Dense(1)])
        normal = Sequential([Input((4,)), Dense(20, "relu", kernel_regularizer="l2"), BatchNormalization(), Dense(1)])
        double = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    deep.compile(RMSprop(0.01, momentum=0.5), "huber")
    normal.compile(Adam(CosineDecay(0.01, 30), weight_decay=0.01), "mae")
    double.compile(SGD(0.1, momentum=0.9, nesterov=True), "mse")
    clipped = small(4, 17, Lion(0.001, clipnorm=0.1), "swish")
    return [deep, normal, double, clipped, small(5), small(6, 33, SGD(0.01))]


def alike(model, other):
    """Whether all that training changes is the same, to the last bit; layers may bear other names."""
    (arrays, told), (others, other_told) = model.snapshot(), other.snapshot()
    numbers, other_numbers = ({**part["state"], "weights": None} for part in (told, other_told))
    same = len(arrays) == len(others) and all(map(np.array_equal, arrays.values(), others.values()))
    records = [(made.history.epoch, made.history.history, made.history.stop_reason) for made in (model, other)]
    return same and numbers == other_numbers and records[0] == records[1]


def alone(models, **told):
    for model in models:
        model.fit(X, Y, verbose=0, **told)
    return models


class TestBits:
    @pytest.mark.parametrize("threads", [1, 2, 3, 16])
    @pytest.mark.parametrize("told", [{}, {"shuffle": False}, {"validation_split": 0.3}, {"batch_size": 7}])
    def test_each_model_is_trained_as_by_fit_alone(self, threads, told):
        models = everything()
        histories = fit_many(models, X, Y, epochs=4, verbose=0, threads=threads, **told)
        for model, other, history in zip(models, alone(everything(), epochs=4, **told), histories, strict=True):
            assert alike(model, other)
            assert history is model.history
            assert len(history.history["loss"]) == 4

    def test_in_double_precision(self):
        config.set_floatx("float64")
        models = everything()
        fit_many(models, X, Y, epochs=3, verbose=0, validation_split=0.2)
        assert models[0].plan.dtype == "float64"
        assert all(map(alike, models, alone(everything(), epochs=3, validation_split=0.2)))

    def test_company_and_order_do_not_matter(self):
        models = everything()
        fit_many(models, X, Y, epochs=3, verbose=0, threads=2)
        backwards = everything()[::-1]
        fit_many(backwards, X, Y, epochs=3, verbose=0, threads=1)
        assert all(map(alike, models, backwards[::-1]))

    def test_on_every_instruction_set(self):
        from hillwalker import engine

        before = engine.instruction_set()
        try:
            for name in engine.instruction_sets():
                engine.choose_instruction_set(name)
                models = everything()
                fit_many(models, X, Y, epochs=2, verbose=0, threads=2)
                assert all(map(alike, models, alone(everything(), epochs=2)))
        finally:
            engine.choose_instruction_set(before)

    def test_training_goes_on_where_it_stopped(self):
        models = everything()
        for _ in range(2):
            fit_many(models, X, Y, epochs=2, verbose=0)
        twice = alone(alone(everything(), epochs=2), epochs=2)
        assert all(map(alike, models, twice))

    def test_sums_of_losses_are_grouped_as_in_fit(self, monkeypatch):
        monkeypatch.setattr("hillwalker.training.loop.PATIENCE", 1e-5)  # seconds a call: a few steps
        monkeypatch.setattr("hillwalker.training.loop.rows_of_a_call", lambda batch_size: batch_size)
        models = everything()
        fit_many(models, X, Y, epochs=2, verbose=0, validation_split=0.4)
        assert all(map(alike, models, alone(everything(), epochs=2, validation_split=0.4)))

    def test_sample_weights(self):
        weight = np.linspace(0, 2, 150)
        models = everything()
        fit_many(models, X, Y, epochs=3, verbose=0, sample_weight=weight, validation_split=0.2)
        others = alone(everything(), epochs=3, sample_weight=weight, validation_split=0.2)
        assert all(map(alike, models, others))

    def test_many_more_models_than_threads(self):
        models = copies(small(), 200)
        fit_many(models, X, Y, epochs=2, verbose=0, threads=3)
        for seed in (0, 77, 199):
            (model,) = copies(small(), [seed])
            assert alike(models[seed], alone([model], epochs=2)[0])


class TestWhatMayDiffer:
    def test_epochs_batch_sizes_and_shuffling(self):
        told = {"epochs": [1, 5, 3], "batch_size": [10, 32, 150], "shuffle": [True, False, True]}
        models = [small(seed) for seed in range(3)]
        fit_many(models, X, Y, verbose=0, **told)
        for number, model in enumerate(models):
            own = {name: values[number] for name, values in told.items()}
            assert alike(model, alone([small(number)], **own)[0])
        assert [len(model.history.epoch) for model in models] == [1, 5, 3]

    def test_rows_are_those_of_data_cut_by_hand(self):
        folds = [range(60), np.arange(150) % 3 == 0, slice(90, None), [5, 5, 5, 149, 0, 7]]
        later = [range(60, 70), np.arange(150) % 3 == 1, slice(0, 90), [1]]
        models = [small(seed) for seed in range(4)]
        fit_many(models, X, Y, epochs=3, batch_size=8, verbose=0, rows=folds, validation_rows=later)
        for seed, (rows, held_out) in enumerate(zip(folds, later, strict=True)):
            rows, held_out = (r if isinstance(r, slice) else np.asarray(r) for r in (rows, held_out))
            other = small(seed)
            validation = (X[held_out], Y[held_out])
            other.fit(X[rows], Y[rows], epochs=3, batch_size=8, verbose=0, validation_data=validation)
            assert alike(models[seed], other)

    def test_one_choice_of_rows_for_all(self):
        models = [small(seed) for seed in range(2)]
        fit_many(models, X, Y, epochs=2, verbose=0, rows=range(100), validation_split=0.25)
        assert models[0].history.params["samples"] == 75
        for seed, model in enumerate(models):
            other = small(seed)
            other.fit(X[:100], Y[:100], epochs=2, verbose=0, validation_split=0.25)
            assert alike(model, other)

    def test_data_of_their_own(self):
        scaled = [X * factor for factor in (1, 2, 3)]
        targets = [Y[:, None] + shift for shift in (0, 1, 2)]
        models = [small(seed) for seed in range(3)]
        pairs = [(X[:9], Y[:9]), (X[9:20], Y[9:20]), (X[20:], Y[20:])]
        weights = [np.full(150, factor) for factor in (1.0, 0.5, 2.0)]
        told = {"validation_data": pairs, "sample_weight": weights}
        fit_many(models, scaled, targets, epochs=2, verbose=0, **told)
        for seed in range(3):
            other = small(seed)
            own = {name: values[seed] for name, values in told.items()}
            other.fit(scaled[seed], targets[seed], epochs=2, verbose=0, **own)
            assert alike(models[seed], other)

    def test_lists_of_numbers_are_data_for_all(self):
        models = [small(0), small(1)]
        fit_many(models, [[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], [0.5, 0.7], verbose=0)
        other = small(1)
        other.fit([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], [0.5, 0.7], verbose=0)
        assert alike(models[1], other)

    def test_models_not_built_yet(self):
        model = Sequential([Dense(3, activation="relu"), Dense(1)])
        model.compile("adam", "mse")
        fit_many([model], X, Y, verbose=0)
        assert model.input_shape == (None, 4)

    def test_nothing_to_do(self):
        assert fit_many([], X, Y, verbose=0) == []
        model = small()
        before = model.get_weights()
        (history,) = fit_many([model], X, Y, epochs=0, verbose=0)
        assert history.history == {}
        assert all(map(np.array_equal, before, model.get_weights()))

    def test_one_order_for_all(self):
        first, second = small(1), small(1)
        second.state.seed = 99
        fit_many([first, second], X, Y, epochs=2, verbose=0, order_seed=5)
        assert all(map(np.array_equal, first.get_weights(), second.get_weights()))
        third = small(1)
        third.state.seed = 5
        alone([third], epochs=2)
        assert first.history.history == third.history.history
        assert all(map(np.array_equal, first.get_weights(), third.get_weights()))


STOPPING = [
    EarlyStopping(patience=2),
    EarlyStopping(patience=1, restore_best_weights=True),
    EarlyStopping("loss", min_delta=0.05, patience=1, restore_best_weights=True),
    EarlyStopping("val_loss", baseline=0.1, patience=3, restore_best_weights=True),
    EarlyStopping(start_from_epoch=4, patience=0),
    EarlyStopping("val_loss", mode="max", patience=1, restore_best_weights=True),
    None,
]


class TestEarlyStopping:
    def test_as_the_callback_of_fit(self):
        def fresh():
            return [small(seed, 30, Adam(0.05)) for seed in range(len(STOPPING))]

        models, ended = fresh(), []
        told = {"epochs": 40, "rows": range(40), "validation_split": 0.3}
        fit_many(models, X, Y, early_stopping=STOPPING, verbose=0, threads=2, **told)
        for model, other, stopping in zip(models, fresh(), STOPPING, strict=True):
            watching = [] if stopping is None else [stopping]
            other.fit(X[:40], Y[:40], epochs=40, validation_split=0.3, verbose=0, callbacks=watching)
            assert alike(model, other)
            assert model.stop_training == other.stop_training
            ended.append(len(model.history.epoch))
        assert ended[-1] == 40
        assert len(set(ended)) > 3  # the rules decided differently, so they were followed

    def test_of_a_metric(self):
        def fresh():
            return [small(seed, 30, Adam(0.05), metrics=["mae"]) for seed in range(2)]

        stopping = EarlyStopping("val_mae", patience=1, restore_best_weights=True)
        models = fresh()
        fit_many(models, X, Y, epochs=40, validation_split=0.3, early_stopping=stopping, verbose=0)
        for model, other in zip(models, fresh(), strict=True):
            other.fit(X, Y, epochs=40, validation_split=0.3, verbose=0, callbacks=[stopping])
            assert alike(model, other)
            assert len(model.history.epoch) < 40

    def test_of_what_is_not_measured_is_refused(self):
        with pytest.raises(InputError, match="validation_split"):
            fit_many([small()], X, Y, early_stopping=EarlyStopping(), verbose=0)
        with pytest.raises(InputError, match="one of loss, val_loss"):
            fit_many([small()], X, Y, early_stopping=EarlyStopping("val_acc"), validation_split=0.2, verbose=0)
        with pytest.raises(InputTypeError, match="early_stopping='loss'"):
            fit_many([small()], X, Y, early_stopping="loss", verbose=0)


class TestFailures:
    def test_one_that_diverges_among_healthy_ones(self):
        models = [small(0), small(1, optimizer=SGD(1e10)), small(2)]
        with pytest.warns(HillwalkerWarning, match="3 trainings, 1 of which failed; model 1"):
            fit_many(models, X, Y, epochs=5, validation_split=0.2, verbose=0)
        other = small(1, optimizer=SGD(1e10))
        with pytest.warns(HillwalkerWarning):
            other.fit(X, Y, epochs=5, validation_split=0.2, verbose=0)
        assert "finite" in models[1].history.stop_reason
        assert models[1].history.stop_reason == other.history.stop_reason
        assert all(map(np.array_equal, models[1].get_weights(), other.get_weights()))
        np.testing.assert_equal(models[1].history.history, other.history.history)
        assert models[1].optimizer.iterations == other.optimizer.iterations
        for seed in (0, 2):
            assert alike(models[seed], alone([small(seed)], epochs=5, validation_split=0.2)[0])

    def test_a_weight_that_becomes_infinite(self):
        models = [small(3, activation="linear", optimizer=SGD(1e38))]
        tiny = np.full_like(Y, 1e3)
        with pytest.warns(HillwalkerWarning):
            fit_many(models, X, tiny, batch_size=150, epochs=1, verbose=0)
        assert "a weight became infinite" in models[0].history.stop_reason
        assert all(map(np.array_equal, models[0].get_weights(), small(3, activation="linear").get_weights()))

    def test_a_function_that_raises_ends_the_run(self):
        calls = []

        def fails(y_true, y_pred):
            calls.append(len(y_true))
            if len(calls) > 60:
                raise ZeroDivisionError("mine")
            return np.mean((y_true - y_pred) ** 2, axis=-1)

        models = [small(0), small(1, loss=fails)]
        with pytest.raises(ZeroDivisionError, match="mine"):
            fit_many(models, X, Y, epochs=1000, verbose=0)

    def test_in_threads_of_the_users(self):
        """Two calls at once, neither from the main thread."""
        groups = [[small(10 * group + k) for k in range(4)] for group in range(2)]
        threads = [
            threading.Thread(target=fit_many, args=(group, X, Y), kwargs={"epochs": 20, "verbose": 0, "threads": 2})
            for group in groups
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, group in enumerate(groups):
            for k, model in enumerate(group):
                assert alike(model, alone([small(10 * number + k)], epochs=20)[0])

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_after_a_fork(self):
        """The threads end with the call, so a child process may train too."""
        fit_many([small()], X, Y, verbose=0)
        script = """
            import os, numpy as np, hillwalker as hw
            from hillwalker.layers import Dense, Input
            model = hw.Sequential([Input((4,)), Dense(3), Dense(1)])
            model.compile("adam", "mse")
            X = np.ones((50, 4)); y = np.ones(50)
            hw.fit_many(hw.copies(model, 3), X, y, verbose=0, threads=2)
            child = os.fork()
            if child == 0:
                hw.fit_many(hw.copies(model, 3), X, y, verbose=0, threads=2)
                os._exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "7\n", done.stderr


class TestPython:
    """Models that need Python between steps or epochs train by the ordinary loop, through the same call."""

    def test_metrics(self):
        def fresh():
            return [small(seed, loss="bce", activation="tanh", metrics=["accuracy", "auc"]) for seed in range(3)]

        def sigmoid(models):
            for model in models:
                model.add(Dense(1, activation="sigmoid", kernel_initializer="ones"))
            return models

        models = [small(9), *sigmoid(fresh())]
        fit_many(models, X, CLASSES, epochs=3, validation_split=0.2, verbose=0, threads=2)
        assert set(models[1].history.history) == {"loss", "accuracy", "auc", "val_loss", "val_accuracy", "val_auc"}
        for model, other in zip(models, [small(9), *sigmoid(fresh())], strict=True):
            other.fit(X, CLASSES, epochs=3, validation_split=0.2, verbose=0)
            assert alike(model, other)

    def test_functions_of_the_users(self):
        def loss(y_true, y_pred):
            return np.mean(np.abs(y_true - y_pred) ** 1.5, axis=-1)

        def cube(z):
            return z * z * z

        def fresh():
            return [small(0, loss=loss), small(1, activation=cube), small(2)]

        models = fresh()
        fit_many(models, X, Y, epochs=3, verbose=0, threads=3)
        assert all(map(alike, models, alone(fresh(), epochs=3)))

    def test_rows_and_order(self):
        weight = np.linspace(0, 2, 150)
        kinds = ({}, {"metrics": ["mae"]})
        models = [small(1, **kind) for kind in kinds]
        told = {"order_seed": 3, "rows": range(20, 120), "validation_rows": range(20), "sample_weight": weight}
        seeds = [model.state.seed for model in models]
        fit_many(models, X, Y, epochs=3, verbose=0, **told)
        assert all(map(np.array_equal, models[0].get_weights(), models[1].get_weights()))
        assert models[0].history.history["val_loss"] == models[1].history.history["val_loss"]
        assert seeds == [model.state.seed for model in models]

    def test_long_schedules_and_mapped_files(self, monkeypatch, tmp_path):
        monkeypatch.setattr("hillwalker.training.job.MOST_RATES", 3)
        np.save(tmp_path / "x.npy", X)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        for data, optimizer in ((X, CosineDecay(0.01, 30)), (mapped, 0.01)):
            model, other = small(3, optimizer=Adam(optimizer)), small(3, optimizer=Adam(optimizer))
            fit_many([model], data, Y, epochs=3, verbose=0)
            other.fit(data, Y, epochs=3, verbose=0)
            assert alike(model, other)

    def test_the_reference_engine(self, monkeypatch):
        monkeypatch.setenv("HILLWALKER_ENGINE", "reference")
        models = [small(seed) for seed in range(2)]
        fit_many(models, X, Y, epochs=2, verbose=0)
        assert all(map(alike, models, alone([small(seed) for seed in range(2)], epochs=2)))


@pytest.fixture
def ctrl_c():
    """Press Ctrl-C in a second."""
    pressed = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    pressed.start()
    began = time.perf_counter()
    yield
    pressed.join()
    assert time.perf_counter() - began < 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
class TestCtrlC:
    def test_what_is_done_stays(self):
        models = [small(0), small(1), small(2, metrics=["mae"]), small(3)]
        histories = fit_many(models, X, Y, epochs=[3, 10**9, 10**8, 10**6], verbose=0, threads=4)
        assert [history.interrupted for history in histories] == [False, True, True, True]
        assert alike(models[0], alone([small(0)], epochs=3)[0])
        for model in models[1:]:
            done = len(model.history.epoch)
            assert done > 10
            assert f"after {done} finished epochs" in model.history.stop_reason
            assert model.optimizer.iterations >= 5 * done
            assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_what_has_not_begun_says_so(self):
        models = [small(0), small(1), small(2, metrics=["mae"])]
        fit_many(models, X, Y, epochs=[10**9, 3, 2], verbose=0, threads=1)
        for seed, model in enumerate(models[1:], start=1):
            assert model.history.interrupted
            assert model.history.epoch == []
            assert all(map(np.array_equal, model.get_weights(), small(seed).get_weights()))


class TestCopies:
    def test_a_copy_is_the_model_made_after_its_seed(self):
        def original():
            return small(optimizer=Adam(0.02, weight_decay=0.1), metrics=["mae"])

        hw.utils.set_random_seed(12)
        expected = clone_model(original())
        made = copies(original(), [12, 3])
        assert all(map(np.array_equal, made[0].get_weights(), expected.get_weights()))
        assert made[0].state.seed == expected.state.seed
        assert not np.array_equal(made[0].get_weights()[0], made[1].get_weights()[0])
        assert made[1].optimizer is not made[0].optimizer
        assert made[1].optimizer.get_config() == original().optimizer.get_config()
        assert made[0].get_compile_config() == original().get_compile_config()

    def test_the_global_generator_stays(self):
        hw.utils.set_random_seed(0)
        model = small()
        first = config.next_seed()
        hw.utils.set_random_seed(0)
        copies(model, 5)
        assert config.next_seed() == first

    def test_metrics_are_not_shared(self):
        model = small(metrics=[hw.metrics.MeanAbsoluteError()])
        first, second = copies(model, 2)
        fit_many([first, second], X, Y, epochs=2, verbose=0)
        assert first.history.history != second.history.history
        assert first.metrics[0] is not second.metrics[0]

    @pytest.mark.parametrize("seeds", [0, -1, True, [-1], [2**32], ["one"]])
    def test_bad_seeds(self, seeds):
        with pytest.raises((InputError, InputTypeError)):
            copies(small(), seeds)

    def test_no_model(self):
        with pytest.raises(InputTypeError, match=r"copies\(model, 10\)"):
            copies("model", 3)


BAD = [
    ({"models": small}, InputTypeError, "a list of models"),
    ({"models": ["model"]}, InputTypeError, "'model' as model 0"),
    ({"epochs": [1, 2, 3]}, InputError, "epochs with 3 values for 2 models"),
    ({"epochs": -1}, InputError, "epochs=-1"),
    ({"epochs": [1, 2.5]}, InputError, "epochs=2.5"),
    ({"batch_size": [8, 0]}, InputError, "batch_size=0"),
    ({"threads": 0}, InputError, "threads=0"),
    ({"order_seed": "a"}, InputError, "order_seed='a'"),
    ({"verbose": 7}, InputError, "verbose=7"),
    ({"rows": [[0, 1], [150]]}, InputError, "rows with 150"),
    ({"rows": [range(3), [-1]]}, InputError, "rows with -1"),
    ({"rows": [range(3), []]}, InputError, "at least one row"),
    ({"rows": [range(3), np.ones(3, bool)]}, InputError, "150 booleans"),
    ({"rows": [range(3), [0.5]]}, InputError, "dtype float64"),
    ({"validation_split": [0.1, 1.5]}, InputError, "validation_split=1.5"),
    ({"validation_split": 0.1, "validation_rows": range(3)}, InputError, "more than one of"),
    ({"validation_data": [(X, Y), (X[:, :3], Y)]}, InputError, "shape"),
    ({"validation_data": "X"}, InputError, "validation_data of type str"),
    ({"x": [X[:, :3], X]}, InputError, "shape"),
    ({"x": [X, np.full((150, 4), np.nan)]}, InputError, "NaN"),
    ({"y": [Y, Y[:100]]}, InputError, "the same number of rows"),
    ({"sample_weight": np.ones(3)}, InputError, "sample_weight"),
]


@pytest.mark.parametrize(("told", "error", "message"), BAD)
def test_bad_input_is_refused_before_anything_is_trained(told, error, message):
    unbuilt = Sequential([Dense(2), Dense(1)])
    unbuilt.compile("adam", "mse")
    models = [small(0), unbuilt]
    before = models[0].get_weights()
    arguments = {"models": models, "x": X, "y": Y, "epochs": 3, "verbose": 0} | told
    with pytest.raises(error, match=message):
        fit_many(**arguments)
    assert all(map(np.array_equal, before, models[0].get_weights()))
    assert models[0].history is None
    assert not unbuilt.built


def test_a_model_twice_or_not_compiled_is_refused():
    model = small()
    with pytest.raises(InputError, match="twice"):
        fit_many([model, small(1), model], X, Y, verbose=0)
    with pytest.raises(StateError, match="compile"):
        fit_many([model, Sequential([Input((4,)), Dense(1)])], X, Y, verbose=0)


def test_shared_data_are_checked_once(monkeypatch):
    from hillwalker.models.edge import Edge

    calls = []
    data = Edge.data
    monkeypatch.setattr(Edge, "data", lambda *given, **told: calls.append(told["prefix"]) or data(*given, **told))
    fit_many(copies(small(), 20), X, Y, verbose=0, validation_data=(X, Y))
    assert calls == ["", "validation "]


def test_what_is_shown(capsys, monkeypatch):
    fit_many([small()], X, Y, epochs=2)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("hillwalker.models.many.QUIET", 0.0)
    fit_many([small()], X, Y, epochs=2)
    assert capsys.readouterr().out.startswith("fit_many - ")
    fit_many([small()], X, Y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def lane_models():
    """Shapes, activations, losses and optimizers that have lanes, a few models of each with rates of their own."""
    for activation, loss in (
        ("relu", "mse"),
        ("tanh", "mae"),
        ("sigmoid", "huber"),
        ("gelu", "mse"),
        ("elu", "log_cosh"),
    ):
        for optimizer in (
            SGD(0.01),
            SGD(0.01, 0.9, nesterov=True),
            Adam(0.01),
            RMSprop(0.01, momentum=0.5, centered=True),
        ):
            yield [(activation, loss, optimizer, units, seed) for units in (1, 3, 15, 16) for seed in range(3)]
    yield [("relu", "mse", Adam(0.01, weight_decay=0.1, amsgrad=True), 8, seed) for seed in range(20)]
    yield [("swish", hw.losses.BinaryCrossentropy(from_logits=True), Adam(CosineDecay(0.01, 10)), 8, 0)]
    yield [("tanh", "hinge", SGD(0.01), 8, 0), ("relu", "squared_hinge", SGD(0.01), 8, 1)]


def made(activation, loss, optimizer, units, seed):
    model = small(seed, units, type(optimizer).from_config(optimizer.get_config()), activation, loss)
    if not isinstance(optimizer, Adam):
        model.optimizer.learning_rate *= 1 + seed
    return model


class TestLanes:
    @pytest.mark.parametrize("floatx", ["float32", "float64"])
    @pytest.mark.parametrize("kind", list(lane_models()))
    def test_like_alone_but_for_rounding(self, kind, floatx):
        config.set_floatx(floatx)
        models, others = [made(*one) for one in kind], [made(*one) for one in kind]
        told = {"epochs": 4, "validation_split": 0.2, "batch_size": 50, "verbose": 0, "sample_weight": Y * Y}
        fit_many(models, X, CLASSES, lanes=True, threads=2, **told)
        fit_many(others, X, CLASSES, order_seed=0, **told)
        close = {"rtol": 1e-3, "atol": 5e-5} if floatx == "float32" else {"rtol": 1e-9, "atol": 1e-12}
        for model, other in zip(models, others, strict=True):
            assert model.optimizer.iterations == other.optimizer.iterations == 12
            for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_allclose(mine, theirs, **close)
            for name, curve in other.history.history.items():
                np.testing.assert_allclose(model.history.history[name], curve, **close)

    def test_they_are_lanes_indeed(self, monkeypatch):
        """Without this, the tests above would also pass if every model trained alone."""
        from hillwalker.training import lanes

        begun = []
        init = lanes.InLanes.__init__
        monkeypatch.setattr(
            lanes.InLanes, "__init__", lambda self, jobs, alike: begun.append(len(jobs)) or init(self, jobs, alike)
        )
        fit_many([made(*one) for kind in lane_models() for one in kind], X, CLASSES, lanes=True, verbose=0)
        assert sum(begun) == sum(map(len, lane_models()))

    def test_no_model_depends_on_another(self):
        def fresh(seeds):
            return [small(seed, 7, Adam(0.001 * (1 + seed))) for seed in seeds]

        first = fresh(range(40))
        fit_many(first, X, Y, epochs=3, lanes=True, verbose=0, threads=2)
        backwards = fresh(range(39, -1, -1))
        fit_many([*backwards, small(1, 9)], X, Y, epochs=3, lanes=True, verbose=0, threads=3)
        assert all(map(alike, first, backwards[::-1]))
        for seed in (0, 17, 39):
            (single,) = fresh([seed])
            fit_many([single], X, Y, epochs=3, lanes=True, verbose=0)
            assert alike(single, first[seed])

    def test_on_every_instruction_set(self):
        from hillwalker import engine

        before = engine.instruction_set()
        others = [small(seed, 5) for seed in range(9)]
        fit_many(others, X, Y, epochs=2, order_seed=0, verbose=0)
        try:
            for name in engine.instruction_sets():
                engine.choose_instruction_set(name)
                models = [small(seed, 5) for seed in range(9)]
                fit_many(models, X, Y, epochs=2, lanes=True, verbose=0)
                for model, other in zip(models, others, strict=True):
                    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
                        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
        finally:
            engine.choose_instruction_set(before)

    def test_rows_epochs_early_stopping_and_going_on(self):
        def fresh():
            return [small(seed, 12, Adam(0.05)) for seed in range(len(STOPPING))]

        told = {"rows": range(40), "validation_rows": range(60, 90), "early_stopping": STOPPING, "verbose": 0}
        models, others = fresh(), fresh()
        for epochs in ([40] * 6 + [7], 3):
            fit_many(models, X, Y, epochs=epochs, lanes=True, **told)
            fit_many(others, X, Y, epochs=epochs, order_seed=0, **told)
            for model, other in zip(models, others, strict=True):
                assert model.history.epoch == other.history.epoch
                for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
                    np.testing.assert_allclose(mine, theirs, rtol=1e-2, atol=1e-3)

    def test_one_that_diverges(self):
        models = [small(seed, 6, SGD(rate)) for seed, rate in enumerate((0.01, 1e10, 0.02, 1e38))]
        with pytest.warns(HillwalkerWarning, match="2 of which failed"):
            fit_many(models, X, Y, epochs=5, lanes=True, validation_split=0.2, verbose=0)
        healthy = [small(seed, 6, SGD(rate)) for seed, rate in ((0, 0.01), (2, 0.02))]
        fit_many(healthy, X, Y, epochs=5, lanes=True, validation_split=0.2, verbose=0)
        assert alike(models[0], healthy[0])
        assert alike(models[2], healthy[1])
        other = small(1, 6, SGD(1e10))
        with pytest.warns(HillwalkerWarning):
            fit_many([other], X, Y, epochs=5, order_seed=0, validation_split=0.2, verbose=0)
        assert models[1].history.epoch == other.history.epoch
        assert models[1].optimizer.iterations == other.optimizer.iterations
        assert np.isnan(models[1].history.history["val_loss"][-1])

    def test_what_has_no_lanes_is_trained_alone(self):
        models = everything()
        fit_many(models, X, Y, epochs=3, lanes=True, verbose=0)
        others = everything()
        fit_many(others, X, Y, epochs=3, order_seed=0, verbose=0)
        for model, other in zip(models, others, strict=True):
            assert alike(model, other) or model.history.params["lanes"]
        assert sum("lanes" in model.history.params for model in models) == 2

    @pytest.mark.usefixtures("ctrl_c")
    def test_ctrl_c(self):
        models = [small(seed) for seed in range(3)]
        fit_many(models, X, Y, epochs=[10**8, 2, 10**8], lanes=True, verbose=0)
        assert [model.history.interrupted for model in models] == [True, False, True]
        assert len(models[1].history.epoch) == 2
        assert models[0].optimizer.iterations >= 5 * len(models[0].history.epoch) > 100
