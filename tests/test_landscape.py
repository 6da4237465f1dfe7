"""The loss surface: equal to `evaluate` with weights set by hand, directions by their definitions, nothing changed."""

import json
import os
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import plots, regularizers
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Input
from hillwalker.seeing.planes import filter_direction

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3))
Y = np.sin(X[:, 0]) + 0.5 * X[:, 1]
WEIGHT = RANDOM.uniform(0.5, 2.0, 60)


def made(loss="mse", **first):
    layers = [Dense(5, activation="tanh", **first), BatchNormalization(), Dropout(0.5), GaussianNoise(0.1), Dense(1)]
    model = hw.Sequential([Input((3,)), *layers])
    model.compile(hw.optimizers.Adam(0.02), loss, metrics=["mae"])
    return model


class Recorder(hw.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.vectors, self.epochs = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.vectors.append(self.model.state.parameters.copy())
        self.epochs.append(epoch)


def trained(epochs=12, **arguments):
    model, recorder = made(**arguments), Recorder()
    model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[recorder])
    return model, recorder


def everything(model):
    arrays, metadata = model.snapshot()
    return {name: array.tobytes() for name, array in arrays.items()}, json.dumps(metadata), model.optimizer.iterations


def loss_at(model, vector, *data, **weights):
    """Return what `evaluate` says of a copy that has these flat weights."""
    copy = hw.models.clone_model(model)
    copy.compile("sgd", model.loss)
    copy.state.parameters[:] = vector
    return copy.evaluate(*data, verbose=0, batch_size=len(data[0]), **weights)


def own_loss(y_true, y_pred):
    return np.mean(np.abs(y_true - y_pred) ** 1.5, axis=-1)


@pytest.mark.parametrize("loss", ["mse", hw.losses.MeanAbsoluteError(reduction="sum"), own_loss])
def test_the_surface_is_what_evaluate_says(engine, loss):
    model, _ = trained(epochs=3, loss=loss, kernel_regularizer=regularizers.L2(0.1))
    surface = hw.landscape(model, X, Y, (5, 7), sample_weight=WEIGHT, verbose=0)
    assert surface.losses.shape == (5, 7)
    for row, column in [(0, 0), (4, 2), (2, 3), (1, 6)]:
        vector = surface.origin + surface.x[column] * surface.vectors[0] + surface.y[row] * surface.vectors[1]
        expected = loss_at(model, vector, X, Y, sample_weight=WEIGHT)
        assert surface.losses[row, column] == pytest.approx(expected, rel=1e-6)
    assert surface.losses[2, 3] == surface.loss  # the middle is the model itself
    assert surface.place == (0.0, 0.0)


def test_filter_directions_by_their_definition():
    model, _ = trained(epochs=2)
    surface = hw.landscape(model, X, Y, 3)
    plan = model.plan
    for direction in surface.vectors:
        for segment in plan.segments:
            d, w = segment.view(direction), segment.view(surface.origin)
            if len(segment.shape) == 2:  # a unit's incoming weights are a column of the kernel
                np.testing.assert_allclose(np.linalg.norm(d, axis=0), np.linalg.norm(w, axis=0), rtol=1e-12)
            else:
                assert not d.any()  # biases, gamma, beta, moving statistics
    assert (surface.vectors[0] != surface.vectors[1])[np.nonzero(surface.vectors[0])].all()
    other = filter_direction(plan, surface.origin, seed=1, number=0)
    assert (other[np.nonzero(other)] != surface.vectors[0][np.nonzero(other)]).all()


def test_pca_is_the_singular_vectors_of_the_path_and_places_are_projections():
    model, recorder = trained()
    surface = hw.landscape(model, X, Y, 5, directions="pca", recording=recorder)
    path = np.array(recorder.vectors, dtype=np.float64)
    moving = np.zeros(path.shape[1], bool)
    for segment in model.plan.trained:
        segment.view(moving)[...] = True
    path[:, ~moving] = 0.0
    _, sizes, components = np.linalg.svd(path - path.mean(axis=0), full_matrices=False)
    for ours, theirs in zip(surface.vectors, components, strict=False):
        assert abs(ours @ theirs) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(surface.explained, (sizes**2 / np.sum(sizes**2))[:2], rtol=1e-9)
    moved = path - path[-1]
    np.testing.assert_allclose(surface.path.places, moved @ surface.vectors.T, atol=1e-6)
    off = moved - moved @ surface.vectors.T @ surface.vectors
    np.testing.assert_allclose(surface.path.distances, np.linalg.norm(off, axis=1), atol=1e-6)
    assert surface.x[0] < surface.path.places[:, 0].min() < surface.path.places[:, 0].max() < surface.x[-1]
    assert surface.y[0] < surface.path.places[:, 1].min() < surface.path.places[:, 1].max() < surface.y[-1]


