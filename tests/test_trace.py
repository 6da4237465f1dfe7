"""Traces: numbers worked by hand, central differences, what sums to what, the coming step, and nothing changed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import layers, losses, optimizers, reference, schedules
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.seeing.report import chosen

OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "adamax": lambda: optimizers.Adamax(0.01),
    "nadam": lambda: optimizers.Nadam(0.01),
    "lion": lambda: optimizers.Lion(0.01),
    "schedule": lambda: optimizers.SGD(schedules.ExponentialDecay(0.1, 1, 0.5)),
    "clipnorm": lambda: optimizers.SGD(0.1, clipnorm=0.05),
    "clipvalue": lambda: optimizers.Adam(0.1, clipvalue=0.01),
    "global_clipnorm": lambda: optimizers.SGD(0.1, global_clipnorm=0.05, weight_decay=0.01),
}


def deep(dtype="float64", optimizer="adam", loss="mse", outputs=2):
    """Return a compiled model with every kind of layer."""
    hw.config.set_floatx(dtype)
    model = hw.Sequential([
        hw.Input((3,)), layers.Dense(6, "tanh", kernel_regularizer="l2", name="first"),
        layers.BatchNormalization(name="normal"), layers.Dropout(0.3, name="drop"), layers.GaussianNoise(0.1),
        layers.Dense(5, use_bias=False, name="second"), layers.LeakyReLU(0.1, name="leaky"),
        layers.Dense(outputs, name="out"),
    ])  # fmt: skip
    model.compile(optimizer, loss)
    return model


def rows(count=8, outputs=2, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 3)), random.normal(size=(count, outputs)), random.uniform(0.5, 2, size=count)


def lesson():
    """Return the network of the textbook's example: two inputs, two hidden units, one output, all weights known."""
    hw.config.set_floatx("float64")
    model = hw.Sequential([hw.Input((2,)), layers.Dense(2, "sigmoid", name="hidden"), layers.Dense(1, name="out")])
    model.compile(optimizers.SGD(0.5), "mse")
    kernel = np.array([[0.15, 0.25], [0.20, 0.30]])
    model.set_weights([kernel, np.array([0.35, 0.35]), np.array([[0.4], [0.5]]), np.array([0.6])])
    return model


class TestByHand:
    def test_forward(self):
        trace = lesson().trace([0.5, 0.1], 1.0)
        hidden, out = trace.layers
        np.testing.assert_allclose(hidden.z, [[0.5 * 0.15 + 0.1 * 0.2 + 0.35, 0.5 * 0.25 + 0.1 * 0.3 + 0.35]])
        np.testing.assert_allclose(hidden.a, 1 / (1 + np.exp([[-0.445, -0.505]])))
        np.testing.assert_allclose(out.z, [[hidden.a[0, 0] * 0.4 + hidden.a[0, 1] * 0.5 + 0.6]])
        assert trace.loss == pytest.approx((out.z[0, 0] - 1.0) ** 2)

    def test_backward(self):
        trace = lesson().trace([0.5, 0.1], 1.0)
        hidden, out = trace.layers
        error = 2 * (trace.prediction[0, 0] - 1.0)
        assert trace.dprediction[0, 0] == pytest.approx(error)
        assert out.dz[0, 0] == pytest.approx(error)
        np.testing.assert_allclose(hidden.da, [[error * 0.4, error * 0.5]])
        np.testing.assert_allclose(hidden.dz, hidden.da * hidden.a * (1 - hidden.a))
        np.testing.assert_allclose(hidden.dW, np.outer([0.5, 0.1], hidden.dz[0]))
        np.testing.assert_allclose(hidden.db, hidden.dz[0])
        np.testing.assert_allclose(hidden.updates["kernel"], -0.5 * hidden.dW)
        np.testing.assert_allclose(hidden.dinput[0], hidden.W @ hidden.dz[0])

    def test_names_and_pieces(self):
        trace = lesson().trace([[0.5, 0.1], [0.2, 0.3]], [1.0, 0.0])
        hidden = trace.layer("hidden")
        assert (hidden.name, hidden.kind, hidden.activation, hidden.units) == ("hidden", "Dense", "sigmoid", 2)
        assert hidden is trace.layer(0) is trace.layers[0]
        np.testing.assert_array_equal(hidden.b, [0.35, 0.35])
        np.testing.assert_array_equal(trace.layers[1].input, hidden.a)
        assert trace.rows == 2
        assert repr(trace) == f"Trace: 2 rows through 2 layers; loss {trace.loss:.4g}"
        assert repr(hidden) == "LayerTrace: hidden (Dense, sigmoid), 2 -> 2"

    def test_batch_normalisation_and_dropout(self):
        model = deep()
        x, y, _ = rows()
        trace = model.trace(x, y)
        first, normal, drop = trace.layers[:3]
        np.testing.assert_allclose(normal.values["mean"], first.a.mean(axis=0))
        np.testing.assert_allclose(normal.values["variance"], first.a.var(axis=0))
        expected = (first.a - first.a.mean(axis=0)) / np.sqrt(first.a.var(axis=0) + 1e-3)
        np.testing.assert_allclose(normal.values["normal"], expected)
        np.testing.assert_allclose(normal.gradients["gamma"], (normal.da * expected).sum(axis=0))
        np.testing.assert_allclose(normal.gradients["beta"], normal.da.sum(axis=0))
        assert set(np.unique(drop.values["scale"])) == {0.0, 1 / 0.7}
        np.testing.assert_array_equal(drop.a, normal.a * drop.values["scale"])
        assert drop.z is drop.dz is drop.W is drop.db is None
        assert "moving_mean" not in normal.gradients


