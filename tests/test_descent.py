"""The hill-walker: steps worked by hand, equal to a network's training bit for bit, ends told in words, bad input."""

import json
import math
import sys

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import hills, optimizers, plots
from hillwalker.errors import InputError, InputTypeError
from hillwalker.layers import Dense, Input
from hillwalker.optimizers import SGD, Adam
from hillwalker.seeing.descent import Path, Paths, described


def test_worked_by_hand():
    # f = x^2, slope 2 x, rate 0.25: 8 -> 4 -> 2 -> 1
    path = hw.descend(hills.parabola, 8.0, SGD(0.25), steps=3)
    np.testing.assert_array_equal(path.positions, [[8.0], [4.0], [2.0], [1.0]])
    np.testing.assert_array_equal(path.values, [64.0, 16.0, 4.0, 1.0])
    np.testing.assert_array_equal(path.gradients, [[16.0], [8.0], [4.0], [2.0]])
    np.testing.assert_array_equal(path.learning_rates, [0.25] * 3)
    assert (path.steps, path.end.tolist(), path.climbed, path.stop_reason) == (3, [1.0], False, None)
    assert (path.derivative, path.optimizer, path.function) == ("its own", "SGD(0.25)", "parabola")


def test_three_rates_on_a_parabola():
    # x <- (1 - 2 rate) x, so |x| shrinks by 0.98, 0.4, or grows by 1.1 a step
    paths = hw.descend(hills.parabola, 4.0, {"small": SGD(0.01), "right": SGD(0.3), "large": SGD(1.05)}, steps=20)
    for path, factor in zip(paths, (0.98, 0.4, -1.1), strict=True):
        np.testing.assert_allclose(path.positions[:, 0], 4.0 * factor ** np.arange(21), rtol=1e-12)
    assert [path.climbed for path in paths] == [False, False, True]


RULES = [
    SGD(0.1),
    SGD(0.05, momentum=0.9, nesterov=True),
    SGD(0.1, weight_decay=0.1, clipnorm=0.5),
    SGD(optimizers.schedules.ExponentialDecay(0.3, 5, 0.5), clipvalue=0.3),
    Adam(0.1, amsgrad=True, global_clipnorm=1.0),
    *(
        optimizers.BY_NAME[name](0.05)
        for name in ("rmsprop", "adagrad", "adadelta", "adamw", "adamax", "nadam", "lion")
    ),
]


def trained(rule, steps):
    """Return the weight, step by step, of a network whose loss is w^2: Dense without bias on x = 1, y = 0."""
    model = hw.Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.set_weights([np.array([[2.0]])])
    model.compile(optimizers.deserialize(optimizers.serialize(rule)), "mse")
    weights = [2.0]
    for _ in range(steps):
        model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
        weights.append(float(model.get_weights()[0][0, 0]))
    return np.array(weights)


@pytest.mark.parametrize("rule", RULES, ids=described)
def test_a_path_is_a_networks_training_bit_for_bit(rule, monkeypatch):
    path = hw.descend(lambda w: w**2, 2.0, rule, steps=25, gradient=lambda w: 2.0 * w)
    monkeypatch.setenv("HILLWALKER_ENGINE", "reference")
    np.testing.assert_array_equal(path.positions[:, 0], trained(rule, 25))
    monkeypatch.setenv("HILLWALKER_ENGINE", "compiled")
    before = hw.config.floatx()
    try:
        hw.config.set_floatx("float64")
        np.testing.assert_allclose(path.positions[:, 0], trained(rule, 25), rtol=1e-13, atol=1e-15)
    finally:
        hw.config.set_floatx(before)


def test_momentum_beats_plain_descent_along_a_ravine_and_noise_needs_a_decaying_rate():
    rules = {"plain": SGD(0.03), "momentum": SGD(0.03, momentum=0.8)}
    paths = hw.descend(hills.ravine(condition=50.0), None, rules, steps=60)
    assert paths["momentum"].values[-1] < 0.01 * paths["plain"].values[-1]
    decaying = SGD(optimizers.schedules.ExponentialDecay(0.1, 20, 0.5))
    noisy = hw.descend(hills.noisy, None, {"constant": SGD(0.1), "decaying": decaying}, steps=300)
    late = [path.values[-50:].mean() for path in noisy]
    assert late[1] < 0.1 * late[0]


def test_a_saddle_holds_only_who_comes_along_its_ridge():
    held = hw.descend(hills.saddle, [-1.0, 0.0], steps=300)
    np.testing.assert_allclose(held.end, [0.0, 0.0], atol=1e-9)
    leaves = hw.descend(hills.saddle, [-1.0, 1e-3], steps=300)
    np.testing.assert_allclose(leaves.end, [0.0, 1.0], atol=1e-6)


