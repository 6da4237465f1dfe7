"""`model.fit(..., seeds=30)`: the model's own training is untouched, and the others are what `fit` makes of copies."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import config
from hillwalker.callbacks import CSVLogger, EarlyStopping
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError
from hillwalker.layers import BatchNormalization, Dense, Dropout, Input
from hillwalker.models import seeds
from hillwalker.plots import plot_seeds
from hillwalker.training import many

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, 0] - X[:, 1] ** 2 + 0.1 * RANDOM.normal(size=120)).astype(np.float32)
CLASSES = np.where(Y > 0, 2, np.where(Y > -1, 1, 0))


def small(*layers, loss="mse", seed=5, optimizer="adam", **told):
    with config.seeded(seed):
        model = hw.Sequential([Input((4,)), *(layers or (Dense(8, activation="relu"), Dense(1)))])
    model.compile(optimizer, loss, **told)
    return model


def deep():
    return Dense(6, "tanh"), BatchNormalization(), Dropout(0.2), Dense(3, "softmax")


def squares(y_true, y_pred):
    return np.sum(y_pred**2, axis=-1)


def sigmoid():
    return Dense(6, "tanh"), Dense(1, "sigmoid")


def test_the_model_and_its_curves_are_what_they_are_without(engine):
    with_seeds, without = small(), small()
    history = with_seeds.fit(X, Y, epochs=3, validation_split=0.2, verbose=0, seeds=4)
    plain = without.fit(X, Y, epochs=3, validation_split=0.2, verbose=0)
    assert history == plain
    assert plain.seeds is None
    assert with_seeds.history is history
    assert with_seeds.optimizer.iterations == without.optimizer.iterations
    arrays, others = with_seeds.snapshot()[0], without.snapshot()[0]
    assert len(arrays) == len(others)
    assert all(map(np.array_equal, arrays.values(), others.values()))
    assert config.next_seed() == (config.set_random_seed(0), config.next_seed())[1]  # the generator is left alone


@pytest.mark.parametrize(
    ("layers", "y", "loss", "told"),
    [
        (tuple, Y, "mse", {"validation_split": 0.25, "sample_weight": np.linspace(0.5, 2, 120)}),
        (tuple, Y, "mse", {"validation_data": (X[:30], Y[:30], np.ones(30)), "shuffle": False}),
        (deep, CLASSES, "sparse_categorical_crossentropy",
         {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}, "validation_split": 0.2}),
        (sigmoid, CLASSES > 0, "binary_crossentropy",
         {"validation_split": 0.2, "class_weight": {0: 4.0, 1: 1.0}}),
    ],
    ids=["weights", "validation_data", "classes", "binary"],
)  # fmt: skip
@pytest.mark.parametrize("metrics", [None, [squares]])
def test_each_seed_is_the_fit_of_a_copy(layers, y, loss, told, metrics):
    told = {"epochs": 4, "batch_size": 25, "verbose": 0} | told
    model = small(*layers(), loss=loss, metrics=metrics)
    copies = hw.copies(model, [3, 8])
    curves = model.fit(X, y, seeds=[3, 8], **told).seeds
    assert curves.seeds == (3, 8)
    for place, copy in enumerate(copies):
        history = copy.fit(X, y, **told)
        for name, values in history.history.items():
            assert curves.curves[name][place].tolist() == values


def test_seeds_of_a_model_without_a_shape_are_those_of_one_with_it():
    def made(*shape):
        model = hw.Sequential([*shape, Dense(8, activation="relu"), Dense(1)])
        model.compile("adam", "mse")
        return model

    curves = made().fit(X, Y, epochs=2, verbose=0, seeds=[4]).seeds
    (copy,) = hw.copies(made(Input((4,))), [4])
    assert curves.curves["loss"][0].tolist() == copy.fit(X, Y, epochs=2, verbose=0).history["loss"]
    hw.utils.set_random_seed(4)
    assert curves.curves["loss"][0].tolist() == made().fit(X, Y, epochs=2, verbose=0).history["loss"]


def test_early_stopping_holds_for_each_seed():
    stopping = EarlyStopping(patience=2, restore_best_weights=True)
    model = small(optimizer=hw.optimizers.Adam(0.05))
    copies = hw.copies(model, 5)
    curves = model.fit(X, Y, epochs=60, validation_split=0.2, verbose=0, callbacks=stopping, seeds=5).seeds
    for place, copy in enumerate(copies):
        told = {"callbacks": [EarlyStopping(patience=2, restore_best_weights=True)], "validation_split": 0.2}
        history = copy.fit(X, Y, epochs=60, verbose=0, **told)
        assert curves.epochs[place] == len(history.epoch) < 60
        assert curves.kept[place] == history.best_epoch()
        assert curves.final("val_loss")[place] == min(history.history["val_loss"])
        assert np.isnan(curves.curves["loss"][place, len(history.epoch) :]).all()


def test_seeds_that_fail_are_marked_and_the_model_stands():
    model = small(optimizer=hw.optimizers.SGD(3.0))
    with pytest.warns(HillwalkerWarning):
        history = model.fit(X, Y * 1e3, epochs=30, verbose=0, seeds=6)
    assert history.seeds.failed.any()
    assert np.isnan(history.seeds.final("loss")[history.seeds.failed]).all()
    assert f"; {history.seeds.failed.sum()} failed" in repr(history.seeds)


def test_quartiles_are_of_the_seeds_that_did_the_epoch():
    curves = hw.training.seeds.SeedCurves(
        (0, 1, 2), {"loss": np.array([[4.0, 3.0], [2.0, 1.0], [3.0, np.nan]])},
        np.array([2, 2, 1]), np.array([1, 1, 0]), np.zeros(3, bool),
    )  # fmt: skip
    assert curves.quartiles("loss").tolist() == [[2.5, 1.5], [3.0, 2.0], [3.5, 2.5]]
    assert curves.final("loss").tolist() == [3.0, 1.0, 3.0]
    frame = curves.to_frame()
    assert frame["seed"].tolist() == [0, 0, 1, 1, 2]
    assert frame["loss"].tolist() == [4.0, 3.0, 2.0, 1.0, 3.0]
    assert json.loads(json.dumps(curves.to_dict()))["curves"]["loss"][2] == [3.0, None]
    with pytest.raises(InputError, match="final"):
        curves.final("val_loss")


def test_the_record_and_the_pictures_tell_of_the_seeds():
    history = small(metrics=["mae"]).fit(X, Y, epochs=5, validation_split=0.2, verbose=0, seeds=7)
    assert repr(history).endswith(repr(history.seeds))
    assert "7 seeds: val_loss in the end" in repr(history)
    assert history.to_dict()["seeds"]["seeds"] == list(range(7))
    panel = history.plot().axes[0]
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert "validation, middle half of 7 seeds" in labels
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    low, _, high = history.seeds.quartiles("loss")
    assert band.min() == pytest.approx(low.min())
    assert band.max() == pytest.approx(high.max())
    figure = history.seeds.plot(["val_loss"])
    assert len(figure.axes[0].lines) == 8
    with pytest.raises(InputError, match="val_mse"):
        plot_seeds(history.seeds, ["val_mse"])


def test_ctrl_c_keeps_the_seeds_that_are_done(monkeypatch):
    finished = many.train

    def pressed(jobs, threads, lanes, show):
        def watch(share):
            show(share)
            if share > 0.2 and not asked:
                asked.append(share)
                os.kill(os.getpid(), signal.SIGINT)

        asked = []
        finished(jobs, threads, lanes, watch)

    monkeypatch.setattr(many, "train", pressed)
    model = small(Dense(64, "relu"), Dense(64, "relu"), Dense(1))
    history = model.fit(np.tile(X, (20, 1)), np.tile(Y, 20), epochs=5, batch_size=8, verbose=0, seeds=100)
    assert len(history.epoch) == 5
    assert 0 < len(history.seeds.seeds) < 100
    assert (history.seeds.epochs == 5).all()


def test_ctrl_c_before_the_first_seed_leaves_the_model_trained(monkeypatch):
    def pressed(*told):
        raise KeyboardInterrupt

    monkeypatch.setattr(seeds, "copies", pressed)
    history = small().fit(X, Y, epochs=5, verbose=0, seeds=3)
    assert (len(history.epoch), history.seeds, history.interrupted) == (5, None, False)


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"seeds": 0}, InputError, "seeds=0"),
        ({"seeds": "all"}, InputTypeError, "how many, or a list"),
        ({"seeds": [1, 1]}, InputError, "each once"),
        ({"seeds": [-1]}, InputError, "seeds"),
        ({"callbacks": [EarlyStopping(), CSVLogger("log.csv")]}, InputError, "EarlyStopping, CSVLogger"),
        ({"callbacks": [EarlyStopping(), EarlyStopping("loss")]}, InputError, "no callbacks but one EarlyStopping"),
        ({"initial_epoch": 1, "epochs": 3}, InputError, "seeds and initial_epoch=1"),
        ({"validation_freq": 2, "validation_split": 0.2}, InputError, "seeds and validation_freq=2"),
        ({"validation_batch_size": 7, "validation_split": 0.2}, InputError, "seeds and validation_batch_size=7"),
    ],
)
def test_what_cannot_go_together_is_refused_before_anything_is_trained(told, error, words):
    model = small()
    before = model.get_weights()
    with pytest.raises(error, match=words):
        model.fit(X, Y, verbose=0, **({"seeds": 3} | told))
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.history is None
    assert model.optimizer.iterations == 0


def test_a_model_that_goes_on_is_told_that_the_seeds_start_afresh():
    model = small()
    copies = hw.copies(model, 2)
    model.fit(X, Y, epochs=2, verbose=0)
    with pytest.warns(HillwalkerWarning, match="start afresh"):
        curves = model.fit(X, Y, epochs=2, verbose=0, seeds=2).seeds
    assert curves.curves["loss"][1].tolist() == copies[1].fit(X, Y, epochs=2, verbose=0).history["loss"]
