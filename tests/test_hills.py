"""Hills: derivatives against central differences, lowest points, noise that is a function of the step."""

import numpy as np
import pytest

from hillwalker import hills
from hillwalker.errors import InputError

RANDOM = np.random.default_rng(0)


def points(hill, count):
    low, high = np.transpose(hill.domain)
    return RANDOM.uniform(low, high, (count, hill.dimensions))


@pytest.mark.parametrize("name", sorted(hills.BY_NAME))
def test_derivatives_equal_central_differences(name):
    hill = hills.get(name)
    for x in points(hill, 20):
        steps = 1e-6 * np.eye(hill.dimensions)
        numeric = (hill.value(x + steps) - hill.value(x - steps)) / 2e-6
        np.testing.assert_allclose(hill.derivative(x), numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted(hills.BY_NAME))
def test_minima_are_level_and_nothing_in_the_domain_is_lower(name):
    hill = hills.get(name)
    lowest = [float(hill.value(minimum)) for minimum in hill.minima]
    assert np.ptp(lowest) == 0.0
    for minimum in hill.minima:
        np.testing.assert_allclose(hill.derivative(minimum), 0.0, atol=1e-12)
    assert hill.value(points(hill, 5000)).min() >= lowest[0]
    low, high = np.transpose(hill.domain)
    assert ((low < hill.start) & (hill.start < high)).all()
    assert ((low < hill.minima) & (hill.minima < high)).all()


@pytest.mark.parametrize("name", sorted(hills.BY_NAME))
def test_many_points_at_once_are_each_point_by_itself(name):
    hill = hills.get(name)
    grid = points(hill, 6).reshape(2, 3, hill.dimensions)
    assert hill.value(grid).shape == (2, 3)
    assert hill.derivative(grid).shape == grid.shape
    assert hill(grid)[1, 2] == hill.value(grid[1, 2])
    np.testing.assert_array_equal(hill.derivative(grid)[1, 2], hill.derivative(grid[1, 2]))


def test_worked_by_hand():
    # 100 (2 - 1)^2 + (1 + 1)^2 = 104; df/dx = -2 * 2 + 400 * 1 = 396, df/dy = 200
    assert hills.rosenbrock().value([-1.0, 2.0]) == 104.0
    np.testing.assert_array_equal(hills.rosenbrock().derivative([-1.0, 2.0]), [396.0, 200.0])
    assert hills.ravine(condition=100.0).value([2.0, 3.0]) == 452.0
    assert hills.parabola(steepness=4.0).value(3.0) == 18.0  # one variable as a number


def test_noise_is_of_the_told_size_and_a_function_of_seed_and_step():
    hill = hills.noisy(noise=0.5)
    x = np.array([1.0, -2.0])
    felt = np.array([hill.slope(x, step, seed=3) for step in range(4000)]) - hill.derivative(x)
    np.testing.assert_allclose(felt.std(axis=0), 0.5, rtol=0.05)
    np.testing.assert_allclose(felt.mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_array_equal(hill.slope(x, 7, seed=3), hill.slope(x, 7, seed=3))
    assert (hill.slope(x, 7, seed=3) != hill.slope(x, 7, seed=4)).all()
    assert (hill.slope(x, 7, seed=3) != hill.slope(x, 8, seed=3)).all()


def test_hills_by_name_by_maker_and_as_they_are():
    assert hills.get("two_valleys") == hills.get(hills.two_valleys) == hills.get(hills.TwoValleys) == hills.TwoValleys()
    assert hills.get(np.sum) is np.sum
    assert hills.ravine(condition=3.0).name == "ravine"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: hills.get("ravin"), "hw.descend('ravine', start)"),
        (lambda: hills.ravine(condition=0.0), "condition=0.0.\nExpected: a finite number above 0."),
        (lambda: hills.parabola(steepness=float("nan")), "steepness=nan"),
        (lambda: hills.noisy(noise=-1.0), "noise=-1.0"),
        (lambda: hills.rosenbrock(steepness="steep"), "steepness='steep'"),
        (lambda: hills.saddle().value([1.0]), "x of shape (1,) for a hill of 2 variables"),
        (lambda: hills.parabola().derivative([1.0, 2.0]), "x of shape (2,) for a hill of one variable"),
    ],
)
def test_bad_input_is_refused(call, told):
    with pytest.raises(InputError) as refusal:
        call()
    assert told in str(refusal.value)
