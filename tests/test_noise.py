"""The noise of gradients: moments worked by hand, theory met by real draws, a model that stays as it was."""

import json
import math

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.choosing import batch_size_runs, gradient_noise
from hillwalker.choosing.noise import moments, moments_of_batches
from hillwalker.errors import InputError, InputTypeError, StateError
from hillwalker.layers import BatchNormalization, Dense, Dropout, Input

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + RNG.normal(size=400)


def linear(loss="mse", extra=(), optimizer="sgd"):
    hw.config.set_floatx("float64")
    try:
        hw.utils.set_random_seed(2)
        model = hw.Sequential([Input((3,)), *extra, Dense(1)])
    finally:
        hw.config.set_floatx("float32")
    model.compile(optimizer=optimizer, loss=loss)
    return model


def rows_gradients(model, x=X, y=Y):
    """Return each row's gradient of (p - y)², (n, 4), by hand: 2 (p - y) x, and 2 (p - y) for the bias."""
    kernel, bias = model.get_weights()
    error = 2 * ((x @ kernel)[:, 0] + bias[0] - y)
    return np.column_stack([error[:, None] * x, error])


def test_moments_are_those_of_numpy():
    rows = RNG.normal(size=(50, 4)) + 1.0
    found = moments(rows.sum(axis=0), float(np.sum(rows**2)), 50)
    trace = float(np.trace(np.cov(rows.T)))
    assert found.trace == pytest.approx(trace)
    assert found.squared_norm == pytest.approx(float(np.sum(rows.mean(axis=0) ** 2)) - trace / 50)
    pairs = (np.sum(rows.sum(axis=0) ** 2) - np.sum(rows**2)) / (50 * 49)  # the mean of gᵢ·gⱼ over i ≠ j
    assert found.squared_norm == pytest.approx(float(pairs))


def test_both_ways_agree_on_exact_expectations():
    trace, squared_norm = 7.0, 2.0
    small, large = squared_norm + trace / 4, squared_norm + trace / 100
    assert moments_of_batches(small, large, 4, 100) == pytest.approx((trace, squared_norm))


def test_the_moments_are_exact_row_by_row():
    model = linear()
    noise = gradient_noise(model, X, Y, draws=2, verbose=0)
    gradients = rows_gradients(model)
    assert noise.trace == pytest.approx(float(np.trace(np.cov(gradients.T))), rel=1e-9)
    assert noise.norm == pytest.approx(float(np.linalg.norm(gradients.mean(axis=0))), rel=1e-9)
    assert noise.noise_scale == pytest.approx(noise.trace / noise.squared_norm)
    assert noise.interval[0] < noise.noise_scale < noise.interval[1]
    assert noise.method == "rows"
    assert abs(math.log2(noise.advised_batch_size / noise.noise_scale)) <= 0.5


def test_real_draws_meet_theory():
    noise = gradient_noise(linear(), X, Y, batch_sizes=(4, 32, 200, 400), draws=200, verbose=0)
    for batch in noise.batches[:3]:
        assert batch.error[0] < batch.error[1] < batch.error[2]
        # A median lies below a root mean square, the more so the longer the tail, which few rows have.
        assert 0.6 * batch.theory < batch.error[1] < 1.1 * batch.theory
        assert batch.root == pytest.approx(math.sqrt(noise.trace / batch.size) / noise.norm)
    whole = noise.batches[3]
    assert whole.error == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    assert whole.cosine[1] == pytest.approx(1.0)
    assert whole.theory == 0.0
    cosines = [batch.cosine[1] for batch in noise.batches]
    assert cosines == sorted(cosines)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    hits = 40
    kernel = np.array([1.0, -2.0, 0.5])
    model = linear()
    many = np.random.default_rng(99).normal(size=(200_000, 3))
    targets = many @ kernel + np.random.default_rng(98).normal(size=200_000)
    gradients = rows_gradients(model, many, targets)
    truth = float(np.trace(np.cov(gradients.T)) / np.sum(gradients.mean(axis=0) ** 2))
    for seed in range(hits):
        random = np.random.default_rng(seed)
        x = random.normal(size=(200, 3))
        y = x @ kernel + random.normal(size=200)
        low, high = gradient_noise(model, x, y, batch_sizes=[8], draws=1, seed=seed, verbose=0).interval
        held += low <= truth <= high
    assert 33 <= held <= 40


