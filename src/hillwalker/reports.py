"""What a training and a prediction look like: lines for a terminal, a page, two pictures, a CSV file.

Everything is drawn from records (`jobs.py`); nothing is computed here but rounding.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.folders import make_folder, write_whole
from hillwalker.jobs import Prediction, Prepared, Training
from hillwalker.pages import Facts, Page, Picture, Section, Table, render
from hillwalker.plots import save
from hillwalker.plots.history import plot_history
from hillwalker.plots.prediction import plot_classes, plot_predicted_vs_actual
from hillwalker.scores import in_words, rounded
from hillwalker.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hillwalker.models import Sequential


def footer() -> str:
    """Return which version made a page."""
    return f"Made by hillwalker {version('hillwalker')}. This page needs no network and no other file."


def write_report(
    folder: str | Path,
    model: Sequential,
    curves: Figure,
    prediction: Figure,
    page: Callable[[bytes, bytes], Page],
    overwrite: bool = False,
) -> list[Path]:
    """Write model.safetensors, curves.png, predicted_vs_actual.png and report.html into a folder; return their paths.

    `page` makes the page from the two pictures' bytes. The model is written first: it is what took time to make.
    """
    folder = make_folder(folder, overwrite)
    files = [folder / name for name in ("report.html", "curves.png", "predicted_vs_actual.png", "model.safetensors")]
    model.save(files[3])
    save(curves, files[1])
    save(prediction, files[2])
    write_whole(files[0], render(page(files[1].read_bytes(), files[2].read_bytes())).encode())
    return files


def list_files(files: list[Path]) -> str:
    """Return lines that say where files lie.

    >>> print(list_files([Path("out/report.html"), Path("out/curves.png")]))
    Files in out/
      report.html
      curves.png
    """
    return "\n".join([f"Files in {files[0].parent}/", *(f"  {path.name}" for path in files)])


def ending(history: History) -> str:
    """Return how a training ended, in words."""
    epochs = len(history.epoch)
    if history.interrupted:
        return f"interrupted after {epochs} epochs"
    if history.stop_reason and "finite" in history.stop_reason:
        return f"stopped after {epochs} epochs: {history.stop_reason}"
    return f"{epochs} epochs, the best on validation was epoch {history.best_epoch() + 1}; its weights are kept"


# --- one training -----------------------------------------------------------------------------------------------------


def count(items: Sequence[object], word: str) -> str:
    """Return how many, with the word in singular or plural.

    >>> count("a", "row"), count("ab", "row")
    ('1 row', '2 rows')
    """
    return f"{len(items):,} {word}{'' if len(items) == 1 else 's'}"


def facts(training: Training, source: str) -> list[tuple[str, str]]:
    """Return what was done, as pairs of a word and its explanation."""
    encoder, options = training.encoder, training.options
    target = encoder.target
    task = f"classification into {len(target.classes)} classes" if target.classes else "regression"
    how = "the last rows in time" if options.in_time else f"drawn at random, seed {options.seed}"
    sizes = "-".join(map(str, (len(encoder.feature_names), *options.hidden, training.model.output_shape[-1])))
    counts = [len(part) for part in training.rows]
    return [
        ("Table", f"{source}, {sum(counts):,} rows"),
        ("Target", f"{target.name}: {task} ({target.reason})"),
        ("Inputs", f"{len(encoder.feature_names)} from {count(encoder.columns, 'column')}, scaled on training rows"),
        *[("Note", note) for note in encoder.notes],
        ("Rows", f"{counts[0]:,} training, {counts[1]:,} validation, {counts[2]:,} test ({how})"),
        (
            "Network",
            f"{sizes}, {training.model.count_params():,} weights; Adam, learning rate {options.learning_rate:g}",
        ),
        ("Training", f"{ending(training.history)} ({training.seconds:.2f} s)"),
    ]


def constant_name(training: Training) -> str:
    """Return what the constant prediction is called."""
    return "always the class shares" if training.encoder.target.classes else "always the mean"


def score_table(training: Training) -> Table:
    """Return the scores of the network and of the constant prediction, on the test rows."""
    names = list(training.scores)
    rows = [("network", training.scores), (constant_name(training), training.constant_scores)]
    return Table(
        [f"{len(training.rows[2]):,} test rows", *names],
        [[label, *(rounded(scores[name]) for name in names)] for label, scores in rows],
    )


def verdict(training: Training) -> str:
    """Return in one sentence whether the network beats a constant on rows that it never saw."""
    what = "log loss" if training.encoder.target.classes else "RMSE"
    network, constant = training.scores[what], training.constant_scores[what]
    other = constant_name(training).replace("always", "always predicting")
    return in_words(network, constant, other, what, training.chance)


def training_text(training: Training, source: str) -> str:
    """Return what was done and what came out, as lines for a terminal."""
    return "\n".join([Facts(facts(training, source)).text(), "", score_table(training).text(), "", verdict(training)])


def prediction_figure(training: Training) -> Figure:
    """Return the picture of the test rows: amounts along the diagonal, or counts of classes."""
    target = training.encoder.target
    if training.probabilities is not None:
        note = f"Accuracy {training.scores['accuracy']:.3f}"
        return plot_classes(training.actual, training.probabilities, target.classes, name=target.name, note=note)
    note = f"R² = {training.scores['R²']:.3f}"
    in_time = training.options.in_time
    return plot_predicted_vs_actual(training.actual, training.predicted, name=target.name, note=note, in_time=in_time)


def write_training(training: Training, source: str, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write a training's report, pictures and model into a folder; return the files' paths."""

    def page(curves: bytes, prediction: bytes) -> Page:
        what = "Counts of classes and calibration" if training.encoder.target.classes else "Predicted against actual"
        score = score_table(training)
        return Page(
            f"{training.encoder.target.name}, predicted from {source}",
            "A dense network, judged on rows that it never saw.",
            [verdict(training)],
            [
                Section("Scores", [score, Picture(prediction, f"{what}, test rows; {verdict(training)}")]),
                Section("Training", [Picture(curves, f"Training and validation curves: {ending(training.history)}.")]),
                Section("What was done", [Facts(facts(training, source))]),
                Section("Inputs", [", ".join(training.encoder.feature_names)]),
            ],
            footer(),
        )

    return write_report(
        folder, training.model, plot_history(training.history), prediction_figure(training), page, overwrite
    )


