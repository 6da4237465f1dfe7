"""Update rules: ten steps against Keras, what they share, old spellings, bad arguments."""

import json
import math

import numpy as np
import pytest

from hillwalker import optimizers, schedules
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError

# Two weights after ten steps, from Keras 3.15 (torch backend, float64):
#   w = [1, -2, 0.5], v = [3]; gradients of step t = 0, ..., 9: cos(t + [0, 1, 2]) * [1, 10, 0.1] and [sin(t) + 1.5]
GOLDEN = [
    ("SGD", {}, [0.995783762, -1.85825523, 0.501953324, 2.83044791]),
    ("SGD", {"momentum": 0.9}, [0.95455478, -1.6810728, 0.507990864, 2.31220291]),
    (
        "SGD",
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        [0.953912185, -1.56936211, 0.508640942, 2.20871828],
    ),
    ("SGD", {"global_clipnorm": 0.7}, [0.998627585, -1.99021777, 0.500242949, 2.97920981]),
    ("RMSprop", {}, [0.998059264, -1.99766078, 0.506939612, 2.98361904]),
    ("RMSprop", {"centered": True, "momentum": 0.5}, [0.994335597, -1.99734779, 0.514189741, 2.96363613]),
    ("Adagrad", {}, [0.999383628, -1.99937029, 0.500558568, 2.99529549]),
    ("Adadelta", {"learning_rate": 1.0}, [0.999475931, -1.99701037, 0.504431578, 2.98671743]),
    ("Adam", {}, [0.997425178, -1.99953026, 0.504195138, 2.99064089]),
    ("Adam", {"amsgrad": True, "epsilon": 0.001}, [0.997494045, -1.9995277, 0.503146649, 2.99072496]),
    ("Adam", {"clipnorm": 0.5}, [0.996831852, -1.99970018, 0.503828264, 2.99000003]),
    ("Adam", {"clipvalue": 0.3, "learning_rate": 0.1}, [0.759898382, -1.96908862, 0.919513847, 2.0000053]),
    ("AdamW", {}, [0.997385254, -1.99945026, 0.504175029, 2.99052107]),
    ("Adamax", {}, [0.997798861, -2.00001075, 0.5033158, 2.9925919]),
    ("Nadam", {}, [0.999007472, -1.9991062, 0.502826787, 2.99272787]),
    ("Lion", {"weight_decay": 0.1}, [0.99900115, -1.9960012, 0.503498726, 2.98700585]),
]
ALL = [kind() for kind in optimizers.CLASSES]


def new_slots(optimizer, w):
    return {name: np.full_like(w, optimizer.slot_initial_value(name)) for name in optimizer.slot_names}


@pytest.mark.parametrize(("name", "arguments", "expected"), GOLDEN)
def test_ten_steps_agree_with_keras(name, arguments, expected):
    optimizer = getattr(optimizers, name)(**arguments)
    weights = [np.array([1.0, -2.0, 0.5]), np.array([3.0])]
    slots = [new_slots(optimizer, w) for w in weights]
    for t in range(10):
        gradients = [np.cos(t + np.arange(3.0)) * [1.0, 10.0, 0.1], np.array([math.sin(t) + 1.5])]
        before = [gradient.copy() for gradient in gradients]
        variables = [(w, gradient, slot, True) for w, gradient, slot in zip(weights, gradients, slots, strict=True)]
        optimizer.apply(variables, optimizer.learning_rate, t)
        np.testing.assert_array_equal(np.concatenate(gradients), np.concatenate(before))
    np.testing.assert_allclose(np.concatenate(weights), expected, rtol=2e-8)


@pytest.mark.parametrize("optimizer", ALL, ids=lambda optimizer: optimizer.name)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_update_works_in_place_on_any_shape(optimizer, shape):
    w, gradient = np.ones(shape), np.full(shape, 2.0)
    slots = new_slots(optimizer, w)
    for iteration in range(3):
        optimizer.update(w, gradient, slots, 0.01, iteration)
    assert w.shape == shape
    assert (w < 1.0).all()