def test_sample_weights_and_penalties_are_in_the_gradient():
    weights = RNG.uniform(0.5, 2.0, size=400)
    model = linear()
    noise = gradient_noise(model, X, Y, draws=1, sample_weight=weights, verbose=0)
    gradients = rows_gradients(model) * weights[:, None]
    assert noise.trace == pytest.approx(float(np.trace(np.cov(gradients.T))), rel=1e-9)


def test_where_the_gradient_drowns_nothing_is_advised():
    x, model = X[:20], linear()
    kernel, bias = model.get_weights()
    p = (x @ kernel)[:, 0] + bias[0]
    noise_only = p + np.where(np.arange(20) % 2, 1.0, -1.0) * 3  # errors that cancel
    noise = gradient_noise(model, x, noise_only, batch_sizes=[4], draws=5, verbose=0)
    assert noise.squared_norm <= 0
    assert noise.noise_scale == math.inf
    assert noise.advised_batch_size is None
    assert "drowns" in repr(noise)
    noise.plot()


def test_with_batch_normalisation_batches_give_the_moments():
    noise = gradient_noise(linear(extra=[BatchNormalization()]), X, Y, draws=60, verbose=0)
    assert noise.method == "batches"
    assert math.isnan(noise.interval[0])
    plain = gradient_noise(linear(), X, Y, draws=60, verbose=0)
    assert 0.2 < noise.noise_scale / plain.noise_scale < 5


def test_dropout_is_left_out():
    plain = gradient_noise(linear(), X, Y, draws=3, verbose=0)
    assert gradient_noise(linear(extra=[Dropout(0.5)]), X, Y, draws=3, verbose=0).trace == pytest.approx(plain.trace)


@pytest.mark.parametrize("look", [gradient_noise, batch_size_runs])
def test_the_model_stays_as_it_was(look):
    model = linear(extra=[Dropout(0.2), BatchNormalization()], optimizer="adam")
    model.fit(X, Y, epochs=1, verbose=0)
    state = model.state

    def now():
        slots = [slot.tobytes() for slot in state.slots.values()]
        return state.parameters.tobytes(), slots, model.optimizer.iterations, state.seed, model.layers[0].rate

    before = now()
    look(model, X[:50], Y[:50], batch_sizes=[8], verbose=0)
    assert now() == before
    twin = linear(extra=[Dropout(0.2), BatchNormalization()], optimizer="adam")
    twin.fit(X, Y, epochs=1, verbose=0)
    assert model.fit(X, Y, verbose=0).history == twin.fit(X, Y, verbose=0).history


def test_a_seed_repeats_its_draws():
    first, again, other = (gradient_noise(linear(), X, Y, draws=4, seed=seed, verbose=0) for seed in (0, 0, 1))
    assert first == again
    assert first.batches != other.batches


def test_runs_are_those_of_training():
    runs = batch_size_runs(linear(), X, Y, batch_sizes=(100, 1000), epochs=4, verbose=0).runs
    assert [(run.size, len(run.losses)) for run in runs] == [(100, 16), (400, 4)]
    model = linear()
    expected = [model.train_on_batch(X, Y) for _ in range(4)]
    np.testing.assert_allclose(runs[1].losses, expected, rtol=1e-9)
    np.testing.assert_allclose(runs[1].whole[:4], expected, rtol=1e-9)
    assert runs[0].whole[0] == pytest.approx(runs[1].whole[0])  # the same weights at the start
    assert runs[0].steps[-1] == 16


