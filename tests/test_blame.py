"""Shares of blame against numbers worked by hand, against rows one by one, and over a recording."""

import json

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.layers import BatchNormalization, Dense, Dropout
from hillwalker.seeing.rows import row_gradients


@pytest.fixture(autouse=True)
def seeded():
    hw.utils.set_random_seed(7)


def trained(rows=60, epochs=3, callbacks=None, layers=None):
    random = np.random.default_rng(4)
    X = random.normal(size=(rows, 3))
    y = X[:, 0] * 2 - X[:, 1]
    model = hw.Sequential([hw.Input((3,)), *(layers or [Dense(6, activation="tanh", name="h"), Dense(1, name="o")])])
    model.compile("adam", "mse")
    model.fit(X, y, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, X, y


def test_a_network_worked_by_hand():
    # a = 2 x1 + 1 x2, targets 0: rows (1, 0) -> a = 2, (1, 2) -> a = 4; loss a^2 = 4, 16; dz = 2 a = 4, 8
    model = hw.Sequential([hw.Input((2,)), Dense(1, name="o")])
    model.set_weights([np.array([[2.0], [1.0]]), np.zeros(1)])
    model.compile(loss="mse")
    found = hw.blame(model, np.array([[1.0, 0.0], [1.0, 2.0]]), np.zeros(2))
    np.testing.assert_allclose(found.row_loss, [4, 16])
    np.testing.assert_allclose(found.loss_share, [0.2, 0.8])
    norms = np.array([4 * np.sqrt(2), 8 * np.sqrt(6)])  # |dz| sqrt(x1^2 + x2^2 + 1)
    np.testing.assert_allclose(found.row_gradient_norm, norms)
    # |x dL/dx|: dL/dx = dz w = (8, 4), (16, 8); x1: 8 + 16 = 24, x2: 0 + 16 = 16
    np.testing.assert_allclose(found.input_share, [0.6, 0.4])
    # |x dz|: kernel 4 + 8 = 12 and 0 + 16 = 16, bias 4 + 8 = 12
    np.testing.assert_allclose(found.weight_share["o/kernel"].ravel(), [12 / 40, 16 / 40])
    np.testing.assert_allclose(found.weight_share["o/bias"], [12 / 40])
    assert [one.row for one in found.rows()] == [1, 0]
    assert found.weights(1)[0].name == "o/kernel[1,0]"
    assert found.inputs(1)[0].name == "x0"
    assert found.rows_for(0.8) == 1
    assert found.rows_for(0.81) == 2


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_shares_sum_to_one_and_rows_are_those_of_row_gradients():
    layers = [Dense(6, activation="relu", name="a"), BatchNormalization(), Dropout(0.4), Dense(4, name="b"), Dense(1)]
    model, X, y = trained(layers=layers)
    weight = np.linspace(0, 2, 60)
    found, rows = hw.blame(model, X, y, weight), row_gradients(model, X, y, weight)
    np.testing.assert_allclose(found.row_gradient_norm, rows.norms, rtol=1e-6)
    np.testing.assert_allclose(found.row_loss, rows.loss, rtol=1e-6)
    for share in (found.loss_share, found.gradient_share, found.input_share, *found.neuron_share.values()):
        assert share.sum() == pytest.approx(1.0)
    assert sum(share.sum() for share in found.weight_share.values()) == pytest.approx(1.0)
    assert list(found.neuron_share) == ["a", "b", model.layers[-1].name]
    assert found.concentration("gradient")[-1] == pytest.approx(1.0)
    assert np.all(np.diff(found.concentration()) <= np.diff(found.concentration())[0] + 1e-12)


def test_an_outlier_is_blamed():
    model, X, y = trained(epochs=30)
    y[17] += 50
    found = hw.blame(model, X, y)
    assert found.rows(1)[0].row == 17
    assert found.rows(1, by="gradient")[0].row == 17
    assert found.rows_for(0.5) == 1
    assert f"{17:>10}" in str(found)


def test_no_blame_at_all():
    model = hw.Sequential([hw.Input((2,)), Dense(1, kernel_initializer="zeros")])
    model.compile(loss="mse")
    found = hw.blame(model, np.ones((4, 2)), np.zeros(4))
    assert found.loss_share.tolist() == [0, 0, 0, 0]
    assert found.input_share.tolist() == [0, 0]
    assert "the loss: 0 for every row; the gradient norms: 0 for every row." in str(found)
    model.state.parameters[:] = np.nan
    assert "the loss: not a number" in str(hw.blame(model, np.ones((4, 2)), np.zeros(4)))


def test_columns_of_a_frame_name_the_inputs():
    import pandas as pd

    model, X, y = trained()
    found = hw.blame(model, pd.DataFrame(X, columns=["rate", "spread", "volume"]), y)
    assert found.input_names == ("rate", "spread", "volume")
    assert "rate" in str(found)


def test_the_past_is_what_blame_was_then():
    recorder = hw.callbacks.Recorder()
    model, X, y = trained(epochs=4, callbacks=[recorder])
    recording = recorder.recording
    found = hw.blame(model, X, y, recording=recording)
    assert [one.epoch for one in found.past] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(found.past[-1].row_loss, found.row_loss)
    now = model.state.parameters.copy()
    model.state.parameters[:] = recording.vectors[1]
    then = hw.blame(model, X, y)
    model.state.parameters[:] = now
    np.testing.assert_array_equal(found.past[1].row_loss, then.row_loss)
    np.testing.assert_array_equal(found.past[1].input_share, then.input_share)
    assert "From epoch 0 to 4" in str(found)


def test_long_recordings_of_many_rows_are_thinned(monkeypatch):
    recorder = hw.callbacks.Recorder()
    model, X, y = trained(epochs=20, callbacks=[recorder])
    monkeypatch.setattr("hillwalker.seeing.blame.MEMORY", 5 * 8 * (4 * 60 + 2 * model.plan.length))
    assert [one.epoch for one in hw.blame(model, X, y, recording=recorder.recording).past] == [0, 5, 10, 15, 20]


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_looking_changes_nothing_and_records_are_plain():
    recorder = hw.callbacks.Recorder()
    model, X, y = trained(callbacks=[recorder], layers=[Dense(4), BatchNormalization(), Dropout(0.5), Dense(1)])
    arrays, numbers = model.snapshot()
    found = hw.blame(model, X, y, recording=recorder.recording)
    after, numbers_after = model.snapshot()
    assert numbers == numbers_after
    assert all((arrays[name] == after[name]).all() for name in arrays)
    told = json.loads(json.dumps(found.to_dict()))
    assert len(told["past"]) == 4
    assert told["row_loss"] == found.row_loss.tolist()
    assert found.to_frame().shape == (60, 4)


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_refusals():
    model, X, y = trained()
    found = hw.blame(model, X, y)
    for call, message in (
        (lambda: found.rows(by="los"), "measure 'los'"),
        (lambda: found.neurons("hidden"), "layer 'hidden'"),
        (lambda: found.rows_for(1.5), "share=1.5"),
        (lambda: hw.blame(model, X, y[:-1]), "rows"),
        (lambda: hw.blame(model, X, y, recording=3), "recording of type int"),
    ):
        with pytest.raises(hw.errors.HillwalkerError, match=message):
            call()
    without = hw.callbacks.Recorder(weights=False)
    other = hw.callbacks.Recorder()
    trained(callbacks=[without])
    trained(callbacks=[other], layers=[Dense(40), Dense(1)])
    with pytest.raises(hw.errors.InputError, match="without weights"):
        hw.blame(model, X, y, recording=without.recording)
    with pytest.raises(hw.errors.InputError, match="for a model of"):
        hw.blame(model, X, y, recording=other.recording)


def test_pictures():
    recorder = hw.callbacks.Recorder()
    model, X, y = trained(callbacks=[recorder])
    found = hw.blame(model, X, y, recording=recorder.recording)
    figure = found.plot("who it was")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:4] == [
        "the 10 worst of 60 rows",
        "how few rows carry the error",
        "inputs",
        "neurons, by share of |dz|",
    ]
    assert "rows by epoch: share of the loss" in titles
    bars = figure.axes[0].containers[0]
    assert [100 * one.loss_share for one in found.rows(10)] == pytest.approx([bar.get_width() for bar in bars])
    assert len(hw.plots.plot_blame(hw.blame(model, X[:1], y[:1])).axes) == 4
