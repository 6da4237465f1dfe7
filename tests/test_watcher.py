"""A Watcher: what it says, once and in time; what it leaves alone; and that a training is the same with it."""

from __future__ import annotations

import types

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.callbacks import BackupAndRestore, EarlyStopping, Watcher
from hillwalker.errors import HillwalkerWarning, InputError
from hillwalker.training.callbacks import looks

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * RANDOM.normal(size=300)).astype(np.float32)


def made(rate=0.003, optimizer=hw.optimizers.Adam, units=16, seed=0, **dense):
    hw.utils.set_random_seed(seed)
    hidden = hw.layers.Dense(units, activation="relu", **dense)
    model = hw.Sequential([hw.Input((4,)), hidden, hw.layers.Dense(1)])
    model.compile(optimizer(rate), "mse")
    return model


def seen(model, epochs=40, x=X, y=Y, watcher=None, **fit):
    watcher = watcher or Watcher(verbose=0)
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, callbacks=[watcher], **fit)
    return {one.symptom: one for one in watcher.findings}


def driven(losses, validations=None, symptoms=("diverged", "overfitting"), **told):
    """Return the watcher that was told these losses, a value an epoch."""
    watcher = Watcher(symptoms, **({"verbose": 0} | told))
    optimizer = types.SimpleNamespace(learning_rate=0.1)
    watcher.set_model(types.SimpleNamespace(optimizer=optimizer, stop_training=False, stop_reason=None))
    watcher.set_params({"epochs": len(losses)})
    watcher.on_train_begin()
    for epoch, loss in enumerate(losses):
        validation = {} if validations is None or validations[epoch] is None else {"val_loss": validations[epoch]}
        watcher.on_epoch_end(epoch, {"loss": loss, **validation})
        if watcher.model.stop_training:
            break
    return watcher


def told(watcher):
    return [(one.epoch, one.symptom) for one in watcher.findings]


# Healthy trainings


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_training_is_left_alone(seed, capfd):
    assert seen(made(seed=seed), watcher=Watcher(), validation_split=0.3) == {}
    assert capfd.readouterr() == ("", "")


def test_a_training_is_the_same_to_the_bit():
    watched = made()
    seen(watched, epochs=12, validation_split=0.2)
    plain = made()
    history = plain.fit(X, Y, epochs=12, batch_size=16, verbose=0, validation_split=0.2)
    assert history.history == watched.history.history
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_running_statistics_are_not_touched():
    def normalised():
        hw.utils.set_random_seed(0)
        stack = [hw.Input((4,)), hw.layers.Dense(16), hw.layers.BatchNormalization(), hw.layers.ReLU()]
        model = hw.Sequential([*stack, hw.layers.Dense(1)])
        model.compile(hw.optimizers.Adam(1e-8), "mse")
        return model

    watched, plain = normalised(), normalised()
    seen(watched, epochs=8)
    plain.fit(X, Y, epochs=8, batch_size=16, verbose=0)
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        assert np.array_equal(one, other)


# Diverging


def test_a_loss_that_rises_far_above_its_lowest():
    falling = [1.0, 0.6, 0.4]
    assert told(driven([*falling, 0.9, 1.2, 1.5, 2.0])) == [(5, "diverged")]
    assert told(driven([*falling, 0.9, 0.4, 1.5, 0.3])) == []  # leaps that are made good
    assert told(driven([*falling, 0.5, 0.6, 0.7, 0.75])) == []  # not yet twice the lowest
    assert told(driven([1.0, 1.2, 2.1, 3.0, 4.0])) == [(4, "diverged")]  # it never fell
    assert told(driven([100.0, 1.0, 1e-6, 2e-6, 3e-6, 5e-6, 9e-6])) == []  # nothing of what was won
    assert "learning rate of 0.01" in driven([*falling, 0.9, 1.2, 1.5]).findings[0].message


@pytest.mark.filterwarnings("ignore::hillwalker.errors.HillwalkerWarning")
def test_a_loss_that_is_not_finite_is_found_and_told_by_fit_alone(capfd):
    found = seen(made(1e4, hw.optimizers.SGD), watcher=Watcher())
    assert found["diverged"].epoch == 0
    assert "finite" in found["diverged"].message
    assert capfd.readouterr().err == ""


