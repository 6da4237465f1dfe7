"""`hillwalker diagnose`: what reaches `diagnose`, what is printed and written, and the exit codes."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from hillwalker import Sequential, cli, diagnosis
from hillwalker.diagnosis import Curves, Diagnosis, Finding
from hillwalker.errors import InputError
from hillwalker.layers import Dense, Input

CURVES = Curves(np.arange(3), np.array([1.0, 0.5, np.inf]), None, source="run.csv")
SICK = Diagnosis([Finding("diverged", "The loss is not finite.", 0.9, 2)], CURVES, 0.05)
DOUBTED = Diagnosis([Finding("diverged", "The loss leaps.", 0.4, 2)], CURVES, 0.6)
NO_SIGNAL = Diagnosis([Finding("no-signal", "Nothing is better.", 0.8)], CURVES, 0.1)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Stand in for `diagnose` in an empty folder; return what it was asked, and what it answers."""
    asked = {"answer": SICK}

    def diagnose(source, X=None, y=None, **told):
        asked.update(source=source, X=X, y=y, told=told)
        if isinstance(asked["answer"], Exception):
            raise asked["answer"]
        return asked["answer"]

    monkeypatch.setattr(diagnosis, "diagnose", diagnose, raising=False)
    monkeypatch.chdir(tmp_path)
    return asked


@pytest.fixture
def saved(asked, tmp_path):
    model = Sequential([Input((2,)), Dense(2, activation="tanh"), Dense(1)])
    model.compile("sgd", loss="mse")
    model.save(tmp_path / "model.safetensors")
    x = np.random.default_rng(0).normal(size=(20, 2))
    pl.DataFrame({"y": x[:, 0], "p": x[:, 0], "q": x[:, 1]}).write_csv(tmp_path / "rows.csv")
    return tmp_path


# A log


def test_a_log_and_what_is_known_of_it(asked, capsys):
    told = ["--learning-rate", "0.1", "--optimizer", "adam", "--batch-size", "16", "--constant-loss", "1", "1.5"]
    assert cli.main(["diagnose", "run.csv", *told]) == 1
    assert (asked["source"], asked["X"], asked["y"]) == ("run.csv", None, None)
    assert asked["told"] == {
        "learning_rate": 0.1, "optimizer": "adam", "batch_size": 16, "constant_loss": (1.0, 1.5), "verbose": 0,
    }  # fmt: skip
    assert capsys.readouterr().out == f"{SICK}\n"


@pytest.mark.parametrize(("answer", "code"), [(SICK, 1), (DOUBTED, 0), (NO_SIGNAL, 1), (InputError("no loss"), 2)])
def test_the_exit_code_tells(asked, capsys, answer, code):
    asked["answer"] = answer
    assert cli.main(["diagnose", "run.csv"]) == code
    assert ("it did not work" in capsys.readouterr().err) == (code == 2)


def test_json_is_all_that_is_printed(asked, capsys, tmp_path):
    assert cli.main(["diagnose", "run.csv", "--json", "--output", "out"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == SICK.to_dict()
    assert "report.html" in said.err


# A model and a table


def test_a_model_and_a_table(asked, saved):
    assert cli.main(["diagnose", "model.safetensors", "rows.csv", "--target", "y", "--epochs", "30"]) == 1
    assert isinstance(asked["source"], Sequential)
    assert np.asarray(asked["X"]).shape == (20, 2)
    assert np.array_equal(asked["y"], np.asarray(asked["X"])[:, 0])
    assert asked["told"] == {
        "batch_size": None, "verify": False, "seeds": 5, "epochs": 30, "time_ordered": False, "threads": None,
        "verbose": 0,
    }  # fmt: skip


def test_verification_is_asked_for(asked, saved):
    told = ["--target", "y", "--verify", "--seeds", "2", "--time-ordered", "--threads", "1", "--batch-size", "8"]
    assert cli.main(["diagnose", "model.safetensors", "rows.csv", *told]) == 1
    assert asked["told"] == {
        "batch_size": 8, "verify": True, "seeds": 2, "epochs": None, "time_ordered": True, "threads": 1, "verbose": 0,
    }  # fmt: skip


def test_a_target_that_is_not_there(asked, saved, capsys):
    assert cli.main(["diagnose", "model.safetensors", "rows.csv", "--target", "Y"]) == 2
    assert "--target 'y'" in capsys.readouterr().err
    assert "told" not in asked


# What is written


def test_the_folder_holds_page_json_and_picture(asked, tmp_path, capsys):
    assert cli.main(["diagnose", "run.csv", "--output", "out"]) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "report.json", "diagnosis.png"}
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == SICK.to_dict()
    assert "Files in out/" in capsys.readouterr().out
    assert cli.main(["diagnose", "run.csv", "--output", "out"]) == 1  # a folder of hillwalker's own


def test_nothing_of_the_users_is_overwritten_and_that_is_told_first(asked, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.html").write_text("mine")
    assert cli.main(["diagnose", "run.csv", "--output", "mine"]) == 2
    assert "told" not in asked
    assert (tmp_path / "mine" / "report.html").read_text() == "mine"
    assert "--overwrite" in capsys.readouterr().err
    assert cli.main(["diagnose", "run.csv", "--output", "mine", "--overwrite"]) == 1
    assert (tmp_path / "mine" / "report.html").read_text() != "mine"


# What is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.safetensors"], "model.safetensors FILE --target COLUMN"),
        (["run.csv", "--verify"], "--verify with a log"),
        (["run.csv", "--target", "y", "--epochs", "3"], "--target, --epochs with a log"),
        (["model.safetensors", "rows.csv", "--learning-rate", "0.1"], "--learning-rate with a model"),
        (["model.safetensors", "rows.csv", "--seeds", "3"], "--verify --seeds 3"),
    ],
)
def test_options_that_would_do_nothing(asked, capsys, arguments, said):
    assert cli.main(["diagnose", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert "told" not in asked


# The real thing, nothing standing in


def test_a_real_log_and_a_real_model(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    epochs = np.arange(40)
    losses = {"epoch": epochs, "loss": 1 - epochs / 300, "val_loss": 1.01 - epochs / 300}
    pl.DataFrame(losses).write_csv("run.csv")
    assert cli.main(["diagnose", "run.csv", "--learning-rate", "0.01"]) == 1
    said = capsys.readouterr().out
    assert "Verdict: learning-rate-too-low" in said
    assert "optimizer.learning_rate = 0.03" in said

    random = np.random.default_rng(0)
    x = random.normal(size=(160, 2))
    pl.DataFrame({"p": x[:, 0], "q": x[:, 1], "y": x[:, 0] - x[:, 1] + 0.1 * random.normal(size=160)}).write_csv(
        "t.csv"
    )
    assert cli.main(["train", "t.csv", "--target", "y", "--epochs", "2", "--learning-rate", "0.00001"]) == 0
    capsys.readouterr()
    told = ["--target", "y", "--verify", "--seeds", "1", "--epochs", "5", "--output", "report"]
    assert cli.main(["diagnose", "hillwalker-t/model.safetensors", "t.csv", *told]) == 1
    assert "learning-rate-too-low" in capsys.readouterr().out
    assert {"report.html", "report.json", "diagnosis.png"} <= {path.name for path in (tmp_path / "report").iterdir()}
    assert json.loads((tmp_path / "report" / "report.json").read_text())["findings"][0]["verified"] is True