class TestAgainstCentralDifferences:
    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("weighted", [True, False])
    def test_every_derivative(self, training, weighted):
        model = deep()
        x, y, weight = rows()
        weight = weight if weighted else None
        model.fit(x, y, epochs=2, verbose=0)
        trace = model.trace(x, y, weight, training=training)
        weights = {f"{layer.name}/{name}": (layer, name) for layer in trace.layers for name in layer.gradients}
        for segment in model.plan.trained:
            layer, name = weights[segment.name]
            view = segment.view(model.state.parameters)
            for place in list(np.ndindex(view.shape))[:7]:
                kept, ends = view[place], []
                for step in (1e-6, -1e-6):
                    view[place] = kept + step
                    ends.append(model.trace(x, y, weight, training=training).loss)
                view[place] = kept
                slope = (ends[0] - ends[1]) / 2e-6
                assert layer.gradients[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-8), segment.name

    def test_inputs(self):
        model = deep()
        x, y, _ = rows()
        trace = model.trace(x, y)
        for place in [(0, 0), (3, 2), (7, 1)]:
            ends = []
            for step in (1e-6, -1e-6):
                moved = x.copy()
                moved[place] += step
                ends.append(model.trace(moved, y).loss)
            assert trace.layers[0].dinput[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-9)

    def test_predictions_and_loss_are_those_of_evaluate(self):
        model = deep()
        x, y, weight = rows()
        trace = model.trace(x, y, weight, training=False)
        np.testing.assert_allclose(trace.prediction, model.predict(x, verbose=0), rtol=1e-12)
        assert trace.loss == pytest.approx(model.evaluate(x, y, sample_weight=weight, verbose=0), rel=1e-12)


class TestWhatSums:
    def test_blame_shares_sum_to_the_whole(self):
        x, y, _ = rows()
        trace = deep().trace(x, y)
        for blame in [trace.blame, *(layer.blame for layer in trace.layers)]:
            assert blame.shares.sum() == pytest.approx(1.0, abs=1e-14)
        first = trace.layers[0]
        np.testing.assert_allclose(first.blame.shares, np.abs(first.dz).sum(axis=0) / np.abs(first.dz).sum())
        amounts = np.abs(x * first.dinput).sum(axis=0)
        np.testing.assert_allclose(trace.blame.shares, amounts / amounts.sum())

    def test_nobody_is_to_blame_for_a_perfect_prediction(self):
        model = lesson()
        x = np.array([[0.5, 0.1]])
        trace = model.trace(x, model.predict(x, verbose=0))
        assert trace.loss == 0.0
        assert not trace.blame.shares.any()
        assert "0%" in str(trace)

    def test_parts_sum_to_what_reaches_a_unit(self):
        x, y, _ = rows()
        trace = deep().trace(x, y)
        noise, leaky = trace.layers[3], trace.layers[5]
        for layer in (noise, leaky):
            np.testing.assert_allclose(layer.blame.parts.sum(axis=1), layer.da.sum(axis=0), atol=1e-14)
            np.testing.assert_allclose(layer.blame.parts_of(2).sum(axis=1), layer.da[2], atol=1e-14)
        np.testing.assert_allclose(trace.blame.parts.sum(axis=1), trace.layers[0].dinput.sum(axis=0), atol=1e-14)
        assert trace.layers[0].blame.parts is trace.layers[-1].blame.parts_of(0) is None
        assert "shares" in repr(noise.blame)

    @pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
    def test_rows_sum_to_the_batch(self, reduction):
        x, y, weight = rows()
        trace = deep(loss=losses.Huber(reduction=reduction)).trace(x, y, weight)
        parts = [trace.row(number) for number in range(trace.rows)]
        assert sum(part.loss for part in parts) + trace.penalty == pytest.approx(trace.loss)
        for place, layer in enumerate(trace.layers):
            for name, gradient in layer.gradients.items():
                penalty = layer.penalties.get(name)
                whole = sum(part.layers[place].gradients[name] for part in parts)
                whole = whole + (0.0 if penalty is None else penalty.derivative(layer.weights[name]))
                np.testing.assert_allclose(whole, gradient, atol=1e-14)
        assert parts[3].is_part
        assert parts[3].row_numbers == (3,)
        assert parts[3].row(0) is parts[3]
        assert parts[3].layers[0].updates is None
        assert repr(parts[3]).startswith("Trace: 1 row (row 3 of 8)")

    @pytest.mark.parametrize(
        "function",
        [lambda t, p: np.mean((t - p) ** 2), lambda t, p: (t - p) ** 4, lambda t, p: np.mean((t - p) ** 4, -1)],
        ids=["of the batch", "of each number", "of each row"],
    )
    @pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
    def test_a_loss_of_ones_own(self, function, reduction):
        x, y, _ = rows()
        trace = deep(loss=losses.CustomLoss(function, reduction=reduction)).trace(x, y)
        assert trace.row_parts.sum() == pytest.approx(trace.data_loss)
        assert trace.engine_difference < 1e-13
        assert trace.explain("dprediction[0,0]").value == trace.dprediction[0, 0]


