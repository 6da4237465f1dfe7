"""The shapes: derivatives against central differences, kinks where they are, a cheat sheet that trains."""

import math
import warnings

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import activations, plots
from hillwalker.errors import InputError, InputTypeError
from hillwalker.layers import Dense, Input
from hillwalker.seeing.shapes import activation_shapes, cheat_sheet, confidence_shape, loss_shapes

EVERY = sorted({*activations._NAMED})


def away_from_kinks(curve):
    """Return where neither a point nor its neighbours lie near a kink."""
    near = np.zeros(len(curve.x), dtype=bool)
    for kink in curve.kinks:
        near |= np.abs(curve.x - kink.x) < 0.05
    near[[0, -1]] = True
    return ~near & np.isfinite(curve.derivative)


@pytest.mark.parametrize("name", EVERY)
def test_an_activations_derivative_is_the_slope_of_its_value(name):
    (curve,) = activation_shapes(name).curves
    slope = np.gradient(curve.value, curve.x)
    far = away_from_kinks(curve)
    change = np.abs(np.diff(curve.derivative))[:-1][far[1:-1]]  # what a central difference may be off by
    assert (np.abs(curve.derivative - slope)[1:-1][far[1:-1]] <= 1e-3 + 1.1 * change).all()


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "log_cosh", "pinball", "asymmetric_squared_error"])
def test_a_losss_derivative_is_the_slope_of_its_value(name):
    for curve in loss_shapes(name).curves:
        far = away_from_kinks(curve)
        np.testing.assert_allclose(
            curve.derivative[far], np.gradient(curve.value, curve.x)[far], rtol=1e-3, atol=2e-2, err_msg=curve.name
        )


@pytest.mark.parametrize(
    ("name", "places", "taken"),
    [
        ("relu", [0.0], [0.0]),
        ("leaky_relu", [0.0], [0.2]),
        ("relu6", [0.0, 6.0], [0.0, 0.0]),
        ("hard_sigmoid", [-3.0, 3.0], None),
        ("selu", [0.0], None),
        ("elu", [], []),
        ("tanh", [], []),
        ("gelu", [], []),
    ],
)
def test_kinks_stand_where_the_derivative_jumps(name, places, taken):
    (curve,) = activation_shapes(name, low=-7, high=8.3).curves  # 0 is no point of this grid
    assert [kink.x for kink in curve.kinks] == places
    assert np.isnan(curve.derivative).sum() == len(places)
    if taken is not None:
        assert [kink.derivative for kink in curve.kinks] == pytest.approx(taken)


def test_softmax_is_the_first_of_three():
    curve = activation_shapes("softmax")["softmax"]
    p = np.exp(curve.x) / (np.exp(curve.x) + 2)
    np.testing.assert_allclose(curve.value, p, rtol=1e-12)
    np.testing.assert_allclose(curve.derivative, p * (1 - p), rtol=1e-9)
    assert "3" in curve.note


def test_an_activation_of_ones_own():
    curve = activation_shapes(lambda z: np.sin(z)).curves[0]
    np.testing.assert_allclose(curve.derivative, np.cos(curve.x), atol=1e-6)


def test_losses_worked_by_hand():
    shapes = loss_shapes(["mse", "mae", "huber", "pinball"], quantiles=[0.9])
    at = {curve.name: float(np.interp(-2.0, curve.x, curve.value)) for curve in shapes.curves}
    assert at == pytest.approx({"MSE": 4.0, "MAE": 2.0, "Huber": 1.5, "pinball 0.9": 1.8})  # too low by 2
    assert [curve.symmetric for curve in shapes.curves] == [True, True, True, False]
    assert np.nanmax(shapes["pinball 0.9"].derivative) == pytest.approx(0.1)


