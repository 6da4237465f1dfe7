"""What a Recorder sees, that it disturbs nothing, that its memory is bounded, and that it survives a crash."""

import json

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import activations
from hillwalker.layers import Activation, BatchNormalization, Dense, Dropout
from hillwalker.training.callbacks.recorder import dead, saturated


def data(rows=100):
    random = np.random.default_rng(3)
    X = random.normal(size=(rows, 4))
    return X, X[:, 0] - 2 * X[:, 1]


def build(layers=None, optimizer="adam"):
    hw.utils.set_random_seed(11)
    model = hw.Sequential([hw.Input((4,)), *(layers or [Dense(6, activation="relu", name="h"), Dense(1, name="o")])])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def recorded(epochs=5, layers=None, optimizer="adam", fit=None, **settings):
    model, recorder = build(layers, optimizer), hw.callbacks.Recorder(**settings)
    model.fit(*data(), epochs=epochs, verbose=0, callbacks=[recorder], **(fit or {}))
    return model, recorder


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_training_has_the_same_bits_with_and_without(engine, monkeypatch):
    monkeypatch.setenv("HILLWALKER_ENGINE", engine)

    def layers():
        return [Dense(8, name="a"), BatchNormalization(), Activation("relu"), Dropout(0.3), Dense(1, name="b")]

    plain = build(layers())
    history = plain.fit(*data(), epochs=4, verbose=0, validation_split=0.2)
    watched, _ = recorded(4, layers(), fit={"validation_split": 0.2})
    assert (plain.state.parameters == watched.state.parameters).all()
    assert all((plain.state.slots[name] == watched.state.slots[name]).all() for name in plain.state.slots)
    assert history.history == watched.history.history
    assert plain.optimizer.iterations == watched.optimizer.iterations


def test_what_is_recorded_is_what_was():
    model, recorder = recorded(6, every=2, optimizer=hw.optimizers.SGD(0.05))
    recording = recorder.recording
    assert recording.epochs.tolist() == [0, 2, 4, 6]
    assert recording.iterations.tolist() == [0, 8, 16, 24]
    assert (recording.vectors[-1] == model.state.parameters).all()
    again = build(optimizer=hw.optimizers.SGD(0.05))
    assert (recording.vectors[0] == again.state.parameters).all()
    again.fit(*data(), epochs=2, verbose=0)
    assert (recording.vectors[1] == again.state.parameters).all()
    assert recording.layers == ("h", "o")
    assert recording.weights == ("h/kernel", "h/bias", "o/kernel", "o/bias")
    kernel = model.weights[0]
    assert recording.weight_norm[-1, 0] == pytest.approx(np.linalg.norm(kernel), rel=1e-6)
    # plain gradient descent: update = rate * gradient; all 100 rows are the probe
    assert recording.rows == 100
    expected = 0.05 * recording.gradient_norm[-1, 0] / recording.weight_norm[-1, 0]
    assert recording.update_ratio[-1, 0] == pytest.approx(expected, rel=1e-4)
    assert np.isnan(recording.update_ratio[0, 1])  # the bias is 0 yet
    assert recording.loss[-1] == pytest.approx(model.evaluate(*data(), verbose=0, return_dict=True)["loss"], rel=1e-5)
    hidden = np.maximum(data()[0] @ kernel + model.weights[1], 0)
    assert recording.activation_mean[-1, 0] == pytest.approx(hidden.mean(), rel=1e-5)
    assert recording.dead[-1, 0] == np.mean((hidden == 0).all(axis=0))
    assert np.isnan(recording.saturated[:, 0]).all()


def test_gradient_and_update_are_of_the_same_step():
    """With dropout, and plain gradient descent: update = rate * gradient only if both drew the same mask."""
    layers = [Dense(30, activation="tanh", name="h"), Dropout(0.5), Dense(1, name="o")]
    _, recorder = recorded(3, layers, hw.optimizers.SGD(0.05))
    recording = recorder.recording
    expected = 0.05 * recording.gradient_norm[:, 0] / recording.weight_norm[:, 0]
    np.testing.assert_allclose(recording.update_ratio[:, 0], expected, rtol=1e-4)


def test_the_update_is_the_optimizers_own():
    """One more step on the probe changes the weights by just as much as was recorded."""
    model, recorder = recorded(3, optimizer=hw.optimizers.Adam(0.01, clipnorm=0.5, weight_decay=0.1))
    recording = recorder.recording
    before = [weight.copy() for weight in model.weights]
    model.train_on_batch(*data())
    for place, (old, new) in enumerate(zip(before, model.weights, strict=True)):
        ratio = np.linalg.norm(new.astype(float) - old) / np.linalg.norm(old.astype(float))
        assert recording.update_ratio[-1, place] == pytest.approx(ratio, rel=1e-5)