@pytest.mark.parametrize("optimizer", ALL, ids=lambda optimizer: optimizer.name)
def test_float32_stays_float32(optimizer):
    w = np.ones(3, dtype=np.float32)
    slots = new_slots(optimizer, w)
    optimizer.apply([(w, w * 2, slots, True)], 0.01, 0)
    assert {w.dtype, *(slot.dtype for slot in slots.values())} == {np.dtype("float32")}


@pytest.mark.parametrize("optimizer", ALL, ids=lambda optimizer: optimizer.name)
def test_the_foot_of_a_parabola_is_found(optimizer):
    w = np.array(3.0)
    slots = new_slots(optimizer, w)
    rate = {"adadelta": 5.0, "adagrad": 1.0}.get(optimizer.name, 0.05)
    for iteration in range(2000):
        optimizer.update(w, 2.0 * w, slots, rate, iteration)
    assert abs(w) < 0.1


def test_nadam_has_nothing_to_remember():
    product = 1.0
    for t in range(1, 1500):
        product *= optimizers.nadam_momentum(t, 0.99)
        assert optimizers.momentum_product(t, 0.99) == pytest.approx(product, rel=1e-11)


def test_clipping_by_hand():
    gradients = [np.array([3.0, 4.0]), np.array([12.0])]
    by_norm = optimizers.SGD(clipnorm=1.0).clipped(gradients)
    np.testing.assert_allclose(np.concatenate(by_norm), [0.6, 0.8, 1.0])
    together = optimizers.SGD(global_clipnorm=1.3).clipped(gradients)  # the norm of all is 13
    np.testing.assert_allclose(np.concatenate(together), [0.3, 0.4, 1.2])
    by_value = optimizers.SGD(clipvalue=3.5).clipped(gradients)
    np.testing.assert_allclose(np.concatenate(by_value), [3.0, 3.5, 3.5])
    small = [np.array([0.3]), np.zeros(2)]
    for arguments in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 1.0}):
        np.testing.assert_array_equal(np.concatenate(optimizers.SGD(**arguments).clipped(small)), [0.3, 0.0, 0.0])


def test_a_gradient_that_is_nan_stays_nan():
    assert np.isnan(optimizers.SGD(global_clipnorm=1.0).clipped([np.array([np.nan]), np.ones(1)])).all()


def test_weight_decay_leaves_excluded_weights_alone():
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert optimizer.decays("dense/kernel")
    assert not optimizer.decays("dense/bias")
    for decays, expected in ((True, 0.95), (False, 1.0)):
        w = np.ones(1)
        optimizer.apply([(w, np.zeros(1), new_slots(optimizer, w), decays)], 0.1, 0)
        assert w[0] == pytest.approx(expected)
    with pytest.raises(InputTypeError, match="var_names"):
        optimizer.exclude_from_weight_decay(var_names="bias")


def test_what_the_core_is_told():
    assert [kind.kind for kind in optimizers.CLASSES] == [
        "sgd", "rmsprop", "adagrad", "adadelta", "adam", "adam", "adamax", "nadam", "lion",
    ]  # fmt: skip
    told = optimizers.Adam(amsgrad=True, clipnorm=2.0).hyperparameters()
    assert told == {
        "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": 1.0,
        "weight_decay": 0.0, "clipnorm": 2.0, "clipvalue": 0.0, "global_clipnorm": 0.0,
    }  # fmt: skip
    assert optimizers.SGD().slot_names == ()
    assert optimizers.SGD(momentum=0.9).slot_names == ("momentum",)
    assert optimizers.RMSprop(centered=True).slot_names == ("velocity", "average_gradient")
    assert optimizers.Adam(amsgrad=True).slot_names == ("momentum", "velocity", "velocity_hat")
    assert optimizers.Adagrad(initial_accumulator_value=0.3).slot_initial_value("accumulator") == 0.3


def test_learning_rates():
    optimizer = optimizers.SGD(1)
    assert optimizer.learning_rate == 1.0
    optimizer.learning_rate = 0.25
    np.testing.assert_array_equal(optimizer.learning_rates(5, 3), [0.25] * 3)

    decaying = optimizers.SGD(schedules.ExponentialDecay(0.1, 1, 0.5))
    decaying.iterations = 2
    assert decaying.learning_rate == 0.025
    np.testing.assert_array_equal(decaying.learning_rates(1, 2), [0.05, 0.025])
    with pytest.raises(InputTypeError, match="schedule"):
        decaying.learning_rate = 0.1


