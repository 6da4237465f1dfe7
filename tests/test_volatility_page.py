"""A volatility study as files: one offline page, numbers as JSON and CSV, and odd studies that still make a page."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys

import numpy as np
import pytest

from hillwalker.errors import FileError
from hillwalker.finance import Prices, volatility, words
from hillwalker.finance.network import Settings
from hillwalker.finance.walk_forward import NETWORK
from hillwalker.volatility_page import forecasts_csv, page, write_volatility

QUICK = {
    "models": ["log-HAR", "HAR-X", NETWORK], "settings": Settings(units=(4,), seeds=2, epochs=6), "verbose": 0,
    "threads": 1, "first": 400, "refits": 100,
}  # fmt: skip
PICTURES = ["forecasts.png", "loss_differences.png", "window_curves.png", "coverage.png"]


def made(days: int = 650, seed: int = 0, name: str = "made") -> Prices:
    """Prices whose log variance is an autoregression."""
    random = np.random.default_rng(seed)
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 0.95 * level[day - 1] + 0.25 * random.normal()
    spread = 0.01 * np.exp(level / 2)
    close = np.cumsum(spread * random.normal(size=days))
    ends = np.abs(random.normal(size=(2, days))) * spread + 1e-4
    start = np.concatenate([[0.0], close[:-1]])
    dates = np.arange("2010-01-01", "2030-01-01", dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)][:days]
    told = {"open": start, "high": np.maximum(start, close) + ends[0], "low": np.minimum(start, close) - ends[1]}
    told["close"] = close
    return Prices(name, dates, **{key: 100 * np.exp(values) for key, values in told.items()}, volume=np.full(days, 1e6))


@pytest.fixture(scope="module")
def study():
    return volatility({"a <one>": made(), "b": made(seed=1)}, **QUICK)


@pytest.fixture(scope="module")
def files(study, tmp_path_factory):
    return study.save(tmp_path_factory.mktemp("files") / "out")


def headings(html: str) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", html)


def test_the_folder_holds_page_numbers_and_pictures(files):
    assert [path.name for path in files] == ["report.html", "report.json", "forecasts.csv", *PICTURES]
    assert all(path.stat().st_size > 1000 for path in files)


def test_the_page_stands_alone_and_says_what_the_words_say(files, study):
    html = files[0].read_text("utf-8")
    assert not re.search(r"https?://|@import|url\(|<link|<script|src=\"(?!data:)", html)
    assert html.count("<img") == 4
    assert "a &lt;one&gt;" in html
    assert headings(html) == [
        "Scores", "Over all series", "Forecasts", "Coming days", "Loss differences over time", "Training over windows",
        "Intervals", "What was done", "The data",
    ]  # fmt: skip
    assert html.count('class="best"') == 2
    made_page = page(study, {})
    assert made_page.verdict == words.box_sentences(study)
    assert f"QLIKE {study.pooled['HAR-X'].means[0]:.4g} against" in made_page.verdict[0]
    assert made_page.verdict[0].startswith("Over all 2 series: the network ")


def test_every_rival_is_named_in_the_box(study):
    box = " ".join(words.box_sentences(study))
    assert all(name in box for name in study.pooled)


def test_every_note_on_the_data_is_told(study):
    noted = dataclasses.replace(study, notes={"a <one>": ("2 days without volume", "a gap"), "b": ()})
    assert words.data_notes(noted) == [
        ("a <one>", "2 days without volume"), ("", "a gap"), ("b", "nothing odd was found"),
    ]  # fmt: skip


def test_json_holds_the_study_and_no_nan(files, study):
    read = json.loads(files[1].read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert read["verdict"] == study.verdict
    assert len(read["series"]) == 2


def test_the_csv_has_the_frames_columns_and_numbers(files, study):
    rows = list(csv.DictReader(io.StringIO(files[2].read_text("utf-8"))))
    frame = study.to_frame()
    assert list(rows[0]) == list(frame.columns)
    assert len(rows) == len(frame)
    told = [float(row[NETWORK]) for row in rows]
    np.testing.assert_allclose(told, frame[NETWORK], rtol=1e-6)
    newest = rows[len(study["a <one>"].dates) - 1]
    assert newest["target_date"] == newest["actual"] == ""  # of a day that has not come


def test_the_csv_needs_no_frame_library(study, monkeypatch):
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    assert forecasts_csv(study).startswith("series,date,target_date,actual,")


def test_files_of_others_are_not_overwritten(study, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(FileError, match="did not make"):
        write_volatility(study, tmp_path)
    assert (tmp_path / "report.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "pictures", "said"),
    [
        ({"models": ["HAR-X", "log-HAR"]}, 0, "Nothing was tested"),
        ({"models": [NETWORK]}, 3, "Nothing was tested"),
        ({"models": ["log-HAR", NETWORK]}, 4, "was not tried: it is the fair bar"),
        ({"first": 600}, 4, "Nothing was tested"),
        ({"horizon": 5}, 4, "next 5 days"),
        ({"alone": True}, 4, "network alone"),
    ],
)
def test_odd_studies_make_a_page(changes, pictures, said, tmp_path):
    files = write_volatility(volatility(made(640), **{**QUICK, **changes}), tmp_path / "out")
    html = files[0].read_text("utf-8")
    assert html.count("<img") == len(files) - 3 == pictures
    assert said in html
    assert not re.search("<section><h2>[^<]*</h2></section>", html)


def test_an_interrupted_study_says_so(study, tmp_path):
    walk = dataclasses.replace(study.walk, interrupted=True, windows=study.walk.windows[:2])
    html = write_volatility(dataclasses.replace(study, walk=walk), tmp_path / "out")[0].read_text("utf-8")
    assert f"Interrupted: forecasts end at {study['b'].dates[-1]}, after 2 windows." in html


def test_on_a_phone_tables_and_pictures_scroll_and_text_does_not(files):
    html = files[0].read_text("utf-8")
    assert "@media screen and (max-width" in html
    for cell in re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", html.split("What was done")[0]):
        assert " " not in cell  # spaces that break would make rows of uneven height
    assert "<caption>" not in html  # it would scroll away with its table