def test_histograms_count_everything_once():
    model, recorder = recorded(3, bins=20)
    recording = recorder.recording
    for place, segment in enumerate(model.plan.trained):
        size = np.prod(segment.shape)
        assert (recording.weight_histograms[:, place].sum(axis=1) == size).all()
        assert (recording.gradient_histograms[:, place].sum(axis=1) == size).all()
    assert (recording.activation_histograms[:, 0].sum(axis=1) == 600).all()
    edges = recording.weight_edges[0]
    expected, _ = np.histogram(model.weights[0].ravel(), edges)
    assert np.abs(recording.weight_histograms[-1, 0] - expected).sum() <= 2  # a number may round across an edge


def test_memory_is_bounded():
    size = None
    model, recorder = recorded(100, memory=200_000, bins=8)
    recording = recorder.recording
    size = sum(value.nbytes for _, _, numbers in recorder._records for value in numbers.values())
    assert size <= 200_000
    assert len(recording) <= 200_000 // 2000
    assert recording.epochs[0] == 0
    assert recording.epochs[-1] == 100
    assert recording.interval > 1
    steps = np.diff(recording.epochs)
    assert (steps[:-1] == recording.interval).all()
    assert (recording.vectors[-1] == model.state.parameters).all()


def test_a_memory_too_small_is_refused_before_training():
    model, recorder = build(), hw.callbacks.Recorder(memory=1000)
    before = model.get_weights()
    with pytest.raises(hw.errors.InputError, match="room for 4 records"):
        model.fit(*data(), verbose=0, callbacks=[recorder])
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))


def test_early_stopping_records_the_last_epoch():
    model, recorder = build(), hw.callbacks.Recorder(every=50)
    stop = hw.callbacks.EarlyStopping(monitor="loss", min_delta=1e9, patience=2)
    model.fit(*data(), epochs=100, verbose=0, callbacks=[recorder, stop])
    assert recorder.recording.epochs.tolist() == [0, len(model.history.epoch)]


