"""Learning rates by step, against Keras's numbers and by hand."""

import json

import numpy as np
import pytest

from hillwalker import schedules
from hillwalker.errors import InputError, InputTypeError
from hillwalker.optimizers import schedules as as_in_keras

# (schedule, rates at steps 0, 3, 10, 25) by the formula; Keras 3.15 agrees, in float64, to the last digit.
CASES = [
    (schedules.ExponentialDecay(0.1, 10, 0.5), [0.1, 0.1 * 0.5**0.3, 0.05, 0.1 * 0.5**2.5]),
    (schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True), [0.1, 0.1, 0.05, 0.025]),
    (schedules.InverseTimeDecay(0.1, 10, 0.5), [0.1, 0.1 / 1.15, 0.1 / 1.5, 0.1 / 2.25]),
    (schedules.InverseTimeDecay(0.1, 10, 0.5, staircase=True), [0.1, 0.1, 0.1 / 1.5, 0.05]),
    (schedules.PolynomialDecay(0.1, 20, 0.01, power=2.0), [0.1, 0.09 * 0.85**2 + 0.01, 0.0325, 0.01]),
    (schedules.PolynomialDecay(0.1, 20, 0.01, cycle=True), [0.1, 0.0865, 0.055, 0.01 + 0.09 * (1 - 25 / 40)]),
    (schedules.PiecewiseConstantDecay([3, 10], [0.3, 0.2, 0.1]), [0.3, 0.3, 0.2, 0.1]),
    (schedules.CosineDecay(0.1, 20, alpha=0.1), [0.1, 0.1 * (0.45 * (1 + np.cos(0.15 * np.pi)) + 0.1), 0.055, 0.01]),
    (
        schedules.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5),
        [0.0, 0.06, 0.1 * 0.5 * (1 + np.cos(np.pi / 4)), 0.0],
    ),
    (schedules.CosineDecay(0.1, 20, warmup_steps=5), [0.1, 0.05 * (1 + np.cos(0.15 * np.pi)), 0.05, 0.0]),
    (
        schedules.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5),
        [0.1, 0.05 * (1 + np.cos(0.3 * np.pi)), 0.05, 0.0125],
    ),
    (
        schedules.CosineDecayRestarts(0.1, 10),
        [0.1, 0.05 * (1 + np.cos(0.3 * np.pi)), 0.1, 0.05 * (1 + np.cos(0.75 * np.pi))],
    ),
]


@pytest.mark.parametrize(("schedule", "expected"), CASES)
def test_numbers_of_the_formula(schedule, expected):
    np.testing.assert_allclose([schedule(step) for step in (0, 3, 10, 25)], expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in CASES])
def test_many_steps_at_once_equal_single_ones(schedule):
    np.testing.assert_array_equal(schedule.values(7, 30), [schedule(step) for step in range(7, 37)])


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in CASES])
def test_a_config_builds_the_same_schedule_again(schedule):
    again = schedules.deserialize(json.loads(json.dumps(schedules.serialize(schedule))))
    assert type(again) is type(schedule)
    np.testing.assert_array_equal(again.values(0, 40), schedule.values(0, 40))


@pytest.mark.parametrize("t_mul", [1.5, 2.0, 3.0])
def test_each_restart_begins_at_the_top(t_mul):
    schedule = schedules.CosineDecayRestarts(0.1, 8, t_mul=t_mul)
    start, length = 0.0, 8.0
    for _ in range(12 if t_mul == 2.0 else 3):  # as long as restarts fall on whole steps
        assert schedule(int(start)) == pytest.approx(0.1, rel=1e-9)
        start, length = start + length, length * t_mul


def test_a_schedule_of_ones_own_needs_only_a_call():
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

    np.testing.assert_array_equal(Halving().values(1, 3), [0.5, 0.25, 0.125])
    with pytest.raises(NotImplementedError, match="get_config"):
        Halving().get_config()


def test_keras_has_them_below_optimizers():
    assert as_in_keras.CosineDecay is schedules.CosineDecay


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="decay_steps"):
        schedules.ExponentialDecay(0.1, 0, 0.9)
    with pytest.raises(InputError, match="initial_learning_rate"):
        schedules.CosineDecay(-0.1, 10)
    with pytest.raises(InputTypeError, match="decay_rate"):
        schedules.InverseTimeDecay(0.1, 10, "fast")
    with pytest.raises(InputError, match="one value more"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(InputError, match="ascending"):
        schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="t_mul"):
        schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5)
    with pytest.raises(InputError, match="CosineDecay"):
        schedules.deserialize({"class_name": "CosineDecy"})
