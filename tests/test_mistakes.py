"""Warnings of likely mistakes have names, and are silenced by them."""

import pickle
import warnings

import numpy as np
import pytest

from hillwalker import config
from hillwalker.errors import InputError, MistakeWarning
from hillwalker.labels import labels

ONE_HOT = np.array([[1.0, 0.0], [0.0, 1.0]])
CASES = {
    "loss-activation-mismatch": (ONE_HOT, "categorical_crossentropy", 2, "sigmoid", False),
    "double-softmax": (ONE_HOT, "categorical_crossentropy", 2, "softmax", True),
    "label-sums": (np.array([[1.0, 1.0]]), "categorical_crossentropy", 2, "softmax", False),
    "division-by-zero": (np.array([[0.0]]), "mean_absolute_percentage_error", 1, "linear", False),
    "cosine-of-one-output": (np.array([[1.0]]), "cosine_similarity", 1, "linear", False),
}


@pytest.fixture(autouse=True)
def _nothing_silenced(monkeypatch):
    monkeypatch.setattr(config, "_silenced", ())


@pytest.mark.parametrize("name", config.MISTAKES)
def test_a_mistake_warns_by_its_name_until_silenced(name):
    with pytest.warns(MistakeWarning) as caught:
        labels(*CASES[name])
    assert [warning.message.name for warning in caught] == [name]
    assert str(caught[0].message).endswith(f'Silence it: hw.config.silence("{name}")')
    assert config.silence(name) == (name,)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels(*CASES[name])


def test_an_unknown_name_is_told_the_nearest_and_silences_nothing():
    with pytest.raises(InputError, match="double-softmax"):
        config.silence("label-sums", "double-sofmax")
    assert config.silence() == ()


def test_the_standard_filter_and_pickle_work():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=MistakeWarning)
        labels(*CASES["double-softmax"])
    copy = pickle.loads(pickle.dumps(MistakeWarning("told", "label-sums")))
    assert (copy.name, str(copy)) == ("label-sums", str(MistakeWarning("told", "label-sums")))
