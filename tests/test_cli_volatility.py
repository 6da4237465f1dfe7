"""`hillwalker volatility`: a file in, a report out; the proof; and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hillwalker.cli import main
from hillwalker.finance import load_stock
from hillwalker.finance.proxies import PROXIES

QUICK = ["--models", "log-HAR", "HAR-X", "network", "--seeds", "2", "--first", "600", "--threads", "1"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A CSV as somebody may bring it: newest day first, other names."""
    prices = load_stock("IBM")
    path = tmp_path_factory.mktemp("prices") / "ibm.csv"
    rows = ["Date,Price,Open,High,Low,Vol."]
    for day in range(1000)[::-1]:
        columns = (prices.close, prices.open, prices.high, prices.low, prices.volume)
        rows.append(",".join([str(prices.dates[day]), *(repr(float(column[day])) for column in columns)]))
    path.write_text("\n".join(rows))
    return path


def test_a_file_in_a_report_out(file, tmp_path, capsys):
    folder = tmp_path / "out"
    assert main(["volatility", str(file), *QUICK, "--output", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "ibm: 20" in text
    assert "HAR-X" in text
    assert "given newest first" in text
    assert {"report.html", "report.json", "forecasts.csv"} <= {path.name for path in folder.iterdir()}
    lines = (folder / "forecasts.csv").read_text().splitlines()
    assert len(lines) == 1 + len(json.loads((folder / "report.json").read_text())["series"][0]["dates"])
    (folder / "report.html").write_text("mine")
    (folder / "notes.txt").write_text("mine too")
    assert main(["volatility", str(file), *QUICK, "--output", str(tmp_path / "else")]) == 0


def test_json_is_json_alone(file, tmp_path, capsys):
    assert main(["volatility", str(file), *QUICK, "--json", "--output", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"].endswith("HAR-X")
    assert np.isfinite(told["coming"]["ibm"]["volatility"])


def test_the_proof_speaks_by_its_exit_code(file, capsys, monkeypatch):
    assert main(["volatility", str(file), "--prove"]) == 0
    assert "No leak." in capsys.readouterr().out

    def peeking(prices):
        return np.roll(parkinson(prices), -1)

    parkinson = PROXIES["parkinson"]
    monkeypatch.setitem(PROXIES, "peeking", peeking)
    assert main(["volatility", str(file), "--prove", "--proxy", "peeking"]) == 1
    assert "LEAKS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ticker", "IBM"], "--ticker without a file"),
        (["--prove", "--seeds", "3"], "--seeds with --prove"),
        (["nowhere.csv"], "nowhere.csv"),
        (["--refits", "fortnightly"], "fortnightly"),
        (["--proxy", "parkinsons"], "parkinson"),
        (["--models", "lstm"], "lstm"),
        (["--horizon", "0"], "horizon"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["volatility", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_several_files_walk_together_and_need_names(file, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text(file.read_text())
    assert main(["volatility", str(file), str(other), *QUICK, "--output", str(tmp_path / "out")]) == 0
    assert "all series together" in capsys.readouterr().out
    assert main(["volatility", str(file), str(file), *QUICK, "--output", str(tmp_path / "out2")]) == 2
    assert "two series named ibm" in capsys.readouterr().err
