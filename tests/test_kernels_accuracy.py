"""The core's functions on vectors against wider precision: errors in units of the last place (ulp), special values.

The bounds are those of docs/numerics.md; every instruction set of this machine has to keep them.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import numpy as np
import pytest

from hillwalker import activations, engine, losses, plan
from hillwalker.layers import Activation, Dense
from hillwalker.parameters import flat_vector

WIDE = np.longdouble  # 64 bits of mantissa on x86; where it is no wider than float64, the one ulp more below is needed
ROOT_HALF, PI = np.sqrt(WIDE(0.5)), WIDE("3.14159265358979323846264338327950288")
erfc = np.vectorize(math.erfc, otypes=[np.float64])


def sigmoid(z):
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def density(z):
    return np.exp(-z * z / 2) / np.sqrt(2 * PI)


def probability(z):
    x = np.clip(-z, -40, 40) * ROOT_HALF  # beyond, it is 1, or smaller than any float64
    near = x.astype(np.float64)  # what math.erfc is given; the slope makes up for what was rounded off
    return (erfc(near) - (x - near) * 2 * np.exp(-x * x) / np.sqrt(PI)) / 2


def inner(z):
    return np.sqrt(8 / PI) * (z + WIDE(0.044715) * z**3)


def slope_of_approximate_gelu(z):
    s = sigmoid(inner(z))
    return s + z * s * (1 - s) * np.sqrt(8 / PI) * (1 + 3 * WIDE(0.044715) * z * z)


def slope_of_mish(z):
    t = np.tanh(softplus(z))
    return t + z * (1 - t * t) * sigmoid(z)


SELU, ALPHA = WIDE("1.05070098735548049341933498529460"), WIDE("1.67326324235437728481704299167170")
VALUES = {
    "exponential": np.exp,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: SELU * np.where(z > 0, z, ALPHA * np.expm1(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "silu": lambda z: z * sigmoid(z),
    "mish": lambda z: z * np.tanh(softplus(z)),
    "gelu": lambda z: np.maximum(z, -40) * probability(z),
    "gelu_approximate": lambda z: z * sigmoid(inner(z)),
}
# The largest error where the result is a normal number, float32 and float64; measured over all float32 numbers.
ULPS = {
    "exponential": (1, 1),
    "tanh": (2, 2.25),
    "sigmoid": (2, 2.25),
    "softplus": (2.1, 2.25),  # 2 with fused multiplication and addition
    "elu": (1, 1.25),
    "selu": (2, 2.25),
    "softsign": (1.5, 1.5),
    "silu": (3, 3),
    "mish": (5, 5),
    "gelu": (8, 12),
    "gelu_approximate": (4, 4),  # and 3 |2 u| more, since an error of the exponent 2 u is one of the power
}
SLOPES = {
    "tanh": lambda z: 1 / np.cosh(np.clip(z, -50, 50)) ** 2,
    "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),
    "softplus": sigmoid,
    "elu": lambda z: np.exp(np.minimum(z, 0)),
    "selu": lambda z: SELU * np.where(z > 0, 1, ALPHA * np.exp(np.minimum(z, 0))),
    "softsign": lambda z: 1 / (1 + np.abs(z)) ** 2,
    "silu": lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    "mish": slope_of_mish,
    "gelu": lambda z: probability(z) + z * density(z),
    "gelu_approximate": slope_of_approximate_gelu,
}
LIMITS = {  # at minus infinity and infinity
    "exponential": (0, np.inf),
    "tanh": (-1, 1),
    "sigmoid": (0, 1),
    "softplus": (0, np.inf),
    "elu": (-1, np.inf),
    "selu": (-SELU * ALPHA, np.inf),
    "softsign": (-1, 1),
    "silu": (0, np.inf),
    "mish": (0, np.inf),
    "gelu": (0, np.inf),
    "gelu_approximate": (0, np.inf),
    "relu": (0, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    "relu6": (0, 6),
    "hard_sigmoid": (0, 1),
}


def activation(name):
    return activations.Gelu(approximate=True) if name == "gelu_approximate" else name


@pytest.fixture(params=engine.instruction_sets(), autouse=True)
def instruction_set(request):
    before = engine.instruction_set()
    engine.choose_instruction_set(request.param)
    yield request.param
    engine.choose_instruction_set(before)


def network_of(layers, inputs, dtype, loss=None):
    drawn = dataclasses.replace(plan.draw_up(layers, inputs, dtype), loss=loss)
    parameters = flat_vector(drawn.length, dtype)
    return engine.Network(drawn, parameters, {}, 0)


def outputs(layers, z):
    a = np.empty_like(z)
    network_of(layers, z.shape[1], z.dtype.name).predict(z, a, len(z))
    return a


def through(name, z):
    """Return f(z) as the core computes it: one row through a network that is nothing but an activation."""
    return outputs([Activation(activation(name))], z[np.newaxis])[0]


@cache
def grid(dtype):
    """Return numbers of every exponent and both signs, and many where activations bend."""
    bits = np.uint32 if dtype == "float32" else np.uint64
    places = np.arange(2**16, dtype=bits) * bits(2 ** (8 * np.dtype(dtype).itemsize - 16) + 12345)
    everywhere = places.view(dtype)
    bent = np.concatenate([np.linspace(-30, 30, 30_001), np.linspace(-1e-3, 1e-3, 2001)]).astype(dtype)
    edges = np.array([-104, -88, -87.33, -86.99, 88.37, 88.72, 88.73, 89, -709, -708.3, 709.4, 709.7, 710], dtype)
    whole = np.concatenate([everywhere, bent, edges])
    return whole[np.isfinite(whole) & ~(np.abs(whole) < np.finfo(dtype).tiny)]


@cache
def truth(name, dtype):
    with np.errstate(all="ignore"):
        return VALUES[name](grid(dtype).astype(WIDE)).astype(WIDE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestActivations:
    @pytest.mark.parametrize("name", VALUES)
    def test_error_in_units_of_the_last_place(self, name, dtype):
        z, exact, limits = grid(dtype), truth(name, dtype), np.finfo(dtype)
        found = through(name, z)
        # a product with a factor that was too small for a normal number is lost earlier
        tiny = limits.tiny * (1000 if name in ("silu", "mish", "gelu", "gelu_approximate") else 1.0001)
        normal = (np.abs(exact) >= tiny) & (np.abs(exact) <= limits.max)
        with np.errstate(over="ignore"):
            spacing = np.spacing(np.abs(exact[normal]).astype(dtype)).astype(WIDE)
        error = np.abs(found[normal].astype(WIDE) - exact[normal]) / spacing
        bound = ULPS[name][dtype == "float64"] + (dtype == "float64")  # one, for what is taken to be the truth
        if name == "gelu_approximate":
            bound = bound + 3 * np.abs(np.minimum(inner(z[normal].astype(WIDE)), 0))
        assert (error <= bound).all(), (float(error.max()), z[normal][error.argmax()])
        assert (np.abs(found[np.abs(exact) < tiny]) <= tiny).all()
        np.testing.assert_array_equal(found[exact > WIDE(limits.max) * (1 + WIDE(limits.eps))], np.inf)

    @pytest.mark.parametrize("name", LIMITS)
    def test_nan_stays_and_infinities_have_their_limits(self, name, dtype):
        payload = np.array([0x7FC12345], np.uint32).view(np.float32) if dtype == "float32" else np.nan
        z = np.array([np.nan, -np.nan, np.ravel(payload)[0], -np.inf, np.inf], dtype)
        found = through(name, z)
        assert np.isnan(found[:3]).all()
        below, above = (np.dtype(dtype).type(limit) for limit in LIMITS[name])
        np.testing.assert_allclose(found[3:], [below, above], rtol=2 * np.finfo(dtype).eps, atol=0)

    @pytest.mark.parametrize("name", ["tanh", "softsign", "silu", "mish", "gelu", "gelu_approximate"])
    def test_zero_keeps_its_sign_and_denormals_count_as_zero(self, name, dtype):
        tiny = np.finfo(dtype).tiny
        found = through(name, np.array([0.0, -0.0, tiny / 8, -tiny / 8], dtype))
        assert (np.abs(found) < tiny).all()
        assert np.signbit(found[:2]).tolist() == [False, True]

    @pytest.mark.parametrize("name", SLOPES)
    def test_slopes(self, name, dtype):
        """The blame for a bias, where every output has the same blame: the slope of the activation at that bias."""
        columns = 2**13
        special = [0, -100, 100, -1e4, 1e4, -1e30, 1e30, 1e-30]
        z = np.concatenate([np.linspace(-20, 20, columns - len(special)), special]).astype(dtype)
        network = network_of([Dense(columns, activation(name))], 1, dtype, losses.MeanAbsoluteError())
        bias = next(segment for segment in network.plan.segments if segment.name.endswith("bias"))
        bias.view(network.parameters)[...] = z
        below = np.full(
            (1, columns), -1e35, dtype
        )  # all predictions are above their targets, so all blame is 1 / columns
        gradient = network.gradients(np.zeros((1, 1), dtype), below, None)[1]
        found = np.array(bias.view(gradient)) * columns
        with np.errstate(all="ignore"):
            exact = SLOPES[name](z.astype(WIDE))
        exact = np.where(np.isnan(exact), z > 0, exact)  # where the formula overflows, its limit
        assert float(np.abs(found - exact).max()) <= 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestLogarithm:
    def test_error_in_units_of_the_last_place(self, dtype):
        """The binary crossentropy of a row with the target 1 is -log p."""
        p = np.concatenate([np.geomspace(1.1e-7, 0.5, 300), 1 - np.geomspace(2e-7, 0.5, 300)]).astype(dtype)
        network = network_of([Activation("linear")], 1, dtype, losses.BinaryCrossentropy())
        one = np.ones((1, 1), dtype)
        found = np.array([network.evaluate(row.reshape(1, 1), one, None, 1, None) for row in p])
        exact = -np.log(p.astype(WIDE))
        error = np.abs(found - exact) / np.spacing(exact.astype(dtype))
        assert float(error.max()) <= 1 + (dtype == "float64")

    def test_of_zero_and_less_of_infinity_and_of_nan(self, dtype):
        """QLIKE of the logarithm 0 is y - log y - 1."""
        network = network_of([Activation("linear")], 1, dtype, losses.QLIKE(from_log=True))
        p = np.zeros((1, 1), dtype)
        found = [network.evaluate(p, np.full((1, 1), y, dtype), None, 1, None) for y in (0.0, -1.0, np.nan, 1.0)]
        np.testing.assert_array_equal(found, [np.inf, np.nan, np.nan, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestSoftmax:
    @pytest.mark.parametrize("columns", [2, 3, 7, 8, 9, 10, 16, 17, 33, 100])
    def test_against_wider_precision(self, columns, dtype):
        """The sigmoid below fills the padding with one half, which must not be counted."""
        z = np.random.default_rng(0).normal(size=(37, columns)).astype(dtype) * 5
        s = outputs([Activation("sigmoid")], z).astype(WIDE)
        exact = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
        eps = np.finfo(dtype).eps
        for name, value in (("softmax", exact), ("log_softmax", np.log(exact))):
            found = outputs([Activation("sigmoid"), Activation(name)], z)
            assert float(np.abs(found - value).max()) <= 4 * eps * float(np.abs(value).max())

    def test_large_numbers_infinities_and_nan(self, dtype):
        infinity = np.inf
        z = np.array(
            [[1e4, 1e4, 0.0], [-1e30, -1e30, -1e30], [-infinity, 0.0, 0.0], [np.nan, 1.0, 2.0], [1.0, infinity, 2.0]],
            dtype,
        )
        third = 1 / 3
        expected = [[0.5, 0.5, 0.0], [third, third, third], [0.0, 0.5, 0.5]]
        found, logarithms = outputs([Activation("softmax")], z), outputs([Activation("log_softmax")], z)
        np.testing.assert_allclose(found[:3], expected, rtol=1e-6)
        assert logarithms[2, 0] == -infinity
        np.testing.assert_allclose(np.exp(logarithms[:3]), expected, rtol=1e-6)
        assert np.isnan(found[3]).all()
        assert np.isnan(found[4, 1])


LOSSES = [
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError(),
    losses.MeanAbsolutePercentageError(),
    losses.MeanSquaredLogarithmicError(),
    losses.Huber(0.7),
    losses.LogCosh(),
    losses.BinaryCrossentropy(label_smoothing=0.1),
    losses.BinaryCrossentropy(from_logits=True),
    losses.KLDivergence(),
    losses.Poisson(),
    losses.Hinge(),
    losses.SquaredHinge(),
    losses.Pinball(0.8),
    losses.AsymmetricSquaredError(),
    losses.QLIKE(),
    losses.QLIKE(from_log=True),
    losses.CategoricalCrossentropy(label_smoothing=0.1),
    losses.CategoricalCrossentropy(from_logits=True),
    losses.CategoricalHinge(),
    losses.CosineSimilarity(),
]


LOSS_CASES = [  # one column of classes is no classification
    (loss, columns)
    for loss in LOSSES
    for columns in (1, 2, 7, 8, 10, 16, 17, 40)
    if columns > 1 or not loss.kind.startswith("categorical")
]


@pytest.mark.parametrize(("loss", "columns"), LOSS_CASES, ids=str)
def test_losses_of_any_number_of_rows_and_columns(loss, columns):
    """Value and derivative against losses/, which is NumPy; the derivative is the gradient of a bias of one row."""
    random = np.random.default_rng(columns)
    for rows in (1, 2, 7, 16, 33):
        p, y = (random.uniform(0.01, 0.99, size=(rows, columns)) for _ in range(2))
        weight = random.uniform(0, 2, size=rows)
        network = network_of([Activation("linear")], columns, "float64", loss)
        for importance in (None, weight):
            exact = loss.batch(y, p, importance)[0]
            assert network.evaluate(p, y, importance, rows, None) / rows == pytest.approx(exact, rel=1e-12, abs=1e-14)
        layer = network_of([Dense(columns)], 1, "float64", loss)
        bias = next(segment for segment in layer.plan.segments if segment.name.endswith("bias"))
        bias.view(layer.parameters)[...] = p[0]
        same = np.repeat(p[:1], rows, axis=0)
        exact = loss.batch(y, same, weight)[1].sum(axis=0)
        gradient = layer.gradients(np.zeros((rows, 1)), y, weight)[1]
        np.testing.assert_allclose(bias.view(gradient), exact, rtol=1e-11, atol=1e-13)
