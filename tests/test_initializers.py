"""Starting weights: their spread, their seeds, their names."""

import json

import numpy as np
import pytest

from hillwalker import config, initializers
from hillwalker.errors import InputError, InputTypeError

RANDOM = [kind for kind in initializers.CLASSES if issubclass(kind, initializers.RandomInitializer)]
SHAPE = (300, 100)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("glorot_uniform", np.sqrt(2 / 400)),
        ("glorot_normal", np.sqrt(2 / 400)),
        ("he_uniform", np.sqrt(2 / 300)),
        ("he_normal", np.sqrt(2 / 300)),
        ("lecun_uniform", np.sqrt(1 / 300)),
        ("lecun_normal", np.sqrt(1 / 300)),
        ("random_normal", 0.05),
        ("random_uniform", 0.05 / np.sqrt(3)),
        ("truncated_normal", 0.05 * 0.8796256610342398),
    ],
)
def test_mean_and_deviation_are_those_of_the_formula(name, deviation):
    config.set_random_seed(1)
    weights = initializers.get(name)(SHAPE, "float64")
    assert abs(weights.mean()) < 4 * deviation / np.sqrt(weights.size)
    assert weights.std() == pytest.approx(deviation, rel=0.02)


def test_uniform_draws_stay_within_their_limit():
    weights = initializers.GlorotUniform(seed=3)((4, 2))
    assert np.abs(weights).max() <= 1.0  # sqrt(6 / (4 + 2))
    assert np.abs(initializers.GlorotUniform(seed=3)((400, 200))).max() == pytest.approx(0.1, rel=1e-3)


def test_truncated_draws_stay_within_two_deviations():
    weights = initializers.TruncatedNormal(mean=1.0, stddev=0.5, seed=0)(SHAPE)
    assert np.abs(weights - 1.0).max() <= 1.0
    assert np.abs(weights - 1.0).max() > 0.99


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    weights = initializers.Orthogonal(gain=2.0, seed=0)(shape, "float64")
    product = weights.T @ weights if shape[0] >= shape[1] else weights @ weights.T
    np.testing.assert_allclose(product, 4.0 * np.eye(min(shape)), atol=1e-12)


@pytest.mark.parametrize("kind", RANDOM)
def test_an_integer_seed_repeats_and_no_seed_does_not(kind):
    seeded, unseeded = kind(seed=7), kind()
    np.testing.assert_array_equal(seeded((3, 4)), seeded((3, 4)))
    assert not np.array_equal(unseeded((3, 4)), unseeded((3, 4)))
    assert not np.array_equal(seeded((3, 4)), kind(seed=8)((3, 4)))


@pytest.mark.parametrize("kind", RANDOM)
def test_the_global_seed_repeats_unseeded_draws(kind):
    config.set_random_seed(5)
    first = [kind()((3, 4)) for _ in range(2)]
    config.set_random_seed(5)
    np.testing.assert_array_equal(first, [kind()((3, 4)) for _ in range(2)])


@pytest.mark.parametrize("kind", initializers.CLASSES)
def test_a_config_builds_the_same_initializer_again(kind):
    made = kind(seed=3) if issubclass(kind, initializers.RandomInitializer) else kind()
    again = initializers.get(json.loads(json.dumps(initializers.serialize(made))))
    assert type(again) is kind
    np.testing.assert_array_equal(made((4, 3)), again((4, 3)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", initializers.CLASSES)
def test_the_dtype_is_the_one_asked_for(kind, dtype):
    assert kind()((4, 3), dtype).dtype == dtype


def test_the_default_dtype_is_floatx():
    assert initializers.Zeros()((2,)).dtype == np.dtype(config.floatx())


def test_the_aliases_of_keras():
    aliases = {
        "zero": "Zeros",
        "one": "Ones",
        "normal": "RandomNormal",
        "uniform": "RandomUniform",
        "HeNormal": "HeNormal",
    }
    for alias, name in aliases.items():
        assert type(initializers.get(alias)).__name__ == name
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    assert isinstance(initializers.he_normal(seed=1), initializers.HeNormal)


def test_a_config_that_keras_wrote_is_read():
    description = {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None, "input_axes": None, "output_axes": None},
        "registered_name": None,
    }
    assert isinstance(initializers.get(description), initializers.GlorotUniform)


def test_arrays_and_functions_are_initializers():
    values = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(initializers.get(values)((3, 2)), values)
    mine = initializers.get(lambda shape, dtype=None: np.full(shape, 0.25, dtype))
    np.testing.assert_array_equal(mine((2, 2)), np.full((2, 2), 0.25))


def test_a_function_is_saved_by_name_and_read_with_custom_objects():
    def quarter(shape, dtype=None):
        return np.full(shape, 0.25, dtype)

    description = initializers.serialize(initializers.get(quarter))
    with pytest.raises(InputError, match="custom_objects"):
        initializers.deserialize(description)
    assert initializers.deserialize(description, {"quarter": quarter})((1,)) == 0.25


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda shape, dtype=None: np.zeros(3), "shape"),
        (lambda shape, dtype=None: np.full(shape, np.nan), "NaN"),
    ],
)
def test_a_function_that_returns_the_wrong_thing_is_refused(function, message):
    with pytest.raises(InputError, match=message):
        initializers.get(function)((2, 2))


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="glorot_uniform"):
        initializers.get("glorot_unifrom")
    with pytest.raises(InputTypeError, match="seed"):
        initializers.HeNormal(seed=-1)
    with pytest.raises(InputTypeError, match="he_normal"):
        initializers.get(3)
    with pytest.raises(InputError, match="scale"):
        initializers.VarianceScaling(scale=0.0)
    with pytest.raises(InputError, match="fan_in"):
        initializers.VarianceScaling(mode="fan_inn")
    with pytest.raises(InputError, match="matrix"):
        initializers.Orthogonal()((3,))
    with pytest.raises(InputError, match="matrix"):
        initializers.Identity()((3,))
    with pytest.raises(InputError, match="equal shapes"):
        initializers.Constant([1.0, 2.0])((3,))
