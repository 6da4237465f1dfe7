"""Every rule of the table of labels, losses and outputs; named after the thread that asked."""

import numpy as np
import pytest

from hillwalker import losses
from hillwalker.errors import HillwalkerWarning, InputError
from hillwalker.labels import RULES, labels


def refused(y, *case, told, **keywords):
    with pytest.raises(InputError) as error:
        labels(np.asarray(y), *case, **keywords)
    assert told in str(error.value)


COLUMN = np.array([[0.0], [1.0], [0.0]])
ONE_HOT = np.eye(3)


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error", "huber", "pinball", "poisson", "hinge"])
def test_keras_14627_a_column_against_several_outputs_is_never_broadcast(loss):
    refused(COLUMN, loss, 3, told="y of shape (3, 1) for outputs of shape (3, 3).")
    refused(ONE_HOT, loss, 1, told="Dense(3) as the last layer")


def test_keras_17388_binary_crossentropy_checks_shapes():
    refused(COLUMN, "binary_crossentropy", 768, "sigmoid", told="y of shape (3, 1) for outputs of shape (3, 768).")
    refused(ONE_HOT, "binary_crossentropy", 1, "sigmoid", told="y of shape (3, 3) for outputs of shape (3, 1).")


def test_keras_17029_categorical_crossentropy_with_one_unit():
    refused(COLUMN, "categorical_crossentropy", 1, "sigmoid", told='loss="binary_crossentropy"')
    refused(COLUMN, "sparse_categorical_crossentropy", 1, "sigmoid", told="one output unit")


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mean_squared_error", "categorical_crossentropy", "my_loss"])
def test_keras_18105_softmax_on_one_unit(loss):
    refused(COLUMN, loss, 1, "softmax", told='Dense(1, activation="sigmoid")')


@pytest.mark.parametrize("activation", ["linear", None])
def test_keras_4766_binary_crossentropy_on_a_linear_output(activation):
    refused(COLUMN, "binary_crossentropy", 1, activation, told="BinaryCrossentropy(from_logits=True)")
    labels(COLUMN, "binary_crossentropy", 1, activation, from_logits=True)


def test_keras_hub_1008_crossentropy_on_a_linear_output():
    refused(ONE_HOT, "categorical_crossentropy", 3, "linear", told="CategoricalCrossentropy(from_logits=True)")
    told = 'Dense(2, activation="softmax"), or loss=SparseCategoricalCrossentropy(from_logits=True)'
    refused(COLUMN, "sparse_categorical_crossentropy", 2, "linear", told=told)
    labels(COLUMN, "sparse_categorical_crossentropy", 2, "linear", from_logits=True)


@pytest.mark.parametrize(
    ("y", "loss", "width", "activation", "from_logits"),
    [
        (COLUMN, "binary_crossentropy", 1, "relu", False),
        (COLUMN, "binary_crossentropy", 1, "sigmoid", True),
        (ONE_HOT, "categorical_crossentropy", 3, "softmax", True),
        (ONE_HOT, "categorical_crossentropy", 3, "sigmoid", False),
        (ONE_HOT[:2] + ONE_HOT[1:], "categorical_crossentropy", 3, "softmax", False),
        (COLUMN, "mean_absolute_percentage_error", 1, "linear", False),
        (COLUMN, "cosine_similarity", 1, "linear", False),
    ],
)
def test_keras_19189_pairs_that_work_but_are_probably_not_meant_warn(y, loss, width, activation, from_logits):
    with pytest.warns(HillwalkerWarning, match="Expected"):
        labels(y, loss, width, activation, from_logits)


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([[0], [3]], "y with 3 in row 1"),
        ([[0], [-1]], "y with -1 in row 1"),
        ([[0], [1.5]], "y with 1.5 in row 1"),
        (ONE_HOT, 'loss="categorical_crossentropy", or y.argmax(axis=1)'),
    ],
)
def test_sparse_labels_are_whole_and_within_the_outputs(y, told):
    refused(y, "sparse_categorical_crossentropy", 3, "softmax", told=told)


def test_class_numbers_for_categorical_crossentropy_come_with_both_remedies():
    told = 'loss="sparse_categorical_crossentropy", or hw.utils.to_categorical(y)'
    refused(COLUMN, "categorical_crossentropy", 3, "softmax", told=told)


@pytest.mark.parametrize(
    ("loss", "activation", "value", "told"),
    [
        ("binary_crossentropy", "sigmoid", 2, "labels from 0 to 1"),
        ("binary_crossentropy", "sigmoid", -1, "labels from 0 to 1"),
        ("hinge", "tanh", 2, "labels -1 and 1"),
        ("squared_hinge", "tanh", -3, "labels -1 and 1"),
        ("poisson", "exponential", -1, "targets of 0 or more"),
        ("mean_squared_logarithmic_error", "linear", -0.5, "targets of 0 or more"),
        ("qlike", "softplus", 0, "targets above 0"),
        ("kl_divergence", "sigmoid", 1.5, "labels from 0 to 1"),
    ],
)
def test_labels_outside_a_loss_range_are_named(loss, activation, value, told):
    refused([[0.5], [value]], loss, 1, activation, told=told)
    refused([[0.5], [value]], loss, 1, activation, told=f"y with {value} in row 1")


@pytest.mark.parametrize(
    ("y", "loss", "width", "activation"),
    [
        (COLUMN, "binary_crossentropy", 1, "sigmoid"),
        (ONE_HOT, "binary_crossentropy", 3, "sigmoid"),
        (ONE_HOT, "categorical_crossentropy", 3, "softmax"),
        (COLUMN, "sparse_categorical_crossentropy", 2, "softmax"),
        (COLUMN, "hinge", 1, "tanh"),
        (ONE_HOT, "categorical_hinge", 3, "linear"),
        (ONE_HOT, "kl_divergence", 3, "softmax"),
        (COLUMN, "poisson", 1, "exponential"),
        (COLUMN + 1, "qlike", 1, "softplus"),
        (ONE_HOT, "cosine_similarity", 3, "linear"),
        (COLUMN, "a loss of one's own", 3, "linear"),
    ],
)
def test_labels_that_fit_pass_without_a_word(y, loss, width, activation, recwarn):
    labels(y, loss, width, activation)
    assert not recwarn.list


def test_every_loss_of_the_package_has_rules():
    kinds = {one.kind for one in vars(losses).values() if isinstance(one, type) and issubclass(one, losses.Loss)}
    assert kinds - {""} == set(RULES)