def test_a_schedule_that_gives_nan_is_refused_with_its_step():
    class Broken(schedules.LearningRateSchedule):
        def __call__(self, step):
            return math.nan if step == 7 else 0.1

    with pytest.raises(InputError, match="step 7"):
        optimizers.SGD(Broken()).learning_rates(5, 5)


@pytest.mark.parametrize("optimizer", ALL, ids=lambda optimizer: optimizer.name)
def test_a_config_builds_the_same_optimizer_again(optimizer):
    again = optimizers.get(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


def test_a_schedule_is_saved_with_its_optimizer():
    optimizer = optimizers.Adam(schedules.CosineDecay(0.1, 100), beta_1=0.8)
    again = optimizers.get(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert again.learning_rates(50, 1) == pytest.approx(0.05)
    assert again.hyperparameters() == optimizer.hyperparameters()


@pytest.mark.parametrize("name", ["adam", "Adam", "RMSprop", "rmsprop", "ADAMW"])
def test_names_in_any_case(name):
    assert type(optimizers.get(name)).__name__.lower() == name.lower()


def test_a_rule_of_ones_own_comes_in_through_custom_objects():
    class Signs(optimizers.Optimizer):
        def __init__(self, learning_rate=0.01, **common):
            super().__init__(learning_rate, **common)

        def update(self, w, gradient, slots, learning_rate, iteration):
            w -= learning_rate * np.sign(gradient)

    again = optimizers.get(optimizers.serialize(Signs(0.5)), {"Signs": Signs})
    assert (type(again), again.learning_rate, again.kind) == (Signs, 0.5, None)


def test_the_old_spelling_of_the_learning_rate():
    with pytest.warns(HillwalkerWarning, match="learning_rate=0.1"):
        optimizer = optimizers.SGD(lr=0.1, decay=0.0, momentum=0.9)
    assert optimizer.learning_rate == optimizer.lr == 0.1
    optimizer.lr = 0.2
    assert optimizer.learning_rate == 0.2
    assert optimizers.Adam(epsilon=None).epsilon == 1e-7


def test_the_old_decay_is_refused_with_the_schedule_that_does_the_same():
    with pytest.raises(InputError, match=r"InverseTimeDecay\(0.1, decay_steps=1, decay_rate=1e-06\)"):
        optimizers.SGD(0.1, decay=1e-6)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("SGD", {"learning_rate": -0.1}, "learning_rate"),
        ("SGD", {"learning_rate": math.nan}, "learning_rate"),
        ("SGD", {"learning_rate": "fast"}, "learning_rate"),
        ("SGD", {"learning_rate": True}, "learning_rate"),
        ("SGD", {"learning_rate": lambda step: 0.1}, "LearningRateSchedule"),
        ("SGD", {"momentum": 1.5}, "momentum"),
        ("RMSprop", {"rho": 1.0}, "rho"),
        ("Adam", {"beta_1": 1.0}, "beta_1"),
        ("Adam", {"beta_2": -0.1}, "beta_2"),
        ("Adam", {"epsilon": -1e-7}, "epsilon"),
        ("AdamW", {"weight_decay": None}, "weight_decay"),
        ("Lion", {"beta_1": 0.0}, "beta_1"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value"),
        ("SGD", {"clipnorm": -1.0}, "clipnorm"),
        ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}, "at most one"),
        ("SGD", {"use_ema": True}, "use_ema=False"),
        ("SGD", {"gradient_accumulation_steps": 4, "use_ema": False}, "gradient_accumulation_steps"),
        ("SGD", {"momentom": 0.9}, r"SGD\(momentum=...\)"),
    ],
)
def test_bad_arguments_are_refused(kind, arguments, message):
    with pytest.raises((InputError, InputTypeError), match=message):
        getattr(optimizers, kind)(**arguments)


def test_keras_arguments_at_their_defaults_are_accepted():
    optimizer = optimizers.Adam(use_ema=False, ema_momentum=0.99, loss_scale_factor=None, name="mine")
    assert optimizer.name == "mine"


def test_unknown_optimizers_are_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="'adam'"):
        optimizers.get("adm")
    with pytest.raises(InputTypeError, match="optimizer"):
        optimizers.get(3)
