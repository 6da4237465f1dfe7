"""A study of volatility as one offline page, its pictures, its numbers as JSON and its forecasts as CSV.

Nothing is computed here but rounding; the words are those of `finance/words.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker import folders, records
from hillwalker.errors import InputError
from hillwalker.finance import words
from hillwalker.finance.phrases import listed
from hillwalker.pages import Code, Facts, Page, Picture, Section, Table, render
from hillwalker.plots import DPI
from hillwalker.plots.volatility import MOST_SERIES, plot_forecasts
from hillwalker.plots.volatility_scores import plot_coverage, plot_loss_differences
from hillwalker.plots.window_curves import plot_window_curves
from hillwalker.reports import footer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hillwalker.finance.volatility import VolatilityStudy

Parts = list["str | Table | Facts | Code | Picture"]

PICTURES: dict[str, Callable[[VolatilityStudy], Figure]] = {
    "forecasts": plot_forecasts,
    "loss_differences": plot_loss_differences,
    "window_curves": plot_window_curves,
    "coverage": plot_coverage,
}


def write_volatility(study: VolatilityStudy, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write report.html, report.json, forecasts.csv and four pictures into a folder; return the files' paths.

    forecasts.png, loss_differences.png, window_curves.png, coverage.png; one for which the study has nothing to draw is
    left out.

    Raises FileError for a folder that holds files of others, but for `overwrite`; MissingDependencyError, with nothing
    written, where matplotlib is missing.

    >>> from hillwalker.finance import load_sp500, volatility
    >>> study = volatility(load_sp500(), models=["HAR-X", "network"], seeds=2, first=4700, verbose=0)
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_volatility(study, folder)][:3]
    ['report.html', 'report.json', 'forecasts.csv']
    """
    folders.check_folder(folder, overwrite)  # before the pictures, which take seconds
    pictures = drawn(study)
    contents = {
        "report.html": render(page(study, pictures)).encode(),
        "report.json": (json.dumps(records.plain(study.to_dict()), allow_nan=False) + "\n").encode(),
        "forecasts.csv": forecasts_csv(study).encode(),
        **{f"{name}.png": png for name, png in pictures.items()},
    }
    folder = folders.make_folder(folder, overwrite)
    for name, content in contents.items():
        folders.write_whole(folder / name, content)
    return [folder / name for name in contents]


def drawn(study: VolatilityStudy) -> dict[str, bytes]:
    """Return by name the pictures for which the study has something to draw, as PNG."""
    found = {}
    for name, plot in PICTURES.items():
        try:
            figure = plot(study)
        except InputError:  # nothing to draw: no network, no rival, no interval
            continue
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
        found[name] = buffer.getvalue()
    return found


def page(study: VolatilityStudy, pictures: dict[str, bytes]) -> Page:
    """Return the page: verdict, scores, pooled tests, forecasts, losses over time, training, intervals, what was done.

    Sections for which there is nothing to say are left out.
    """
    picture = {
        name: [Picture(pictures[name], alt, caption)] if name in pictures else []
        for name, alt, caption in (
            ("forecasts", "Volatility forecast and as it came, over time and along the diagonal.", words.FORECASTS),
            ("loss_differences", "The network's lead over HAR-X and log-HAR over time.", words.DIFFERENCES),
            ("window_curves", "Training and validation loss, window by window.", words.training_caption(study)),
            ("coverage", "Share of days within the intervals, by year.", words.INTERVALS),
        )
    }
    several = len(study.results) > 1
    done = [pair for pair in words.facts(study) if pair[0] != "Note"]
    parts: list[tuple[str, Parts]] = [
        ("Scores", _scores(study)),
        ("Over all series", _pooled(study) if several and study.pooled else []),
        ("Forecasts", [*_left_out(study), *picture["forecasts"]]),
        ("Coming days", list(words.coming_sentences(study))),
        ("Loss differences over time", [*picture["loss_differences"]]),
        ("Training over windows", [*words.reading_sentences(study), *picture["window_curves"]]),
        ("Intervals", [*words.interval_sentences(study), *picture["coverage"]]),
        ("What was done", [Facts(done)]),
        ("The data", [Facts(words.data_notes(study))]),
    ]
    sections = [Section(heading, told) for heading, told in parts if told]
    return Page(words.title(study), words.how(study), words.box_sentences(study), sections, footer())


def _scores(study: VolatilityStudy) -> Parts:
    tables: Parts = []
    for result in study.results:
        head, rows = words.score_rows(result)
        if result.days:
            tables += [f"{result.name}, {result.days:,} days:", _table(head, rows, best=0)]
        else:
            tables.append(f"{result.name}: no day that was forecast has come yet.")
    return [words.SCORES_READ, *tables, *words.MEANINGS]


def _pooled(study: VolatilityStudy) -> Parts:
    head, rows = words.pooled_rows(study)
    return [words.pooled_caption(study), _table(head, rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], best: int | None = None) -> Table:
    """Return a table whose cells do not break into lines; what explains it stands above, where it cannot scroll."""
    whole = [[cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in row] for row in (head, *rows)]
    return Table(whole[0], whole[1:], best=best)


def _left_out(study: VolatilityStudy) -> Parts:
    lost = [one.name for one in study.walk.series[MOST_SERIES:]]
    call = "hillwalker.plots.plot_forecasts(study, series=[...])"
    return [f"The pictures leave out {listed(lost)}; {call} draws them."] if lost else []


# --- the forecasts ----------------------------------------------------------------------------------------------------


def forecasts_csv(study: VolatilityStudy) -> str:
    """Return one row a day and series, as `study.to_frame()` has them, as CSV; what is unknown is empty."""
    columns = study.walk.columns
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*([_cell(value) for value in values] for values in columns.values()), strict=True))
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[D]"))
    if isinstance(value, float | np.floating):
        return f"{value:.7g}" if np.isfinite(value) else ""
    return str(value)