class Stop(hw.callbacks.Callback):
    """Ctrl-C, or a crash, when an epoch has ended."""

    def __init__(self, epoch, error):
        super().__init__()
        self.epoch, self.error = epoch, error

    def on_epoch_recorded(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


def test_ctrl_c_records_the_epoch_that_has_ended():
    model, recorder = build(), hw.callbacks.Recorder(every=50)
    model.fit(*data(), epochs=100, verbose=0, callbacks=[recorder, Stop(6, KeyboardInterrupt())])
    assert recorder.recording.epochs.tolist() == [0, 7]
    assert (recorder.recording.vectors[-1] == model.state.parameters).all()


def test_a_training_that_explodes_is_recorded_up_to_its_last_finite_epoch():
    model, recorder = build(optimizer=hw.optimizers.SGD(30.0)), hw.callbacks.Recorder()
    with pytest.warns(hw.errors.HillwalkerWarning, match="a training in which"):
        model.fit(*data(), epochs=50, verbose=0, callbacks=[recorder])
    recording = recorder.recording
    assert recording.epochs[-1] == len(model.history.epoch)
    assert np.isfinite(recording.vectors).all()
    assert len(recording.plot().axes) == 9


def test_a_second_training_starts_afresh_and_goes_on_counting():
    model, recorder = recorded(2)
    model.fit(*data(), epochs=5, initial_epoch=2, verbose=0, callbacks=[recorder])
    assert recorder.recording.epochs.tolist() == [2, 3, 4, 5]


def test_it_survives_a_crash(tmp_path):
    class Crash(hw.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3 and self.armed:
                raise RuntimeError("power cut")

    def callbacks(armed):
        crash = Crash()
        crash.armed = armed
        return [hw.callbacks.Recorder(bins=12), crash, hw.callbacks.BackupAndRestore(tmp_path)]

    _, whole = recorded(6, bins=12)
    model = build()
    with pytest.raises(RuntimeError, match="power cut"):
        model.fit(*data(), epochs=6, verbose=0, callbacks=callbacks(True))
    model, again = build(), callbacks(False)
    model.fit(*data(), epochs=6, verbose=0, callbacks=again)
    one, two = whole.recording.to_dict(), again[0].recording.to_dict()
    assert one == two
    assert again[0].recording.weight_histograms.dtype == whole.recording.weight_histograms.dtype


def test_probes_of_ones_own_and_samples():
    X, y = data()
    _, recorder = recorded(2, x=X[:7], y=y[:7])
    assert recorder.recording.rows == 7
    _, recorder = recorded(2, rows=10, fit={"validation_split": 0.5, "sample_weight": np.ones(100)})
    assert recorder.recording.rows == 10


def test_shares_of_idle_units():
    z = np.array([[-1.0, 2.0, -3.0], [-1.0, -2.0, -3.0]])
    relu, leaky, six = activations.get("relu"), activations.get("leaky_relu"), activations.get("relu6")
    assert dead(relu, relu(z)) == pytest.approx(2 / 3)
    assert dead(six, six(z)) == pytest.approx(2 / 3)
    assert np.isnan(dead(leaky, leaky(z)))
    assert np.isnan(saturated(relu, z, relu(z)))
    for name, flat in (("sigmoid", 6.0), ("tanh", 3.0), ("hard_sigmoid", 3.1), ("softsign", 9.1)):
        function = activations.get(name)
        z = np.array([[flat, flat], [-flat, 0.0], [flat, 0.0]])  # on 3 and on 1 of 3 rows
        assert saturated(function, z, function(z)) == 0.5, name
        assert saturated(function, z * 0.8, function(z * 0.8)) == 0.0, name


def test_frozen_layers_and_a_loss_of_ones_own():
    layers = [Dense(5, activation="sigmoid", trainable=False, name="still"), Dense(1, name="moved")]
    hw.utils.set_random_seed(11)
    model = hw.Sequential([hw.Input((4,)), *layers])
    model.compile("sgd", lambda y, p: np.mean((y - p) ** 2, axis=-1))
    recorder = hw.callbacks.Recorder()
    model.fit(*data(), epochs=2, verbose=0, callbacks=[recorder])
    assert recorder.recording.weights == ("moved/kernel", "moved/bias")
    assert recorder.recording.layers == ("still", "moved")
    assert np.isfinite(recorder.recording.gradient_norm).all()


def test_records_are_plain():
    _, recorder = recorded(3, weights=False)
    recording = recorder.recording
    assert recording.vectors is None
    assert json.loads(json.dumps(recording.to_dict()))["epochs"] == [0, 1, 2, 3]
    frame = recording.to_frame()
    assert frame["update_ratio h/kernel"].tolist() == recording.update_ratio[:, 0].tolist()
    assert repr(recording).startswith("Recording: 4 records, epochs 0 to 3, every 1; 2 layers, 100 probe rows")
    assert "h/kernel" in str(recording)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": np.ones((2, 4))}, "x alone"),
        ({"every": 0}, "every=0"),
        ({"memory": -1}, "memory=-1"),
        ({"bins": 7}, "bins=7"),
        ({"rows": 0}, "rows=0"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(hw.errors.HillwalkerError, match=message):
        hw.callbacks.Recorder(**settings)


def test_refusals():
    with pytest.raises(hw.errors.StateError, match="has seen no training"):
        _ = hw.callbacks.Recorder().recording
    with pytest.raises(hw.errors.InputError, match="Recorder's X"):
        recorded(x=np.ones((2, 5)), y=np.ones(2))


def test_the_picture():
    layers = [Dense(6, name="h"), Activation("relu"), Dense(5, activation="tanh", name="t"), Dense(1, name="o")]
    _, recorder = recorded(3, layers)
    figure = recorder.recording.plot("my training")
    assert len(figure.axes) == 12
    assert [axes.get_title(loc="left") for axes in figure.axes[-3:]] == [
        "update ratio, by layer", "gradient norm, by layer", "dead (ReLU) or saturated units",
    ]  # fmt: skip
    assert len(figure.axes[-1].lines) == 2  # the ReLU layer in the colour of its Dense layer, and tanh
    assert figure.axes[-1].lines[0].get_color() == figure.axes[-3].lines[0].get_color()
    crash, recorder = Stop(0, RuntimeError("power cut")), hw.callbacks.Recorder()
    with pytest.raises(RuntimeError, match="power cut"):
        build().fit(*data(), epochs=5, verbose=0, callbacks=[crash, recorder])
    with pytest.raises(hw.errors.InputError, match="a recording of 1 epochs"):
        recorder.recording.plot()
    many = [Dense(3, activation="relu") for _ in range(8)]
    _, recorder = recorded(2, [*many, Dense(1)])
    assert "first three and the last three of 9" in recorder.recording.plot().get_suptitle()
    model, recorder = build(), hw.callbacks.Recorder()
    model.fit(*data(), epochs=1, verbose=0, callbacks=[recorder])
    assert len(recorder.recording.plot().axes) == 9
