"""Penalties: value, derivative, names."""

import json

import numpy as np
import pytest

from hillwalker import regularizers
from hillwalker.errors import InputError, InputTypeError


@pytest.mark.parametrize("penalty", [regularizers.L1(0.3), regularizers.L2(0.2), regularizers.L1L2(0.3, 0.2)])
def test_the_derivative_is_the_slope_of_the_value(penalty):
    w, step = np.array([[1.0, -2.0], [0.5, 3.0]]), 1e-6
    slope = np.empty_like(w)
    for index in np.ndindex(w.shape):
        up, down = w.copy(), w.copy()
        up[index] += step
        down[index] -= step
        slope[index] = (penalty.value(up) - penalty.value(down)) / (2 * step)
    np.testing.assert_allclose(penalty.derivative(w), slope, rtol=1e-8)


def test_values_worked_by_hand():
    w = np.array([3.0, -4.0])
    assert regularizers.L1()(w) == pytest.approx(0.07)
    assert regularizers.L2()(w) == pytest.approx(0.25)
    assert regularizers.l1_l2(l1=1.0, l2=2.0)(w) == pytest.approx(57.0)
    assert regularizers.L1L2()(w) == 0.0


def test_the_derivative_at_zero_is_zero_and_keeps_the_dtype():
    derivative = regularizers.L1L2(1.0, 1.0).derivative(np.zeros(2, dtype=np.float32))
    assert derivative.tolist() == [0.0, 0.0]
    assert derivative.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "l1", "l2"), [("l1", 0.01, 0.0), ("L2", 0.0, 0.01), ("l1_l2", 0.01, 0.01), ("l1l2", 0.01, 0.01)]
)
def test_names(name, l1, l2):
    penalty = regularizers.get(name)
    assert (penalty.l1, penalty.l2) == (l1, l2)


@pytest.mark.parametrize("penalty", [regularizers.L1(0.3), regularizers.L2(0.2), regularizers.L1L2(0.3, 0.2)])
def test_a_config_builds_the_same_penalty_again(penalty):
    again = regularizers.get(json.loads(json.dumps(regularizers.serialize(penalty))))
    assert type(again) is type(penalty)
    assert (again.l1, again.l2) == (penalty.l1, penalty.l2)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.1", True])
def test_bad_numbers_are_refused(value):
    with pytest.raises(InputError, match="0 or more"):
        regularizers.L2(value)


def test_unknown_things_are_refused():
    assert regularizers.get(None) is None
    with pytest.raises(InputError, match="kernel_regularizer='L2'"):
        regularizers.get("l_2")
    with pytest.raises(InputTypeError, match="l1"):
        regularizers.get(lambda w: 0.0)