def test_smaller_batches_are_noisier():
    runs = batch_size_runs(linear(), X, Y, epochs=20, verbose=0).runs
    assert [run.size for run in runs] == [1, 32, 400]
    scatter = [float(np.std(run.losses[len(run.losses) // 2 :])) for run in runs[:2]]
    assert scatter[0] > 2 * scatter[1]


def test_a_run_that_is_not_finite_ends():
    run = batch_size_runs(linear(optimizer=hw.optimizers.SGD(1e9)), X, Y, [10], epochs=50, verbose=0).runs[0]
    assert not math.isfinite(run.losses[-1])
    assert len(run.losses) < 2000
    batch_size_runs(linear(optimizer=hw.optimizers.SGD(1e9)), X, Y, [10, 400], epochs=5, verbose=0).plot()


def test_records_and_pictures():
    noise = gradient_noise(linear(), X, Y, batch_sizes=(8, 64), draws=5, verbose=0)
    runs = batch_size_runs(linear(), X, Y, batch_sizes=(40, 400), epochs=2, verbose=0)
    assert json.loads(json.dumps(noise.to_dict()))["batches"][1]["size"] == 64
    assert json.loads(json.dumps(runs.to_dict()))["rows"] == 400
    assert list(noise.to_frame().index) == [8, 64]
    assert len(runs.to_frame()) == 22
    assert "advised batch size" in repr(noise)
    assert "22" not in repr(runs)
    assert "20 steps" in repr(runs)
    left, right = noise.plot().axes
    measured = left.containers[0].lines[0]
    np.testing.assert_array_equal(measured.get_ydata(), [batch.error[1] for batch in noise.batches])
    assert right.get_ylabel() == "cosine to the gradient of all rows"
    figure = runs.plot("Title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["batch size 40: 20 steps", "all 400 rows: 2 steps"]


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"batch_sizes": []}, InputError, "no batch sizes"),
        ({"batch_sizes": [0]}, InputError, "batch_sizes=0"),
        ({"batch_sizes": [1000]}, InputError, "400 rows for batches of 1000"),
        ({"draws": 0}, InputError, "draws=0"),
        ({"seed": 0.5}, InputError, "seed=0.5"),
        ({"verbose": "no"}, InputError, "verbose='no'"),
    ],
    ids=str,
)
def test_bad_input_is_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        gradient_noise(linear(), X, Y, **{"verbose": 0, **arguments})


def test_models_that_cannot_be_measured_are_refused():
    with pytest.raises(InputError, match='reduction="sum"'):
        gradient_noise(linear(hw.losses.MeanSquaredError(reduction="sum")), X, Y, verbose=0)
    with pytest.raises(StateError, match="gradient on these rows is 0"):
        gradient_noise(linear(), np.zeros((8, 3)), np.zeros(8), batch_sizes=[2], verbose=0)
    with pytest.raises(InputTypeError, match="of int"):
        gradient_noise(3, X, Y)
    with pytest.raises(InputError, match="epochs=0"):
        batch_size_runs(linear(), X, Y, epochs=0, verbose=0)


# Over a training


def recorded(network, epochs=6, **told):
    recorder = hw.callbacks.Recorder(X, Y, **told)
    network.fit(X, Y, epochs=epochs, batch_size=20, verbose=0, callbacks=[recorder])
    return recorder.recording


@pytest.mark.parametrize("extra", [(), (BatchNormalization(),)], ids=["rows", "batches"])
def test_the_course_is_the_noise_at_each_kept_epoch(extra):
    model = linear(extra=extra)
    recording = recorded(model)
    before = model.state.parameters.tobytes()
    noise = gradient_noise(model, X, Y, draws=3, recording=recording, verbose=0)
    assert model.state.parameters.tobytes() == before
    course = noise.course
    assert course.epochs.tolist() == list(range(7))
    assert course.loss.tolist() == recording.loss.tolist()
    assert (course.trace > 0).all()
    assert course.squared_norm[0] > 4 * course.squared_norm[-1]
    if extra:  # batches are drawn anew each time, so only what is the same at all weights can be compared
        assert np.isnan(course.low).all()
        return
    for place in (0, 3, 6):
        model.state.parameters[...] = recording.vectors[place]
        there = gradient_noise(model, X, Y, draws=1, verbose=0)
        assert course.noise_scale[place] == pytest.approx(there.noise_scale)
        assert course.trace[place] == pytest.approx(there.trace)
    assert course.noise_scale[-1] > course.noise_scale[0]  # it grows as the gradient gets smaller


def test_moments_are_averaged_before_they_are_divided():
    model = linear()
    course = gradient_noise(model, X, Y, draws=1, recording=recorded(model), verbose=0).course
    assert course.over() == pytest.approx(course.trace.mean() / course.squared_norm.mean())
    assert course.over(2, 3) == pytest.approx(course.trace[2:4].sum() / course.squared_norm[2:4].sum())
    with pytest.raises(InputError, match="epochs 9 to inf"):
        course.over(9)


def test_a_recorded_training_gives_the_advice():
    model = linear()
    recording = recorded(model)
    noise = gradient_noise(model, X, Y, draws=1, recording=recording, verbose=0)
    assert abs(math.log2(noise.advised_batch_size / noise.course.over())) <= 0.5
    assert "over 7 kept epochs" in repr(noise)
    told = json.loads(json.dumps(noise.to_dict()))
    assert told["course"]["epochs"] == list(range(7))
    assert list(noise.course.to_frame().index) == list(range(7))
    (below,) = [axes for axes in noise.plot("Title").axes if axes.get_xlabel() == "epoch"]
    assert below.lines[0].get_xdata().tolist() == list(range(7))


def test_penalties_belong_to_every_row():
    hw.config.set_floatx("float64")
    try:
        model = hw.Sequential([Input((3,)), Dense(1, kernel_regularizer=hw.regularizers.L2(0.3))])
    finally:
        hw.config.set_floatx("float32")
    model.compile("sgd", "mse")
    gradients = rows_gradients(model)
    gradients[:, :3] += 2 * 0.3 * model.get_weights()[0][:, 0]
    noise = gradient_noise(model, X, Y, draws=1, verbose=0)
    trace = float(np.trace(np.cov(gradients.T)))
    assert noise.trace == pytest.approx(trace, rel=1e-9)
    assert noise.squared_norm == pytest.approx(float(np.sum(gradients.mean(axis=0) ** 2)) - trace / 400, rel=1e-9)
    assert noise.norm == pytest.approx(float(np.linalg.norm(gradients.mean(axis=0))), rel=1e-9)


def test_many_rows_are_all_counted():
    random = np.random.default_rng(5)
    x = random.normal(size=(20_000, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + random.normal(size=20_000)
    model = linear()
    noise = gradient_noise(model, x, y, batch_sizes=[8], draws=1, verbose=0)
    assert noise.trace == pytest.approx(float(np.trace(np.cov(rows_gradients(model, x, y).T))), rel=1e-9)


def test_a_loss_of_whole_batches_gives_moments_from_batches():
    def joint(y_true, y_pred):
        return np.sqrt(np.mean((y_true - y_pred) ** 2))

    assert gradient_noise(linear(joint), X, Y, draws=5, verbose=0).method == "batches"
    assert gradient_noise(linear(lambda y, p: (y - p) ** 2), X, Y, draws=2, verbose=0).method == "rows"


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: "log.csv", InputTypeError, "recording=str"),
        (lambda: recorded(linear(), weights=False), InputError, "without weights"),
        (lambda: recorded(linear(extra=[Dense(40)])), InputError, "numbers for a model of"),
    ],
    ids=["no recording", "no weights", "another model"],
)
def test_recordings_that_do_not_fit_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        gradient_noise(linear(), X, Y, recording=make(), verbose=0)
