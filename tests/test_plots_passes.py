"""Pictures of a pass: what they show is the trace's, at every size, and they change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import layers, optimizers, plots
from hillwalker.errors import InputError
from hillwalker.plots.passes import LABELLED, NODES


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    found += [axes.get_title(loc="left") for axes in figure.axes]
    return found + ([figure._suptitle.get_text()] if figure._suptitle else [])


@pytest.fixture
def small():
    hw.config.set_floatx("float64")
    model = hw.Sequential([hw.Input((2,)), layers.Dense(2, "sigmoid", name="hidden"),
                           layers.Dense(1, "sigmoid", name="out")])  # fmt: skip
    model.compile(optimizers.SGD(0.5), "binary_crossentropy")
    kernel = np.array([[0.15, 0.25], [0.2, 0.3]])
    model.set_weights([kernel, np.array([0.35, 0.35]), np.array([[0.4], [-0.5]]), np.array([0.6])])
    return model.trace([0.5, 0.1], 1)


@pytest.fixture
def large():
    hw.config.set_floatx("float64")
    model = hw.Sequential([
        hw.Input((20,)), layers.Dense(64, use_bias=False, name="first"), layers.Activation("relu", name="relu"),
        layers.BatchNormalization(name="norm"), layers.Dropout(0.3, name="drop"),
        layers.Dense(32, "relu", name="second"), layers.Dense(3, "softmax", name="out"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    return model.trace(random.normal(size=(16, 20)) * 1e4, random.integers(3, size=16))


class TestNetwork:
    def test_nodes_hold_what_units_give_on_and_lines_their_weights(self, small):
        said = texts(small.plot())
        for value in ("0.5", "0.1", "0.609", "0.624", "0.15", "0.25", "0.2", "0.3", "0.4", "−0.5"):
            assert value in said
        assert f"unit 0 · {small.layers[0].blame.shares[0]:.0%}" in said
        assert "loss 0.4621" in said[-1]

    @pytest.mark.parametrize("edges", ["blame", "forward"])
    def test_a_lines_width_follows_the_amount_and_its_colour_the_sign(self, small, edges):
        lines = plots.plot_network(small, edges=edges).axes[0].lines
        hidden, out = small.layers
        amounts = [(each.passed_on if edges == "blame" else each.contributions).ravel() for each in (hidden, out)]
        for amount, drawn in zip(amounts, (lines[:4], lines[4:]), strict=True):
            widths = [line.get_linewidth() for line in drawn]
            np.testing.assert_array_equal(np.argsort(widths), np.argsort(np.abs(amount)))
            is_dashed = [line.get_linestyle() != "-" for line in drawn]
            np.testing.assert_array_equal(is_dashed, amount < 0)

    def test_large_layers_are_cut(self, large):
        said = texts(large.plot("network"))
        assert sum(text.startswith("unit ") for text in said) == 2 * NODES + 3
        gone = sum(int(text.split()[1]) for text in said if text.startswith("⋮"))
        assert gone == 20 + 64 + 32 - 3 * NODES
        assert "first\nrelu\nBatchNormalization\nDropout" in said
        assert 3 * NODES > LABELLED  # so no weight is written

    def test_unknown_edges(self, small):
        with pytest.raises(InputError, match="blame"):
            plots.plot_network(small, edges="blam")


class TestForward:
    def test_numbers_and_arithmetic(self, small):
        said = texts(small.plot("forward"))
        for value in ("0.5", "0.1", "0.445", "0.505", "0.6094", "0.6236", "0.532", "0.6299", "0.4621"):
            assert value in said
        assert "hidden:  z₀ = x₀·W[0,0] + x₁·W[1,0] + b₀ = 0.5·0.15 + 0.1·0.2 + 0.35 = 0.445" in said
        assert "loss:  l = −ln(0.62994) = 0.4621" in said

    def test_a_column_a_stage(self, large):
        said = texts(large.plot("forward"))
        for name in ("input", "first", "relu", "norm", "drop", "second", "out", "loss"):
            assert said.count(name) == 1
        assert "z = x·W" in said
        assert "First units, first row:" in said
        assert max(len(text) for text in said) <= 110


class TestBackward:
    def test_from_the_last_layer_to_the_first(self, small):
        figure = plots.plot_backward(small)
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert titles[0].startswith("1. out:")
        assert titles[3].startswith("2. hidden:")
        assert titles[2] == "step of SGD,\nlearning rate 0.5"
        heights = [bar.get_height() for bar in figure.axes[3].patches]
        np.testing.assert_allclose(sorted(heights), sorted(small.layers[0].dz[0]))
        np.testing.assert_array_equal(figure.axes[4].images[0].get_array()[:2], small.layers[0].dW)
        np.testing.assert_array_equal(figure.axes[5].images[0].get_array()[2], small.layers[0].updates["bias"])

    def test_layers_between_are_named(self, large):
        titles = [axes.get_title(loc="left") for axes in plots.plot_backward(large).axes]
        assert any("by relu, norm, drop" in title for title in titles)

    def test_one_row_of_a_batch_has_no_step(self, large):
        figure = plots.plot_backward(large.row(3))
        assert "row 3 of 16" in texts(figure)[-1]
        assert not [axes for axes in figure.axes if "step" in axes.get_title(loc="left")]


@pytest.mark.parametrize("view", ["network", "forward", "backward"])
def test_no_text_is_small_and_nothing_changes(view, large, small):
    for trace in (large, small, large.row(0)):
        before = trace.to_dict()
        figure = trace.plot(view)
        sizes = [text.get_fontsize() for axes in figure.axes for text in axes.texts]
        assert min(sizes) >= 9
        assert trace.to_dict() == before


@pytest.mark.parametrize("view", ["network", "forward", "backward"])
def test_numbers_that_are_not_finite(view, small):
    hw.config.set_floatx("float64")
    model = hw.Sequential([hw.Input((2,)), layers.Dense(2, "exponential", name="h"), layers.Dense(1, name="o")])
    model.compile("sgd", "mse")
    model.set_weights([np.full((2, 2), 500.0), np.zeros(2), np.ones((2, 1)), np.zeros(1)])
    trace = model.trace([2.0, 1.0], 1.0)
    assert not np.isfinite(trace.loss)
    assert "inf" in str(trace) + str(trace.explain("h.kernel[0,0]"))
    trace.plot(view).canvas.draw()