def test_fit_still_warns_of_it():
    with pytest.warns(HillwalkerWarning, match="finite"):
        seen(made(1e4, hw.optimizers.SGD))


# Not learning


def test_a_rate_so_low_that_nothing_is_learned():
    found = seen(made(1e-8))
    assert list(found) == ["not-learning"]
    assert found["not-learning"].epoch == 9
    assert "find_learning_rate" in found["not-learning"].message


def test_a_training_that_goes_on_where_all_is_learned_is_no_such_thing():
    model = made()
    model.fit(X, Y, epochs=150, verbose=0)
    model.optimizer.learning_rate = 1e-9
    assert seen(model) == {}


def test_classes_weights_and_regularizers_do_not_matter():
    labels = (X[:, 0] > 0).astype(np.float32)
    model = hw.Sequential([hw.Input((4,)), hw.layers.Dense(8, "tanh", kernel_regularizer=hw.regularizers.L2(0.1)),
                           hw.layers.Dropout(0.5), hw.layers.Dense(2, "softmax")])  # fmt: skip
    model.compile(hw.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    assert seen(model, y=labels, class_weight={0: 1.0, 1: 5.0}) == {}


# Dead units


def test_dead_units_are_found_at_once_and_named():
    found = seen(made(bias_initializer=hw.initializers.Constant(-50.0)))
    assert found["dead-relu"].epoch == 0
    assert "16 of 16 in dense" in found["dead-relu"].message


def test_one_row_on_which_units_live_is_enough(monkeypatch):
    monkeypatch.setattr(looks, "SAMPLE", 20)
    monkeypatch.setattr(looks, "STRETCH", 64)
    x = X.copy()
    x[137] = 1e3  # not in the sample
    positive = {"kernel_initializer": "ones", "bias_initializer": hw.initializers.Constant(-50.0)}
    told = {"epochs": 1, "x": x}
    assert "dead-relu" not in seen(made(1e-12, **positive), **told)
    assert "dead-relu" in seen(made(1e-12, **positive), epochs=1)


class Kill(hw.callbacks.Callback):
    """Make all hidden units die in the eighth epoch, when the first look is past."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 7:
            kernel, *bias = self.model.layers[0].get_weights()
            self.model.layers[0].set_weights([-abs(kernel), *[np.full_like(one, -50.0) for one in bias]])


@pytest.mark.parametrize("more", [{}, {"bias_regularizer": "l2"}, {"use_bias": False}])
def test_units_that_die_later_are_found_at_the_second_look(more):
    watcher = Watcher(["dead-relu"], verbose=0)
    made(**more).fit(abs(X), Y, epochs=40, verbose=0, callbacks=[Kill(), watcher])
    assert told(watcher) == [(9, "dead-relu")]


def test_rows_are_looked_at_only_where_the_gradient_leaves_doubt(monkeypatch):
    monkeypatch.setattr(looks, "_alive", None)  # it is not called
    model = made()
    model.fit(X, Y, epochs=2, verbose=0)
    assert seen(model, watcher=Watcher(["dead-relu"], verbose=0)) == {}


def test_a_few_dead_units_are_fine():
    biases = np.where(np.arange(16) < 8, -50.0, 0.0)
    model = made()
    model.layers[0].set_weights([model.layers[0].get_weights()[0], biases])
    assert seen(model) == {}


def test_other_activations_and_batch_normalization():
    model = hw.Sequential([hw.Input((4,)), hw.layers.Dense(8), hw.layers.BatchNormalization(), hw.layers.ReLU(),
                           hw.layers.Dense(8, "leaky_relu"), hw.layers.Dense(1)])  # fmt: skip
    model.compile(hw.optimizers.Adam(0.003), "mse")
    assert seen(model) == {}


# Overfitting


FALLING = list(np.geomspace(1.0, 0.1, 30))
NOISE = 0.005 * RANDOM.normal(size=30)
TURNED = np.abs(np.linspace(-0.5, 0.8, 30)) ** 1.5 + 0.4 + NOISE


def test_a_validation_loss_that_turns_while_the_loss_falls():
    found = driven(FALLING, TURNED)
    assert [one.symptom for one in found.findings] == ["overfitting"]
    assert 14 <= found.findings[0].epoch <= 24
    assert "EarlyStopping" in found.findings[0].message


def test_what_is_no_overfitting():
    assert told(driven(FALLING, 0.4 + NOISE)) == []  # noise
    assert told(driven(list(TURNED), TURNED, ["overfitting"])) == []  # the loss rises as well
    assert told(driven(FALLING, [*np.linspace(1.0, 0.4, 24), 0.8, 0.4, 0.8, 0.4, 0.8, 0.4])) == []  # leaps
    assert told(driven(FALLING)) == []  # no validation


def test_validations_need_not_come_every_epoch():
    sparse = [value if epoch % 2 else None for epoch, value in enumerate(np.repeat(TURNED, 2))]
    found = driven(list(np.geomspace(1.0, 0.1, 60)), sparse)
    assert [one.symptom for one in found.findings] == ["overfitting"]


def test_a_wide_network_on_few_rows_is_told_of():
    found = seen(made(0.01, units=256), 200, X[:60], Y[:60] + RANDOM.normal(size=60), validation_split=0.5)
    assert list(found) == ["overfitting"]


# What is done about it


def test_it_says_each_once_on_one_line_of_stderr(capfd):
    driven([1.0, 1.2, 2.1, 3.0, 4.0, 5.0, 6.0], verbose=1)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("Epoch 5: diverged: the loss is 4 and rising")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("stop", "epochs"), [(True, 5), (False, 7), ("diverged", 5), (["overfitting"], 7)])
def test_it_stops_where_it_is_told_to(stop, epochs):
    assert len(driven([1.0, 1.2, 2.1, 3.0, 4.0, 5.0, 6.0], stop=stop)._losses) == epochs


def test_best_weights_are_those_of_early_stopping():
    ways = []
    for callback in (
        Watcher(restore_best_weights=True, verbose=0),
        EarlyStopping(patience=99, restore_best_weights=True),
    ):
        model = made(0.01, units=64)
        model.fit(X[:60], Y[:60], batch_size=16, epochs=60, verbose=0, validation_split=0.5, callbacks=[callback])
        ways.append(model.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*ways, strict=True))


def test_without_validation_the_best_weights_are_those_of_the_lowest_loss():
    model = made(0.3)
    watcher = Watcher(restore_best_weights=True, verbose=0)
    history = model.fit(X, Y, epochs=10, verbose=0, callbacks=[watcher])
    assert history.best_epoch("loss") != 9
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), watcher.best_weights, strict=True))


def test_only_the_symptoms_asked_for():
    assert told(driven([1.0, 1.2, 2.1, 3.0, 4.0], symptoms=("overfitting",))) == []
    assert seen(made(1e-8), watcher=Watcher(["dead-relu"], verbose=0)) == {}


def test_an_unknown_symptom():
    with pytest.raises(InputError, match=r"symptom 'dead-relus'.[\s\S]*Watcher\(symptoms=\['dead-relu'\]\)"):
        Watcher(["dead-relus"])
    with pytest.raises(InputError, match=r"Watcher\(stop="):
        Watcher(stop=["overfiting"])


def test_a_second_training_starts_afresh():
    watcher = Watcher(verbose=0)
    assert seen(made(1e-8), watcher=watcher)
    assert seen(made(), watcher=watcher) == {}


def test_a_resumed_training_is_as_if_uninterrupted(tmp_path):
    noisy = Y[:60] + np.random.default_rng(1).normal(size=60)
    whole = Watcher(restore_best_weights=True, verbose=0)
    told = {"batch_size": 16, "verbose": 0, "validation_split": 0.5}
    model = made(0.01, units=256)
    model.fit(X[:60], noisy, epochs=100, callbacks=[whole], **told)

    class Kill(hw.callbacks.Callback):
        at = 30

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.at:
                raise RuntimeError("killed")

    def killed_or_resumed(kill):
        watcher, model = Watcher(restore_best_weights=True, verbose=0), made(0.01, units=256)
        callbacks = [watcher, BackupAndRestore(tmp_path / "backup"), kill]
        model.fit(X[:60], noisy, epochs=100, callbacks=callbacks, **told)
        return watcher, model

    kill = Kill()
    with pytest.raises(RuntimeError):
        killed_or_resumed(kill)
    kill.at = None
    resumed, again = killed_or_resumed(kill)
    assert resumed.findings == whole.findings
    assert whole.findings
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), again.get_weights(), strict=True))
