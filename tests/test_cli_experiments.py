"""`hillwalker compare`, `lr` and `batch`: a table in, a table and a sentence out, a picture in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from hillwalker import cli, jobs, reports


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = random.normal(size=(160, 2))
    labels = np.array(["no", "yes"])[(x[:, 0] + x[:, 1] > 0).astype(int)]
    frame = pl.DataFrame({"day": np.arange(160), "a": x[:, 0], "b": x[:, 1], "bought": labels, "spent": x[:, 0] * 3})
    frame.write_csv("shop.csv")
    return tmp_path


def run(command: str, *more: str, target: str = "bought") -> int:
    return cli.main([command, "shop.csv", "--target", target, "--hidden", "8", *more])


def test_compare_prints_the_table_and_draws(table, capsys):
    told = ("--vary", "learning_rate=0.0001,0.05", "--vary", "batch-size=8,32", "--seeds", "3", "--epochs", "10")
    assert run("compare", *told) == 0
    said = capsys.readouterr().out
    assert "96 training, 32 validation (at random, seed 0)" in said
    assert "learning_rate=0.05, batch_size=8" in said
    assert " is best: val loss " in said
    folder = table / "hillwalker-compare-shop"
    assert {path.name for path in folder.iterdir()} == {
        ".hillwalker", "comparison.png", "curves.csv", "heatmap.png", "runs.jsonl",
    }  # fmt: skip
    assert (folder / "heatmap.png").read_bytes()[:4] == b"\x89PNG"
    curves = pl.read_csv(folder / "curves.csv")
    assert len(curves) == 4 * 3 * 10
    assert curves.columns[:5] == ["variant", "learning_rate", "batch_size", "seed", "fold"]
    before = (folder / "runs.jsonl").read_bytes()
    assert run("compare", *told) == 0  # again: all runs are known
    assert (folder / "runs.jsonl").read_bytes() == before
    assert capsys.readouterr().out == said


def test_compare_by_folds_in_time(table, capsys):
    told = ("--vary", "units=4,4-4", "--vary", "dropout=0", "--seeds", "2", "--epochs", "3", "--folds", "3")
    assert run("compare", *told, "--time-column", "day", "--patience", "2", "--output", "out", target="spent") == 0
    said = capsys.readouterr().out
    assert "(in time)" in said
    assert "units=4-4, dropout=0" in said
    assert not (table / "out" / "heatmap.png").exists()  # one setting varies
    curves = pl.read_csv(table / "out" / "curves.csv")
    assert sorted(set(curves["fold"])) == [0, 1, 2]


def test_lr_finds_a_rate(table, capsys):
    assert run("lr", "--epochs", "15", "--seeds", "2", "--drop", "bought", "day", target="spent") == 0
    said = capsys.readouterr().out
    assert "<- chosen" in said
    assert said.split("Learning rate ")[1].startswith(("0.01", "0.0316", "0.1", "0.00316", "0.316"))
    assert (table / "hillwalker-lr-shop" / "learning_rate.png").read_bytes()[:4] == b"\x89PNG"
    assert pl.read_csv(table / "hillwalker-lr-shop" / "runs.csv").columns == ["rate", "unit", "val_loss"]


def test_batch_compares_sizes(table, capsys):
    assert run("batch", "--sizes", "8", "32", "--epochs", "5", "--seeds", "6", "--learning-rate", "0.01") == 0
    said = capsys.readouterr().out
    assert "Batch size " in said
    assert "kB a step" in said
    folder = table / "hillwalker-batch-shop"
    assert (folder / "batch_sizes.png").read_bytes()[:4] == b"\x89PNG"
    assert pl.read_csv(folder / "batch_sizes.csv")["batch_size"].to_list() == [8, 32]


def test_the_rows_that_train_tests_on_are_left_out(table):
    options = jobs.Options(seed=3, hidden=(4,), epochs=2)
    prepared = jobs.prepare("shop.csv", "spent", options)
    training = jobs.train("shop.csv", "spent", options)
    X = training.encoder.transform(pl.read_csv("shop.csv"))
    np.testing.assert_array_equal(prepared.training[0], X[training.rows[0]])
    np.testing.assert_array_equal(prepared.validation[0], X[training.rows[1]])
    assert len(prepared.X) == 128
    assert prepared.model.count_params() == training.model.count_params()


def test_folds_in_time_are_scaled_by_the_first_stretch(table):
    options = jobs.Options(time_ordered=True, hidden=(4,))
    prepared = jobs.prepare("shop.csv", "spent", options, folds=3)
    first = prepared.X[:32]  # of 128 rows, in 4 stretches
    np.testing.assert_allclose(first[:, 0].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(first[:, 0].std(), 1, atol=1e-3)
    assert prepared.X[-32:, 0].mean() > 3  # days only rise


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "absent.csv", "--target", "y", "--vary", "units=4"], "does not exist"),
        (["compare", "shop.csv", "--target", "bougt", "--vary", "units=4"], "'bought'"),
        (["compare", "shop.csv", "--target", "bought", "--vary", "unit=4"], "units"),
        (["compare", "shop.csv", "--target", "bought", "--vary", "units=4", "--seeds", "0"], "seeds=0"),
        (["compare", "shop.csv", "--target", "bought", "--vary", "units=4", "--output", "."], "did not make"),
        (["compare", "shop.csv", "--target", "bought", "--vary", "units=4", "--folds", "1"], "--folds 1"),
        (["lr", "shop.csv", "--target", "bought", "--seeds", "1"], "seeds=1"),
        (["lr", "shop.csv", "--target", "bought", "--epochs", "0"], "epochs 0"),
        (["batch", "shop.csv", "--target", "bought", "--sizes", "16", "97"], "for 96 rows to train on"),
        (["batch", "shop.csv", "--target", "bought", "--sizes", "16", "--target-loss", "nan"], "target=nan"),
        (["batch", "shop.csv", "--target", "bought", "--output", "shop.csv"], "which is a file"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_errors_are_text_and_exit_2(table, capsys, arguments, words):
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert [path.name for path in table.iterdir()] == ["shop.csv"]


@pytest.mark.parametrize("text", ["units", "=4", "units="])
def test_what_is_no_setting_is_said(table, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        run("compare", "--vary", text)
    assert stopped.value.code == 2
    assert "is not like learning_rate=0.001,0.01" in capsys.readouterr().err


def test_values_are_read_as_what_they_look_like():
    assert cli._setting("learning_rate=1e-3,0.1") == ("learning_rate", [0.001, 0.1])
    assert cli._setting("batch-size=16, 64") == ("batch_size", [16, 64])
    assert cli._setting("units=8,64-32") == ("units", [8, (64, 32)])
    assert cli._setting("shuffle=true,False") == ("shuffle", [True, False])
    assert cli._setting("patience=none,5") == ("patience", [None, 5])
    assert cli._setting("activation=relu,tanh") == ("activation", ["relu", "tanh"])


def test_a_folder_of_the_users_is_written_to_only_if_told(table):
    (table / "mine").mkdir()
    (table / "mine" / "notes.txt").write_text("keep")
    told = ("--vary", "units=4", "--seeds", "2", "--epochs", "2", "--output", "mine")
    assert run("compare", *told) == 2
    assert [path.name for path in (table / "mine").iterdir()] == ["notes.txt"]
    assert run("compare", *told, "--overwrite") == 0
    assert (table / "mine" / "notes.txt").read_text() == "keep"
    assert (table / "mine" / "comparison.png").exists()


def test_ctrl_c_keeps_what_is_done(table):
    told = ["--vary", "units=4,5", "--seeds", "400", "--epochs", "2000", "--output", "out", "--threads", "1"]
    command = [sys.executable, "-m", "hillwalker.cli", "compare", "shop.csv", "--target", "bought", *told]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ledger = table / "out" / "runs.jsonl"
    for _ in range(600):
        if ledger.exists() and ledger.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGINT)
    said, errors = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "The same command goes on where it was." in errors
    assert "runs are not done." in said
    assert (table / "out" / "comparison.png").exists()


def test_frames_become_csv_with_or_without_an_index():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"b": [1, 2]}, index=pandas.Index([3, 4], name="a"))
    assert reports.frame_csv(frame) == "a,b\n3,1\n4,2\n"
    assert reports.frame_csv(frame.reset_index()) == reports.frame_csv(pl.DataFrame({"a": [3, 4], "b": [1, 2]}))
