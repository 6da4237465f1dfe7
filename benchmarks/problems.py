"""Data sets and networks that choices are judged on: many kinds, each cut into rows to learn from and rows to judge by.

Nothing is trained here. All come with scikit-learn or arch, or are generated: nothing is downloaded.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# The data sets that constants of `hillwalker.choosing` may be chosen on; the others are for judging.
FOR_TUNING = frozenset({
    "diabetes", "breast cancer", "iris", "digits", "digits, few rows", "classification", "classification, noisy",
    "classification, few rows", "many columns", "moons", "friedman 1", "friedman 3", "linear, few rows",
    "sparse uncorrelated", "product", "step", "volatility", "volatility rises", "classification, close",
    "classification, rare", "five classes", "rings", "three signs", "bumps", "friedman 1, noisy", "saw", "tails",
    "simulated volatility", "simulated moves", "noise in time",
})  # fmt: skip
JUDGED = 5000  # rows to judge by where data are generated: so many that they tell rates apart


@dataclass(frozen=True)
class Problem:
    """A data set and a network for it: (rows, I) and targets to learn from, others that nothing may learn from."""

    name: str
    task: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    hidden: tuple[int, ...]
    batch_size: int
    epochs: int
    in_time: bool = False

    @property
    def outputs(self) -> int:
        return int(self.y.max()) + 1 if self.task == "multiclass" else 1

    def model(self, optimizer: Any = "adam", **dense: Any) -> Any:
        """Return the network, compiled with the loss that goes with the task."""
        import hillwalker as hw

        activation, loss = {
            "regression": ("linear", "mse"),
            "binary": ("sigmoid", "binary_crossentropy"),
            "multiclass": ("softmax", "sparse_categorical_crossentropy"),
        }[self.task]
        layers = [hw.layers.Dense(units, activation="relu", **dense) for units in self.hidden]
        output = hw.layers.Dense(self.outputs, activation=activation)
        model = hw.Sequential([hw.Input((self.X.shape[1],)), *layers, output])
        model.compile(optimizer, loss)
        return model

    def constant_loss(self) -> float:
        """Return the loss on the test rows of always predicting what is best on the rows learned from."""
        if self.task == "regression":
            return float(np.mean((self.y_test - self.y.mean()) ** 2))
        classes = max(self.outputs, 2)
        shares = np.bincount(self.y.astype(int), minlength=classes) / len(self.y)
        return float(-np.mean(np.log(np.maximum(shares[self.y_test.astype(int)], 1e-7))))


def _scaled(train: Array, test: Array) -> tuple[Array, Array]:
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return (train - mean) / deviation, (test - mean) / deviation


def _problem(
    name: str,
    task: str,
    X: Array,
    y: Array,
    hidden: tuple[int, ...],
    batch_size: int,
    epochs: int,
    in_time: bool = False,
    generated: bool = False,
) -> Problem:
    """Cut off rows to judge by, 40 % or JUDGED: at random, or the last rows of those that lie in time."""
    order = np.arange(len(X)) if in_time else np.random.default_rng(7).permutation(len(X))
    cut = len(X) - JUDGED if generated else int(0.6 * len(X))
    learn, judge = order[:cut], order[cut:]
    x, x_test = _scaled(np.asarray(X, float)[learn], np.asarray(X, float)[judge])
    t, t_test = np.asarray(y, float)[learn], np.asarray(y, float)[judge]
    if task == "regression":
        t, t_test = _scaled(t, t_test)
    single = np.float32
    return Problem(name, task, x.astype(single), t.astype(single), x_test.astype(single), t_test.astype(single),
                   hidden, batch_size, epochs, in_time)  # fmt: skip


def _flipped(y: Array, share: float, seed: int) -> Array:
    """Return labels of which a share is drawn anew."""
    random = np.random.default_rng(seed)
    wrong = random.random(len(y)) < share
    return np.where(wrong, random.integers(int(y.max()) + 1, size=len(y)), y)


def _bundled() -> list[Problem]:
    from sklearn import datasets

    def data(name: str) -> Any:
        return getattr(datasets, f"load_{name}")(return_X_y=True)

    digits = data("digits")
    return [
        _problem("diabetes", "regression", *data("diabetes"), (32,), 32, 60),
        _problem("diabetes, wide", "regression", *data("diabetes"), (128, 64), 16, 40),
        _problem("breast cancer", "binary", *data("breast_cancer"), (32, 16), 32, 40),
        _problem("breast cancer, noisy labels", "binary", data("breast_cancer")[0],
                 _flipped(data("breast_cancer")[1], 0.3, 1), (32,), 32, 40),
        _problem("iris", "multiclass", *data("iris"), (16,), 16, 60),
        _problem("wine", "multiclass", *data("wine"), (16,), 16, 50),
        _problem("digits", "multiclass", *digits, (64, 32), 32, 20),
        _problem("digits, noisy labels", "multiclass", digits[0], _flipped(digits[1], 0.3, 2), (64,), 64, 20),
        _problem("digits, few rows", "multiclass", digits[0][:300], digits[1][:300], (32,), 16, 30),
        _problem("linnerud, twenty rows", "regression", data("linnerud")[0], data("linnerud")[1][:, 1], (8,), 4, 40),
        _problem("digits, deep", "multiclass", *digits, (48, 32, 32, 24), 64, 20),
    ]  # fmt: skip


def _generated() -> list[Problem]:
    from sklearn import datasets as d

    def made(name: str, task: str, X: Array, y: Array, hidden: tuple[int, ...], batch: int, epochs: int) -> Problem:
        return _problem(name, task, X, y, hidden, batch, epochs, generated=True)

    def labels(
        name: str, seed: int, rows: int, hidden: tuple[int, ...], batch: int, epochs: int, **told: Any
    ) -> Problem:
        X, y = d.make_classification(rows + JUDGED, random_state=seed, **told)
        return made(name, "multiclass" if y.max() > 1 else "binary", X, y, hidden, batch, epochs)

    def shape(name: str, maker: Callable[..., Any], hidden: tuple[int, ...], **told: Any) -> Problem:
        X, y = maker(n_samples=480 + JUDGED, random_state=5, **told)
        return made(name, "binary", X, y, hidden, 32, 50)

    def amount(name: str, maker: Callable[..., Any], rows: int, hidden: tuple[int, ...], batch: int, epochs: int,
               **told: Any) -> Problem:  # fmt: skip
        X, y = maker(n_samples=rows + JUDGED, random_state=6, **told)[:2]
        return made(name, "regression", X, y, hidden, batch, epochs)

    random = np.random.default_rng(8)
    sines = random.uniform(-3, 3, size=(300 + JUDGED, 1))
    steps = random.normal(size=(480 + JUDGED, 5))
    tails = random.normal(size=(420 + JUDGED, 8))
    waves = np.sin(2 * sines[:, 0]) + 0.2 * random.normal(size=len(sines))
    products = steps[:, 0] * steps[:, 1] + 0.3 * random.normal(size=len(steps))
    heavy = tails @ random.normal(size=8) + random.standard_t(2, len(tails))
    blobs = d.make_blobs(480 + JUDGED, n_features=5, centers=5, cluster_std=3.0, random_state=11)
    hastie = d.make_hastie_10_2(900 + JUDGED, random_state=9)
    ranks = d.make_low_rank_matrix(360 + JUDGED, 40, effective_rank=6, random_state=13)
    ranks *= np.sqrt(len(ranks) / 600)  # its columns have one length, however many rows
    return [
        labels("classification", 0, 600, (32,), 32, 40, n_features=20, n_informative=5),
        labels("classification, hard", 1, 600, (64, 32), 32, 40, n_features=20, n_informative=10, class_sep=0.5),
        labels("classification, noisy", 2, 480, (32,), 32, 40, n_features=10, flip_y=0.3),
        labels("classification, imbalanced", 3, 720, (32,), 64, 40, n_features=15, weights=[0.92]),
        labels("classification, few rows", 4, 90, (32,), 16, 60, n_features=20, n_informative=4),
        labels("four classes", 5, 720, (32, 32), 32, 30, n_features=12, n_informative=8, n_classes=4),
        labels("many columns", 6, 300, (32,), 32, 30, n_features=100, n_informative=6),
        labels("large batches", 7, 1200, (32,), 256, 40, n_features=20, n_informative=8),
        shape("moons", d.make_moons, (16, 16), noise=0.25),
        shape("circles", d.make_circles, (16, 16), noise=0.15, factor=0.5),
        amount("friedman 1", d.make_friedman1, 480, (32, 16), 32, 50, noise=1.0),
        amount("friedman 2", d.make_friedman2, 480, (32,), 32, 50, noise=50.0),
        amount("friedman 3", d.make_friedman3, 480, (32,), 32, 50, noise=0.1),
        amount("linear", d.make_regression, 360, (32,), 32, 40, n_features=20, n_informative=8, noise=40.0),
        amount("linear, few rows", d.make_regression, 72, (16,), 16, 60, n_features=15, noise=30.0),
        amount("swiss roll", d.make_swiss_roll, 540, (32, 32), 32, 40, noise=0.5),
        amount("sparse uncorrelated", d.make_sparse_uncorrelated, 420, (32,), 32, 40, n_features=12),
        made("sine", "regression", sines, waves, (32, 16), 16, 60),
        made("product", "regression", steps, products, (32,), 32, 50),
        made("heavy tails", "regression", tails, heavy, (32,), 32, 40),
        made("step", "binary", steps, (steps[:, 0] > steps[:, 1] ** 2 - 0.5).astype(float), (24,), 32, 50),
        made("pure noise", "regression", steps, random.normal(size=len(steps)), (16,), 32, 30),
        made("pure noise, labels", "binary", tails, random.integers(2, size=len(tails)), (32, 16), 32, 30),
        made("checkerboard", "binary", steps[:, :2],
             _flipped(np.floor(1.3 * steps[:, :2]).sum(axis=1) % 2, 0.1, 3), (48, 32), 16, 60),
        made("steps of a stair", "regression", steps, np.round(steps[:, 0]) + np.sign(steps[:, 1]), (32, 16), 32, 40),
        made("ten squares", "binary", hastie[0], (hastie[1] > 0).astype(float), (40,), 32, 30),
        made("shells", "multiclass", *d.make_gaussian_quantiles(n_samples=540 + JUDGED, n_features=4, n_classes=3,
             random_state=10), (32, 16), 32, 40),
        made("blobs, noisy labels", "multiclass", blobs[0], _flipped(blobs[1], 0.4, 4), (24,), 32, 40),
        made("s curve", "regression", *d.make_s_curve(540 + JUDGED, noise=0.3, random_state=12), (32,), 64, 40),
        made("low rank", "regression", ranks, np.tanh(60 * ranks[:, 0]) + 0.2 * random.normal(size=len(ranks)),
             (64,), 16, 30),
    ]  # fmt: skip


def _generated_for_tuning() -> list[Problem]:
    """Return generated data sets of kinds like those for judging, but none of them."""
    from sklearn import datasets as d

    def made(name: str, task: str, X: Array, y: Array, hidden: tuple[int, ...], batch: int, epochs: int) -> Problem:
        return _problem(name, task, X, y, hidden, batch, epochs, generated=True)

    def labels(name: str, seed: int, rows: int, hidden: tuple[int, ...], epochs: int, **told: Any) -> Problem:
        X, y = d.make_classification(rows + JUDGED, random_state=seed, **told)
        return made(name, "multiclass" if y.max() > 1 else "binary", X, y, hidden, 32, epochs)

    random = np.random.default_rng(21)
    plane = random.normal(size=(400 + JUDGED, 2))
    cube = random.normal(size=(500 + JUDGED, 4))
    line = random.uniform(-2, 2, size=(200 + JUDGED, 1))
    radius = np.hypot(plane[:, 0], plane[:, 1])
    rings = _flipped((np.sin(3 * radius) > 0).astype(float), 0.15, 22)
    signs = _flipped((np.prod(np.sign(cube[:, :3]), axis=1) > 0).astype(float), 0.05, 23)
    bumps = np.exp(-4 * (cube[:, 0] ** 2 + cube[:, 1] ** 2)) + 0.1 * random.normal(size=len(cube))
    saw = 2 * (line[:, 0] % 1.0) + 0.3 * random.normal(size=len(line))
    tailed = np.abs(cube[:, 0]) * cube[:, 1] + 0.3 * random.standard_t(3, len(cube))
    return [
        labels("classification, close", 31, 540, (48, 24), 40, n_features=16, n_informative=8, class_sep=0.6),
        labels("classification, rare", 32, 600, (24,), 40, n_features=12, weights=[0.9], class_sep=0.8),
        labels("five classes", 33, 600, (32,), 40, n_features=15, n_informative=9, n_classes=5),
        made("rings", "binary", plane, rings, (32, 32), 16, 60),
        made("three signs", "binary", cube, signs, (32,), 32, 60),
        made("bumps", "regression", cube, bumps, (32, 16), 32, 40),
        made("friedman 1, noisy", "regression", *d.make_friedman1(400 + JUDGED, noise=4.0, random_state=34),
             (32,), 32, 40),
        made("saw", "regression", line, saw, (24, 24), 16, 50),
        made("tails", "regression", cube, tailed, (32,), 32, 40),
    ]  # fmt: skip


def _simulated_in_time() -> list[Problem]:
    """Return days of GARCH(1, 1) whose size of moves, or nothing, can be told from the days before."""
    random = np.random.default_rng(41)
    days = 900 + JUDGED
    variance, moves = np.empty(days + 20), np.empty(days + 20)
    for day in range(days + 20):
        before = variance[day - 1] if day else 1.0
        variance[day] = 0.05 + 0.12 * (moves[day - 1] ** 2 if day else 1.0) + 0.83 * before
        moves[day] = np.sqrt(variance[day]) * random.standard_t(5) * np.sqrt(3 / 5)
    sizes = np.log(np.abs(moves) + 0.05)
    past = _past(sizes, 8)
    timed = {"in_time": True, "generated": True}
    return [
        _problem("simulated volatility", "regression", past, np.log(variance[20:]), (32, 16), 32, 30, **timed),
        _problem("simulated moves", "regression", past, np.sqrt(np.abs(moves[20:])), (16,), 32, 40, **timed),
        _problem("noise in time", "regression", past, moves[20:], (16,), 32, 40, **timed),
    ]


def _series(name: str, column: str) -> Array:
    """Return a column of a table that arch ships, read without importing arch, rows without a value left out."""
    package = importlib.util.find_spec("arch")
    assert package is not None
    assert package.origin is not None
    (path,) = (Path(package.origin).parent / "data" / name).glob("*.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        found = [row[column] for row in csv.DictReader(file)]
    return np.array([float(value) for value in found if value not in ("", ".", "NaN")])


def _past(values: Array, lags: int) -> Array:
    """Return the last `lags` values and the mean of the last 20 up to each time but the last, from the 20th on."""
    windows = np.lib.stride_tricks.sliding_window_view(values, 20)[:-1]
    return np.column_stack([windows[:, -lags:], windows.mean(axis=1)])


def _first_inputs(prices: Any, features: Any) -> Array:
    """Return the inputs that volatility had when the ground truth was made: the published situations rest on them."""
    from hillwalker.finance.features import trailing_mean

    returns = np.concatenate([[np.nan], 100 * np.diff(np.log(prices.close))])
    losses = trailing_mean(np.minimum(returns, 0), 5)[np.isin(prices.dates, features.dates)]
    kept = [name for name in features.names if name.startswith(("log variance", "return")) and "fading" not in name]
    first = [features.column(name) for name in [*kept, "negative return"]]
    return np.column_stack([*first, losses, features.column("change of log volume")])


def _financial() -> list[Problem]:
    from hillwalker.finance import load_sp500, volatility_features

    prices = load_sp500()
    features = volatility_features(prices)
    X, y = _first_inputs(prices, features)[-2500:], features.y[-2500:]
    direction = (np.diff(y, prepend=y[0]) > 0).astype(float)
    ranges = np.log(np.log(_series("nasdaq", "High") / _series("nasdaq", "Low")))[-2020:]
    oil = _series("wti", "DCOILWTICO")[-2021:]
    moves = np.sqrt(np.abs(np.diff(np.log(oil))))
    vix = np.log(_series("vix", "vix"))
    market = _series("frenchdata", "Mkt-RF")
    spread = np.log(_series("default", "BAA") - _series("default", "AAA"))
    falls = (np.diff(vix)[19:] < 0).astype(float)
    changes = np.diff(spread)
    return [
        _problem("volatility", "regression", X, y, (32,), 64, 40, in_time=True),
        _problem("volatility, small batches", "regression", X, y, (32, 16), 16, 20, in_time=True),
        _problem("volatility rises", "binary", X, direction, (32,), 64, 40, in_time=True),
        _problem("range of the NASDAQ", "regression", _past(ranges, 8), ranges[20:], (32,), 32, 30, in_time=True),
        _problem("oil, size of moves", "regression", _past(moves, 10), moves[20:], (32, 16), 32, 30, in_time=True),
        _problem("VIX", "regression", _past(vix, 5), vix[20:], (16,), 32, 40, in_time=True),
        _problem("VIX falls", "binary", _past(vix, 5), falls, (16,), 32, 40, in_time=True),
        _problem("bond spread's change", "regression", _past(changes, 6), changes[20:], (16,), 32, 40, in_time=True),
        _problem("stocks next month", "regression", _past(market, 6), market[20:], (16,), 32, 40, in_time=True),
    ]  # fmt: skip


def problems() -> list[Problem]:
    """Return all data sets with their networks."""
    return [*_bundled(), *_generated(), *_generated_for_tuning(), *_simulated_in_time(), *_financial()]