def test_the_three_sources_of_slopes_agree():
    def own(x):
        return np.sum(np.sin(x) + 0.1 * x**2)

    start = [2.0, -1.0, 0.5]
    given = hw.descend(own, start, gradient=lambda x: np.cos(x) + 0.2 * x)
    automatic = hw.descend(own, start)
    opaque = hw.descend(lambda x: sum(math.sin(v) + 0.1 * v**2 for v in x), start)
    assert [path.derivative for path in (given, automatic, opaque)] == ["given", "autograd", "central differences"]
    np.testing.assert_allclose(automatic.positions, given.positions, rtol=1e-13)
    np.testing.assert_allclose(opaque.positions, given.positions, rtol=1e-8)
    assert given.terrain is None  # there is no map of three variables
    assert given.variables == ("x1", "x2", "x3")


def test_without_autograd_slopes_are_differences(monkeypatch):
    from hillwalker import differentiate

    monkeypatch.setitem(sys.modules, "autograd.numpy", None)
    differentiate._autograd.cache_clear()
    path = hw.descend(lambda x: (x - 1.0) ** 2, 3.0, steps=5)
    monkeypatch.undo()
    differentiate._autograd.cache_clear()
    assert path.derivative == "central differences"
    np.testing.assert_allclose(path.positions[:, 0], 1.0 + 2.0 * 0.8 ** np.arange(6), rtol=1e-9)


def test_a_number_stays_a_number_and_a_list_an_array():
    seen = []

    def f(x):
        seen.append(np.shape(x))
        return np.sum(x * x)

    hw.descend(f, 1.0, steps=1, gradient=lambda x: 2 * x)
    assert set(seen) == {()}
    seen.clear()
    hw.descend(f, [1.0], steps=1, gradient=lambda x: 2 * x)
    assert set(seen) == {(1,)}


def test_divergence_ends_the_path_in_words_and_can_be_drawn():
    path = hw.descend(hills.ravine, None, SGD(0.2), steps=1500)
    assert path.steps < 1500
    assert len(path.learning_rates) == path.steps
    assert path.climbed
    assert f"no longer a finite number at step {path.steps}" in path.stop_reason
    assert "smaller learning rate" in path.stop_reason
    assert math.isfinite(path.values[-2])
    assert not math.isfinite(path.values[-1])
    assert path.to_dict()["values"][-1] is None
    assert "then no longer finite" in path.plot().axes[0].get_legend_handles_labels()[1][0]
    outside = hw.descend(lambda x: np.log(x), 1e-3, gradient=lambda x: 1 / x)
    assert outside.steps == 1
    assert "value is no longer a finite number at step 1" in outside.stop_reason


def test_ctrl_c_keeps_the_path_so_far():
    def gradient(x):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return 2 * x

    calls = []
    path = hw.descend(lambda x: x**2, 1.0, steps=50, gradient=gradient)
    assert path.stop_reason == f"interrupted after step {path.steps}"
    assert 0 < path.steps < 8
    assert len(path.values) == len(path.gradients) == path.steps + 1


def test_optimizers_are_left_as_they_were_and_walks_repeat():
    rule = Adam(0.1)
    rule.iterations = 7
    first = hw.descend(hills.noisy, None, [rule, "sgd", rule], seed=3)
    assert (rule.iterations, rule.owner) == (7, None)
    np.testing.assert_array_equal(first[0].positions, first[2].positions)
    np.testing.assert_array_equal(first[0].positions, hw.descend(hills.noisy, None, rule, seed=3).positions)
    assert (first[0].positions[1:] != hw.descend(hills.noisy, None, rule, seed=4).positions[1:]).any()


def test_several_paths_are_found_by_label_by_name_and_by_number():
    paths = hw.descend("rosenbrock", None, ["adam", SGD(1e-4), SGD(1e-4)], steps=4)
    assert isinstance(paths, Paths)
    assert paths.labels == ["Adam(0.001)", "SGD(0.0001)", "SGD(0.0001) #2"]
    assert paths["adam"] is paths["Adam(0.001)"] is paths[0]
    assert len(list(paths)) == len(paths) == 3
    assert isinstance(hw.descend("rosenbrock", None, "adam", steps=1), Path)
    with pytest.raises(InputError, match=r"paths\['Adam\(0.001\)'\]"):
        paths["Adam(0.01)"]