def test_the_path_has_its_own_losses_beside_the_planes():
    model, recorder = trained()
    surface = hw.landscape(model, X, Y, 5, directions="pca", recording=recorder)
    path = surface.path
    assert path.epochs.tolist() == list(range(12))
    for epoch in (0, 5, 11):
        assert path.losses[epoch] == pytest.approx(loss_at(model, recorder.vectors[epoch], X, Y), rel=1e-6)
        flat = surface.origin + path.places[epoch] @ surface.vectors
        assert path.plane_losses[epoch] == pytest.approx(loss_at(model, flat, X, Y), rel=1e-6)
    assert path.losses[-1] == pytest.approx(surface.loss, rel=1e-6)  # the path ends at the model
    assert path.plane_losses[-1] == pytest.approx(surface.loss, rel=1e-5)


def test_two_weights_give_the_true_surface():
    model = hw.Sequential([Input((1,), name="in"), Dense(1, name="line")])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[2.0]]), np.array([0.5])])
    x = np.array([-1.0, 0.5, 2.0])
    y = np.array([0.0, 1.0, 4.0])
    surface = hw.landscape(model, x, y, (9, 11))
    assert (surface.directions, surface.labels) == ("weights", ("line.kernel[0,0]", "line.bias[0]"))
    assert surface.place == (2.0, 0.5)
    w, b = surface.x[None, :, None], surface.y[:, None, None]
    np.testing.assert_allclose(surface.losses, np.mean((w * x + b - y) ** 2, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(surface.x, np.linspace(0.0, 4.0, 11), atol=1e-12)


def test_one_weight_gives_a_curve_and_a_one_in_the_resolution_a_line():
    model = hw.Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    curve = hw.landscape(model, np.ones((1, 1)), np.zeros(1), 21)
    np.testing.assert_allclose(curve.losses, [curve.x**2], rtol=1e-6)
    assert curve.is_line
    deep, _ = trained(epochs=1)
    for resolution in ((9, 1), (1, 9)):
        line = hw.landscape(deep, X, Y, resolution)
        assert line.losses.shape == (1, 9)
        assert line.losses[0, 4] == line.loss
    assert list(line.to_frame().columns) == ["x", "loss"]


def test_between_models():
    first, second = trained(epochs=2)[0], trained(epochs=9)[0]
    line = hw.landscape(first, X, Y, (7, 1), directions=second, span=2.0)  # from -0.5 to 1.5, in steps of a third
    np.testing.assert_allclose(line.x, np.linspace(-0.5, 1.5, 7))
    assert line.directions == "models"
    plane = hw.landscape(first, X, Y, 5, directions=[second, trained(epochs=4)[0]])
    assert plane.losses.shape == (5, 5)
    there = first.state.parameters.copy()
    for segment in first.plan.trained:
        segment.view(there)[...] = segment.view(second.state.parameters)
    at_the_other = hw.landscape(first, X, Y, (5, 1), directions=second, span=4.0)  # -1, -0.25, 0.5, 1.25, 2
    assert at_the_other.x.tolist() == [-1.0, -0.25, 0.5, 1.25, 2.0]
    half = first.state.parameters + 0.5 * (there - first.state.parameters)
    assert at_the_other.losses[0, 2] == pytest.approx(loss_at(first, half, X, Y), rel=1e-5)


def test_the_model_is_left_as_it_was():
    model, recorder = trained()
    before, state = everything(model), model.state
    results = model.evaluate(X, Y, verbose=0)
    after_evaluation = [metric.result() for metric in model.metrics]
    for directions in ("filter", "pca"):
        hw.landscape(model, X, Y, 5, directions=directions, recording=recorder, threads=2)
    assert everything(model) == before
    assert model.state is state
    assert [metric.result() for metric in model.metrics] == after_evaluation
    assert model.evaluate(X, Y, verbose=0) == results


def test_threads_give_the_same_bits(monkeypatch):
    from hillwalker.seeing import losses_at

    monkeypatch.setattr(losses_at, "TOO_SHORT", 0.0)
    monkeypatch.setattr(losses_at, "BLOCK_SECONDS", 1e-4)
    model, recorder = trained()
    one, three = (hw.landscape(model, X, Y, 21, recording=recorder, threads=count) for count in (1, 3))
    assert one.losses.tobytes() == three.losses.tobytes()
    assert one.path.losses.tobytes() == three.path.losses.tobytes()
    assert hw.landscape(model, X, Y, 21, seed=1).losses.tobytes() != one.losses.tobytes()


def test_only_trained_weights_move():
    model, _ = trained(epochs=1)
    model.layers[0].trainable = False
    surface = hw.landscape(model, X, Y, 3)
    first = model.plan.layers[0].segments["kernel"]
    assert not first.view(surface.vectors[0]).any()
    model.trainable = False
    with pytest.raises(InputError, match="a model of which training moves nothing"):
        hw.landscape(model, X, Y, 3)


def test_losses_that_are_not_finite_are_kept_and_drawn_as_gaps():
    model = hw.Sequential([Input((1,)), Dense(1, activation="exponential")])
    model.compile("sgd", "mse")
    surface = hw.landscape(model, np.array([[1.0], [-1.0]]), np.ones(2), 15, span=200.0)
    assert np.isinf(surface.losses).any()
    assert np.isfinite(surface.losses).any()
    assert json.loads(json.dumps(surface.to_dict(), allow_nan=False))["losses"][14][14] is None
    assert surface.plot().axes[0].collections
    assert surface.plot_3d().axes[0].collections


def test_an_error_of_the_users_and_ctrl_c_are_heard():
    def bad(y_true, y_pred):
        calls.append(1)
        if len(calls) > 20:
            raise ZeroDivisionError("of the user's")
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    calls = []
    model = made(loss=bad)
    threads = hw.config.threads()
    with pytest.raises(InputError, match="ZeroDivisionError: of the user's"):
        hw.landscape(model, X, Y, 9, threads=2)
    assert hw.config.threads() == threads

    def slow(y_true, y_pred):
        calls.append(1)
        if len(calls) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.002)
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    calls = []
    with pytest.raises(KeyboardInterrupt):
        hw.landscape(made(loss=slow), X, Y, 51)
    assert len(calls) < 1000


def test_records_as_frames_and_json_and_in_words():
    model, recorder = trained()
    surface = hw.landscape(model, X, Y, (3, 4), directions="pca", recording=recorder)
    frame = surface.to_frame()
    assert frame["loss"].tolist() == surface.losses.ravel().tolist()
    assert frame["x"].tolist() == np.tile(surface.x, 3).tolist()
    told = json.loads(json.dumps(surface.to_dict(), allow_nan=False))
    assert told["path"]["losses"] == surface.path.losses.tolist()
    text = repr(surface)
    assert text.startswith("Surface: 3 x 4 losses (mean squared error) along the path's principal components, from")
    assert text.endswith("a path of 12 epochs")


def test_pictures_show_the_record():
    model, recorder = trained()
    surface = hw.landscape(model, X, Y, 9, directions="pca", recording=recorder)
    figure = surface.plot(title="A surface")
    axes = figure.axes[0]
    path = axes.get_lines()[0]
    np.testing.assert_array_equal(path.get_xdata(), surface.path.places[:, 0])
    assert {"0", "11"} <= {text.get_text() for text in axes.texts}  # the first and the last epoch
    assert (axes.get_xlabel(), axes.get_ylabel()) == surface.labels
    assert figure.get_suptitle() == "A surface"
    assert plots.plot_surface_3d(surface).axes[0].get_zlabel() == "loss (mean squared error)"
    line = hw.landscape(model, X, Y, (9, 1), recording=recorder)
    assert [curve.get_label().split(":")[0] for curve in line.plot().axes[0].get_lines()] == [
        "on the line", "training path, its own loss", "the model",
    ]  # fmt: skip
    with pytest.raises(InputError, match="a surface that is a line"):
        line.plot_3d()
    with pytest.raises(InputTypeError, match="a Surface"):
        plots.plot_surface(recorder)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"resolution": 1}, InputError, "resolution=1"),
        ({"resolution": (5, 5, 5)}, InputError, "resolution=(5, 5, 5)"),
        ({"resolution": 5.5}, InputError, "resolution=5.5"),
        ({"directions": "filters"}, InputError, "directions='filter'"),
        ({"directions": "weights"}, InputError, "for a model of 36 trained weights"),
        ({"directions": "pca"}, InputError, "without a recording"),
        ({"directions": 7}, InputError, "directions=7"),
        ({"span": 0.0}, InputError, "span=0.0"),
        ({"seed": "a"}, InputError, "seed='a'"),
        ({"threads": 0}, InputError, "threads=0"),
        ({"recording": np.zeros((4, 7))}, InputError, "a recording of weights of shape (4, 7)"),
        ({"recording": SimpleNamespace(vectors=None, epochs=[])}, InputError, "a recording without weights"),
        ({"recording": "recorder"}, InputTypeError, "recording='recorder'"),
        ({"verbose": 3}, InputError, "verbose=3"),
        ({"sample_weight": np.ones(3)}, InputError, "3"),
    ],
)
def test_bad_input_is_refused(arguments, kind, told):
    with pytest.raises(kind) as refusal:
        hw.landscape(made(), X, Y, **arguments)
    assert told in str(refusal.value)


def test_models_that_cannot_have_a_surface_are_refused():
    with pytest.raises(InputTypeError, match="a Sequential"):
        hw.landscape("model", X, Y)
    with pytest.raises(StateError, match="not built"):
        hw.landscape(hw.Sequential([Dense(1)]), X, Y)
    with pytest.raises(StateError, match="landscape before compile"):
        hw.landscape(hw.Sequential([Input((3,)), Dense(1)]), X, Y)
    still = np.tile(made().state.parameters, (4, 1))
    with pytest.raises(InputError, match="hardly move"):
        hw.landscape(made(), X, Y, directions="pca", recording=still)
    still[2] = np.nan
    with pytest.raises(InputError, match="not finite at epoch 2"):
        hw.landscape(made(), X, Y, directions="pca", recording=still)
    model = made()
    with pytest.raises(InputError, match="same weights"):
        hw.landscape(model, X, Y, directions=model)
    with pytest.raises(InputError, match="same architecture"):
        hw.landscape(model, X, Y, directions=hw.Sequential([Input((3,)), Dense(1)]))