class TestTheComingStep:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_train_on_batch_does_what_the_trace_says(self, name, dtype, engine):
        model = deep(dtype, OPTIMIZERS[name]())
        x, y, weight = rows()
        model.fit(x, y, epochs=3, batch_size=3, verbose=0)
        trace = model.trace(x, y, weight)
        before = [w.astype(np.float64) for w in model.get_weights()]
        loss = model.train_on_batch(x, y, sample_weight=weight)
        is_single = dtype == "float32" and engine != "reference"
        assert loss == pytest.approx(trace.loss, rel=1e-5 if is_single else 1e-12)
        told = [update for layer in trace.layers for update in layer.updates.values()]
        for old, new, update in zip(before, model.get_weights(), told, strict=True):
            np.testing.assert_allclose(new - old, update, atol=3e-6 if is_single else 1e-12)

    def test_a_frozen_layer_stays(self):
        model = deep()
        model.layers[0].trainable = False
        x, y, _ = rows()
        trace = model.trace(x, y)
        assert not trace.layers[0].trainable
        assert not trace.layers[0].updates["kernel"].any()
        assert trace.layers[0].dW.any()  # the loss has a slope there all the same
        assert trace.penalty == 0.0
        assert "frozen" in str(trace)
        assert "frozen" in str(trace.explain("first.kernel[0,0]"))

    @pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
    @pytest.mark.parametrize("training", [True, False])
    def test_the_compiled_engine_computes_the_same(self, dtype, tolerance, training):
        x, y, weight = rows()
        model = deep(dtype)
        model.fit(x, y, epochs=2, verbose=0)
        trace = model.trace(x, y, weight, training=training)
        assert 0.0 <= trace.engine_difference < tolerance
        assert trace.precision == dtype
        assert "compiled engine" in str(trace)

    def test_the_reference_engine_has_nothing_to_compare(self, monkeypatch):
        monkeypatch.setenv("HILLWALKER_ENGINE", "reference")
        x, y, _ = rows()
        trace = deep().trace(x, y)
        assert isinstance(deep().state.network, reference.Network)
        assert trace.engine_difference is None
        assert "compiled engine" not in str(trace)


class TestNothingChanges:
    @pytest.mark.parametrize("training", [True, False])
    def test_model(self, training):
        x, y, weight = rows()
        hw.utils.set_random_seed(3)
        model = deep("float32")
        hw.utils.set_random_seed(3)
        twin = deep("float32")
        for each in (model, twin):
            each.fit(x, y, epochs=2, verbose=0)
        vectors = [model.state.parameters, *model.state.slots.values()]
        before, iterations = [vector.copy() for vector in vectors], model.optimizer.iterations
        trace = model.trace(x, y, weight, training=training)
        str(trace), trace.explain("first.kernel[0,0]"), trace.row(1), trace.to_dict()
        for vector, kept in zip(vectors, before, strict=True):
            np.testing.assert_array_equal(vector, kept)
        assert model.optimizer.iterations == iterations
        for each in (model, twin):
            each.fit(x, y, epochs=2, verbose=0)
        np.testing.assert_array_equal(model.predict(x, verbose=0), twin.predict(x, verbose=0))

    def test_what_is_measured(self):
        model = deep(loss=losses.CustomLoss(lambda t, p: (t - p) ** 4))
        model.compile("adam", model.loss, metrics=["mae"])
        x, y, _ = rows()
        model.trace(x, y)
        assert model.metrics_names == ["loss"]  # as before the first data
        assert model.fit(x, y, verbose=0).history["mae"]

    def test_the_trace_keeps_its_numbers_when_training_goes_on(self):
        x, y, _ = rows()
        model = deep()
        trace = model.trace(x, y)
        kept = json.dumps(trace.to_dict())
        model.fit(x, y, epochs=2, verbose=0)
        x += 1.0
        assert json.dumps(trace.to_dict()) == kept