# --- predictions ------------------------------------------------------------------------------------------------------


def prediction_csv(prediction: Prediction) -> str:
    """Return predictions as CSV: the prediction, for classes each one's probability, and the target where known."""
    header = [f"predicted_{prediction.target}"]
    columns: list[list[Any]] = [[_cell(value) for value in prediction.values]]
    if prediction.probabilities is not None:
        for number, value in enumerate(prediction.classes):
            header.append(f"probability_{value}")
            columns.append([_cell(p) for p in prediction.probabilities[:, number]])
    if prediction.actual is not None:
        header.append(prediction.target)
        columns.append(prediction.actual)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def _cell(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, (float, np.floating)) else str(value)


def prediction_text(prediction: Prediction) -> str:
    """Return how many rows were predicted, what was odd, and the scores where the target is known."""
    lines = [f"{len(prediction.values):,} predictions of {prediction.target}"]
    lines += [f"Note: {remark}" for remark in prediction.remarks]
    if prediction.scores is not None:
        lines.append("Scores: " + ", ".join(f"{name} {rounded(value)}" for name, value in prediction.scores.items()))
    return "\n".join(lines)


# --- experiments ------------------------------------------------------------------------------------------------------


def prepared_text(prepared: Prepared, source: str) -> str:
    """Return what is experimented with, as lines for a terminal."""
    encoder, options = prepared.encoder, prepared.options
    target = encoder.target
    sizes = "-".join(map(str, (len(encoder.feature_names), *options.hidden, prepared.model.output_shape[-1])))
    loss = "log loss" if target.classes else "mean squared error; always the mean has about 1"
    learned, checked = len(prepared.training[0]), len(prepared.validation[0])
    how = "in time" if options.in_time else f"at random, seed {options.seed}"
    lines = [
        ("Table", source),
        ("Target", f"{target.name}: {'classes' if target.classes else 'amounts'} ({loss})"),
        *[("Note", note) for note in encoder.notes],
        ("Rows", f"{learned:,} training, {checked:,} validation ({how}); the test rows of `train` are left out"),
        ("Network", f"{sizes}; Adam"),
    ]
    return Facts(lines).text()


def frame_csv(frame: Any) -> str:
    """Return a pandas or polars frame as CSV, its index too where it has a name."""
    if hasattr(frame, "write_csv"):
        return str(frame.write_csv())
    return str(frame.to_csv(index=frame.index.name is not None, lineterminator="\n"))


def write_experiment(
    folder: str | Path, pictures: Mapping[str, Figure], tables: Mapping[str, Any], overwrite: bool = False
) -> list[Path]:
    """Write an experiment's pictures, and its frames as CSV, into a folder by name; return the files' paths."""
    folder = make_folder(folder, overwrite)
    files = [save(figure, folder / name) for name, figure in pictures.items()]
    for name, frame in tables.items():
        files.append(folder / name)
        write_whole(files[-1], frame_csv(frame).encode())
    return files