def test_losses_take_their_numbers_into_their_names_and_their_targets_from_the_caller():
    assert [curve.name for curve in loss_shapes([hw.losses.Huber(2.0), "huber"]).curves] == ["Huber 2", "Huber"]
    qlike = loss_shapes("qlike", y_true=1.0).curves[0]
    e = 0.5  # y / f - ln(y / f) - 1 for f = 1.5
    assert np.interp(e, qlike.x, qlike.value) == pytest.approx(1 / 1.5 + math.log(1.5) - 1, abs=1e-5)
    assert np.isnan(qlike.value[qlike.x < -1.001]).all()
    assert np.isnan(qlike.derivative[qlike.x < -1.001]).all()
    own = loss_shapes(lambda y_true, y_pred: np.abs(y_true - y_pred) ** 1.5).curves[0]
    assert np.interp(2.0, own.x, own.value) == pytest.approx(2**1.5, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: activation_shapes("sigmod"), InputError, "sigmoid"),
        (lambda: activation_shapes([]), InputError, "at least one name"),
        (lambda: activation_shapes(low=1, high=1), InputError, "a low below the high"),
        (lambda: activation_shapes(low="0"), InputTypeError, "a finite number"),
        (lambda: loss_shapes("msee"), InputError, "mse"),
        (lambda: loss_shapes("categorical_crossentropy"), InputError, "confidence_shape"),
        (lambda: loss_shapes("binary_crossentropy"), InputError, "a probability or has several columns"),
        (lambda: loss_shapes("pinball", quantiles=[1.5]), InputError, "quantile"),
        (lambda: loss_shapes("qlike", y_true=0.0), InputError, "y_true=1.0"),
        (lambda: loss_shapes(lambda y, p: np.mean((y - p) ** 2)), InputError, "one number a row"),
        (lambda: confidence_shape(marks=[0.0]), InputError, "between 0 and 1"),
        (lambda: activation_shapes()["elu"], InputError, "'sigmoid'"),
    ],
)
def test_bad_input_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call()


def test_confidence_worked_by_hand():
    shape = confidence_shape([0.25])
    (mark,) = shape.marks
    assert (mark.loss_if_1, mark.loss_if_0) == pytest.approx((-math.log(0.25), -math.log(0.75)))
    assert (mark.slope_if_1, mark.slope_if_0) == pytest.approx((-4.0, 1 / 0.75))
    assert (mark.blame_if_1, mark.blame_if_0) == pytest.approx((-0.75, 0.25))
    # the chain rule: dL/dz = dL/dp p (1 - p)
    assert mark.slope_if_1 * 0.25 * 0.75 == pytest.approx(mark.blame_if_1)
    np.testing.assert_allclose(shape.loss_if_1, shape.loss_if_0[::-1], rtol=1e-9)


@pytest.mark.parametrize("row", cheat_sheet().rows, ids=lambda row: f"{row.task}, {row.targets}")
def test_every_row_of_the_cheat_sheet_is_a_model_that_trains(row):
    names = {"Dense": Dense, "hw": hw}
    hw.utils.set_random_seed(0)
    layer = eval(row.layer, names)
    model = hw.Sequential([Input((2,)), Dense(8, activation="tanh"), layer])
    model.compile(optimizer=hw.optimizers.Adam(0.02), loss=eval(row.loss, names))
    y = np.array(row.example, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(np.random.default_rng(0).normal(size=(len(y), 2)), y, epochs=150, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert (layer.units, layer.activation.name) == (row.units, row.activation)
    assert row.layer in repr(cheat_sheet())
    assert row.loss in repr(cheat_sheet())


def test_the_lessons_rows_come_first():
    assert cheat_sheet().rows[: len(cheat_sheet(further=False).rows)] == cheat_sheet(further=False).rows


def test_records_become_plain_values_and_frames():
    import json

    for record in (activation_shapes("relu"), loss_shapes(), confidence_shape(), cheat_sheet()):
        assert len(json.dumps(record.to_dict())) > 100
        assert len(record.to_frame()) > 5
        assert len(repr(record).splitlines()) > 1
    table = activation_shapes(["relu", "tanh"]).to_frame()
    assert set(table.index) == {"relu", "tanh"}


def test_the_pictures_draw_what_the_records_hold():
    shapes = activation_shapes(["relu", "softmax", "exponential", "tanh"])
    figure = shapes.plot("Title")
    assert [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes] == [
        "relu",
        "softmax",
        "exponential",
        "tanh",
    ]
    for axes, curve in zip(figure.axes, shapes.curves, strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        np.testing.assert_array_equal(lines["f(z)"].get_ydata(), curve.value)
        np.testing.assert_array_equal(lines["f′(z)"].get_ydata(), curve.derivative)
    assert figure.axes[2].get_ylim()[1] == 8.0  # the exponential is cut off
    losses = loss_shapes()
    names = [
        text.get_text() for axes in losses.plot().axes if axes.get_legend() for text in axes.get_legend().get_texts()
    ]
    assert sorted(names) == sorted(curve.name for curve in losses.curves)
    assert len(loss_shapes("mse").plot().axes) == 2
    texts = [text.get_text() for text in confidence_shape().plot().axes[0].texts]
    assert "p = 0.99: 4.61" in texts
    assert "confident and wrong" in texts
    sheet = cheat_sheet()
    drawn = [text.get_text() for text in sheet.plot().axes[0].texts]
    assert all(f"{row.layer}\nloss={row.loss}" in drawn for row in sheet.rows)
    assert plots.plot_cheat_sheet(sheet, title=None).get_suptitle() == ""