def test_records_as_frames_and_json():
    paths = hw.descend(hills.ravine, None, {"a": SGD(0.01), "b": "adam"}, steps=3)
    frame = paths.to_frame()
    assert list(frame.columns) == ["label", "step", "x", "y", "value", "gradient_x", "gradient_y", "learning_rate"]
    assert frame["label"].tolist() == ["a"] * 4 + ["b"] * 4
    one = paths["a"].to_frame()
    assert one.index.tolist() == [0, 1, 2, 3]
    assert one["value"].tolist() == paths["a"].values.tolist()
    told = json.loads(json.dumps(paths.to_dict(), allow_nan=False))
    assert told["b"]["positions"] == paths["b"].positions.tolist()
    assert repr(paths).splitlines()[0].startswith("Path: a, SGD(0.01) on ravine, 3 steps from 38.25 to")


def test_descriptions_leave_defaults_out():
    assert described(Adam(0.01, beta_1=0.5)) == "Adam(0.01, beta_1=0.5)"
    assert described(SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.5))) == "SGD(ExponentialDecay(...))"
    assert described(SGD(0.1, clipnorm=1.0)) == "SGD(0.1, clipnorm=1)"


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        (("parabola", float("inf")), InputError, "start=inf"),
        (("parabola", "four"), InputError, "start='four'"),
        (("parabola", [1.0, 2.0]), InputError, "a start of 2 numbers for the hill 'parabola'"),
        (("parabla", 1.0), InputError, "hw.descend('parabola', start)"),
        ((lambda x: x, [1.0, 2.0]), InputError, "returned shape (2,)"),
        ((lambda x: "low", 1.0), InputError, "returned str"),
        ((np.log, -1.0), InputError, "a start where the function is a finite number"),
        ((np.sum, None), InputError, "start=None"),
        ((3, 1.0), InputTypeError, "f=3"),
        ((np.ones(2), 1.0), InputTypeError, "a function of an array, or a hill"),
        (("parabola", 1.0, None, 5, None, 0, 7), InputError, "verbose=7"),
        (("parabola", 1.0, "adm"), InputError, "adam"),
        (("parabola", 1.0, []), InputError, "at least one optimizer"),
        (("parabola", 1.0, None, 0), InputError, "steps=0"),
        (("parabola", 1.0, None, 2.5), InputError, "steps=2.5"),
        (("parabola", 1.0, None, 5, "slope"), InputTypeError, "gradient='slope'"),
        ((np.sum, [1.0, 2.0], None, 5, lambda x: 1.0), InputError, "a gradient of shape () for x of shape (2,)"),
        (("parabola", 1.0, None, 5, None, -1), InputError, "seed=-1"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_bad_input_is_refused(arguments, kind, told):
    with pytest.raises(kind) as refusal:
        hw.descend(*arguments)
    assert told in str(refusal.value)


def test_pictures_show_the_record():
    paths = hw.descend(hills.parabola, 4.0, {"small": SGD(0.01), "large": SGD(1.05)}, steps=10)
    figure = paths.plot(title="Two rates")
    assert figure.get_suptitle() == "Two rates"
    assert [axes.get_title(loc="left").splitlines()[0] for axes in figure.axes] == ["small", "large"]
    assert "(diverges)" in figure.axes[1].get_title(loc="left")
    np.testing.assert_array_equal(figure.axes[0].get_lines()[2].get_xdata(), paths["small"].positions[:, 0])

    contours = plots.plot_descent(hw.descend(hills.rosenbrock, None, ["sgd", "adam"], steps=5))
    labels = contours.axes[0].get_legend_handles_labels()[1]
    assert [label.split(":")[0] for label in labels] == ["SGD(0.01)", "Adam(0.001)", "start", "lowest point"]
    many = hw.descend(lambda x: np.sum(x**2), [1.0, 2.0, 3.0], SGD(0.4), steps=20).plot()
    assert (many.axes[0].get_xlabel(), many.axes[0].get_yscale()) == ("step", "log")
    with pytest.raises(InputTypeError, match="a Path or Paths"):
        plots.plot_descent([1, 2])


def test_the_map_shows_the_ground_that_was_walked():
    path = hw.descend(lambda x: (x[0] - 3.0) ** 2 + 2.0 * x[1] ** 2, [0.0, 1.0])
    x, y = path.terrain.axes
    assert (x[0] < path.positions[:, 0]).all()
    assert (x[-1] > path.positions[:, 0]).all()
    assert path.terrain.values.shape == (len(y), len(x))
    assert path.terrain.values[4, 9] == pytest.approx((x[9] - 3.0) ** 2 + 2.0 * y[4] ** 2)