class TestRecord:
    def test_plain_values(self):
        x, y, weight = rows()
        plain = json.loads(json.dumps(deep().trace(x, y, weight).to_dict()))
        assert plain["layers"][0]["name"] == "first"
        assert np.shape(plain["layers"][0]["dkernel"]) == (3, 6)
        assert plain["sample_weight"] == pytest.approx(weight)
        assert plain["optimizer"] == "adam"

    def test_frame(self):
        x, y, _ = rows()
        trace = deep().trace(x, y)
        frame = trace.to_frame()
        assert list(frame.columns) == ["layer", "quantity", "index", "value"]
        found = frame[(frame.layer == "out") & (frame.quantity == "dkernel") & (frame["index"] == "2,1")]
        assert found.value.item() == trace.layer("out").dW[2, 1]
        assert frame[frame.quantity == "loss"].value.item() == trace.loss

    def test_text_fits_a_terminal(self):
        hw.config.set_floatx("float32")
        model = hw.Sequential([hw.Input((20,)), layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(1)])
        model.compile("adam", "mse")
        random = np.random.default_rng(0)
        trace = model.trace(random.normal(size=(16, 20)), random.normal(size=16))
        for text in (str(trace), str(trace.row(3))):
            assert max(map(len, text.splitlines())) <= 100
            assert len(text.splitlines()) < 100
        assert "6 of 64 units" in str(trace)
        assert "means over the 16 rows" in str(trace)
        assert "row 3 of a batch of 16" in str(trace.row(3))

    def test_text_of_a_small_network_holds_every_weight(self):
        text = str(lesson().trace([0.5, 0.1], 1.0))
        for number in ("0.15", "0.25", "0.2", "0.3", "0.35", "0.4", "0.5", "0.6", "0.445", "0.505"):
            assert f" {number}" in text

    def test_what_is_shown_of_many(self):
        assert chosen(np.arange(10.0), 4) == [0, 1, 8, 9]
        assert chosen(np.array([1.0, 5.0, 9.0]), 1) == [0]
        assert chosen(np.arange(3.0), 3) == [0, 1, 2]

    def test_one_row_and_its_batch_of_one_are_the_same(self):
        assert lesson().trace([0.5, 0.1], 1.0).loss == lesson().trace([[0.5, 0.1]], [[1.0]], [1.0]).loss

    def test_labels(self):
        hw.config.set_floatx("float64")
        model = hw.Sequential([hw.Input((2,)), layers.Dense(3, "softmax", name="out")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        trace = model.trace([0.5, 0.1], 2)
        np.testing.assert_allclose(trace.layers[0].dz, trace.prediction - [[0.0, 0.0, 1.0]], atol=1e-15)


class TestBadInput:
    def test_before_compile(self):
        model = hw.Sequential([hw.Input((2,)), layers.Dense(1)])
        with pytest.raises(StateError, match="trace before compile"):
            model.trace([[1.0, 2.0]], [1.0])

    def test_not_built(self):
        model = hw.Sequential([layers.Dense(1)])
        model.compile("sgd", "mse")
        with pytest.raises(StateError, match="not built"):
            model.trace([[1.0, 2.0]], [1.0])
        assert not model.built

    def test_without_targets(self):
        with pytest.raises(InputError, match="trace without y"):
            lesson().trace([[1.0, 2.0]])

    @pytest.mark.parametrize("x", [[[1.0, 2.0, 3.0]], [1.0, 2.0, 3.0], [[np.nan, 1.0]]])
    def test_data_that_do_not_fit(self, x):
        with pytest.raises(InputError):
            lesson().trace(x, [1.0])

    def test_layers_and_rows_that_are_not_there(self):
        trace = lesson().trace([[0.5, 0.1], [0.2, 0.3]], [1.0, 0.0])
        with pytest.raises(InputError, match="hidden"):
            trace.layer("hiden")
        with pytest.raises(InputError, match="0 to 1"):
            trace.layer(2)
        with pytest.raises(InputError, match="0 to 1"):
            trace.row(2)
        with pytest.raises(InputTypeError, match="number of a row"):
            trace.row("first")
        with pytest.raises(InputError, match="network"):
            trace.plot("netwrk")
