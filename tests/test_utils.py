"""Keras's helpers, by the numbers of their documentation and by NumPy."""

import random

import numpy as np
import pytest

from hillwalker import utils
from hillwalker.errors import InputError, InputTypeError


def test_to_categorical_is_rows_of_the_identity():
    labels = [0, 1, 2, 3]
    np.testing.assert_array_equal(utils.to_categorical(labels), np.eye(4))
    np.testing.assert_array_equal(utils.to_categorical(np.array([[1.0], [0.0]]), num_classes=3), np.eye(3)[[1, 0]])
    assert utils.to_categorical(np.zeros((2, 5), int), 4).shape == (2, 5, 4)


@pytest.mark.parametrize("bad", [[-1, 0], [0.5], [], [float("nan")]])
def test_to_categorical_refuses_what_is_no_class_number(bad):
    with pytest.raises(InputError, match="whole numbers"):
        utils.to_categorical(bad)


def test_to_categorical_of_text_and_of_too_many_classes():
    with pytest.raises(InputTypeError, match="return_inverse"):
        utils.to_categorical(["cat", "dog"])
    with pytest.raises(InputError, match="num_classes=4"):
        utils.to_categorical([0, 3], num_classes=3)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize_gives_vectors_of_norm_one(axis, order):
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(np.linalg.norm(utils.normalize(x, axis, order), order, axis), 1)


def test_the_old_addresses_of_tutorials():
    from hillwalker.utils.np_utils import to_categorical

    from hillwalker.utils import np_utils

    assert np_utils.to_categorical is to_categorical is utils.to_categorical
    assert np_utils.normalize is utils.normalize


def test_set_random_seed_makes_numpy_and_random_repeat():
    draws = []
    for _ in range(2):
        utils.set_random_seed(812)
        draws.append((np.random.rand(), random.random()))
    assert draws[0] == draws[1]
