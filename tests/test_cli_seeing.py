"""The commands of seeing and learning: text on the terminal, a picture where asked, errors as text and exit 2."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from hillwalker import Sequential, cli, lesson, quiz
from hillwalker.layers import Dense, Input

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model that `train` made, one saved by hand, and files for both."""
    folder = tmp_path_factory.mktemp("models")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 2))
    towns = np.array(["Bern", "Chur"])[generator.integers(2, size=60)]
    pl.DataFrame({"a": x[:, 0], "town": towns, "price": x[:, 0] - x[:, 1] + (towns == "Bern")}).write_csv(
        folder / "shop.csv"
    )
    arguments = ["--target", "price", "--epochs", "3", "--hidden", "4", "--output", str(folder / "trained")]
    assert cli.main(["train", str(folder / "shop.csv"), *arguments]) == 0
    model = Sequential([Input((2,)), Dense(2, activation="tanh", name="hidden"), Dense(1, name="out")])
    model.compile("sgd", loss="mse")
    model.set_weights([np.array([[1.0, 0.5], [0.0, -0.5]]), np.zeros(2), np.array([[2.0], [1.0]]), np.ones(1)])
    model.save(folder / "plain.safetensors")
    y = x @ [1.0, -2.0]
    pl.DataFrame({"p": x[:, 0], "q": x[:, 1], "y": y}).write_csv(folder / "plain.csv")
    pl.DataFrame({"y": y, "p": x[:, 0], "q": x[:, 1]}).write_csv(folder / "first.csv")
    np.savez(folder / "plain.npz", X=x, y=y)
    np.savez(folder / "other.npz", Z=x)
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in [*made.glob("*.*"), made / "trained" / "model.safetensors"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_trace_prints_one_row_whatever_the_file(here, capsys):
    said = []
    for arguments in (["plain.csv"], ["plain.npz"], ["first.csv", "--target", "y"]):
        assert cli.main(["trace", "plain.safetensors", *arguments]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]
    assert "hidden" in said[0]
    assert cli.main(["trace", "plain.safetensors", "plain.csv", "--row", "1"]) == 0
    assert capsys.readouterr().out != said[0]


def test_trace_explains_a_number(here, capsys):
    x = pl.read_csv("plain.csv").row(0)
    assert cli.main(["trace", "plain.safetensors", "plain.csv", "--explain", "hidden.z[0]"]) == 0
    said = capsys.readouterr().out
    assert float(said.split("=")[-1].replace("−", "-")) == pytest.approx(x[0], rel=1e-3)


def test_trace_of_a_batch_and_pictures(here, capsys):
    for kind in ("network", "forward", "backward"):
        output = f"{kind}.png"
        arguments = ["--rows", "0:8", "--plot", kind, "--output", output]
        assert cli.main(["trace", "plain.safetensors", "plain.csv", *arguments]) == 0
        assert (here / output).read_bytes()[:4] == PNG
        assert f"Written: {output}" in capsys.readouterr().out


def test_a_trained_model_takes_its_table_encoded(here, capsys):
    for command in ("trace", "check-gradients", "blame"):
        assert cli.main([command, "model.safetensors", "shop.csv", "--output", f"{command}.svg"]) == 0
        assert capsys.readouterr().out.strip()
        assert "<svg" in (here / f"{command}.svg").read_text(encoding="utf-8")


def test_extra_columns_are_remarked(here, capsys):
    pl.read_csv("shop.csv").with_columns(extra=1).write_csv("more.csv")
    assert cli.main(["blame", "model.safetensors", "more.csv"]) == 0
    assert "columns not used: extra" in capsys.readouterr().err


def test_blame_names_the_columns(here, capsys):
    assert cli.main(["blame", "model.safetensors", "shop.csv"]) == 0
    assert "town=" in capsys.readouterr().out
    assert cli.main(["blame", "plain.safetensors", "plain.csv"]) == 0
    assert re.search(r"\bq\b", capsys.readouterr().out)


def test_gradients_that_do_not_agree_exit_1(here, capsys, monkeypatch):
    import hillwalker

    whole = hillwalker.check_gradients
    monkeypatch.setattr(hillwalker, "check_gradients", lambda *data: whole(*data, tolerance=1e-30), raising=False)
    assert cli.main(["check-gradients", "plain.safetensors", "plain.npz"]) == 1


def test_the_gradients_of_a_plain_model_pass(here, capsys):
    assert cli.main(["check-gradients", "plain.safetensors", "plain.npz"]) == 0
    assert "hidden" in capsys.readouterr().out


def test_landscape(here, capsys):
    assert cli.main(["landscape", "plain.safetensors", "plain.npz", "--resolution", "7", "--output", "flat.png"]) == 0
    arguments = ["--resolution", "7", "--3d", "--output", "steep.pdf"]
    assert cli.main(["landscape", "plain.safetensors", "plain.npz", *arguments]) == 0
    assert (here / "flat.png").read_bytes()[:4] == PNG
    assert (here / "steep.pdf").read_bytes()[:4] == b"%PDF"


def test_descend(here, capsys):
    arguments = ["--optimizer", "sgd", "adam", "--learning-rate", "0.1", "0.5", "--steps", "10", "--output", "d.png"]
    assert cli.main(["descend", "parabola", "--start", "-3", *arguments]) == 0
    said = capsys.readouterr().out
    for label in ("sgd, rate 0.1", "sgd, rate 0.5", "adam, rate 0.1", "adam, rate 0.5"):
        assert label in said
    assert (here / "d.png").read_bytes()[:4] == PNG
    assert cli.main(["descend", "ravine", "--momentum", "0", "0.8", "--learning-rate", "0.03"]) == 0
    said = capsys.readouterr().out
    assert "sgd, rate 0.03, momentum 0.8" in said


def test_figures(here, capsys):
    assert cli.main(["figures", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(lesson.FIGURES)
    assert cli.main(["figures", "step_size", "derivatives", "--format", "svg", "--output", "out"]) == 0
    assert sorted(path.name for path in (here / "out").glob("*.svg")) == ["derivatives.svg", "step_size.svg"]
    (here / "mine").mkdir()
    (here / "mine" / "notes.txt").write_text("keep")
    assert cli.main(["figures", "step_size", "--output", "mine"]) == 2
    assert cli.main(["figures", "step_siz", "--output", "new"]) == 2
    assert "'step_size'" in capsys.readouterr().err
    assert not (here / "new").exists()


def test_figures_that_are_interrupted_keep_what_is_drawn(here, capsys, monkeypatch):
    whole = lesson.figure

    def figure(name):
        if name == "derivatives":
            raise KeyboardInterrupt
        return whole(name)

    monkeypatch.setattr(lesson, "figure", figure)
    assert cli.main(["figures", "step_size", "derivatives", "--output", "out"]) == 130
    said = capsys.readouterr()
    assert "step_size.png" in said.out
    assert "whole" in said.err


def test_the_quiz_scores_answers(here, capsys):
    answers = ",".join(quiz.make(3).answers)
    assert cli.main(["quiz", "--seed", "3", "--answers", answers, "--output", "q.png"]) == 0
    said = capsys.readouterr().out
    assert "3 of 3 right" in said
    assert said.count("✓") == 3
    assert (here / "q.png").read_bytes()[:4] == PNG
    assert cli.main(["quiz", "--seed", "3", "--answers", "high,low"]) == 2


def test_the_quiz_asks_again_and_takes_a_pipe(here, capsys, monkeypatch):
    answers = " ".join(quiz.make(3).answers)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"what?\n{answers}\n{answers}\n"))
    assert cli.main(["quiz", "--seed", "3", "--rounds", "2", "--output", "q.png"]) == 0
    said = capsys.readouterr().out
    assert "Try: high,low,right" in said
    assert re.search(r"In all \d of 6 right", said)
    assert (here / "q-2.png").exists()
    (here / "q.png").unlink()
    assert cli.main(["quiz", "--seed", "3", "--rounds", "2", "--output", "q.png"]) == 2
    assert "q-2.png, which exists" in capsys.readouterr().err


def test_the_quiz_without_anybody_gives_the_answers(here, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli.main(["quiz"]) == 0
    said = capsys.readouterr().out
    assert "No answers given" in said
    assert "too high" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trace", "absent.safetensors", "plain.csv"], "absent"),
        (["trace", "plain.safetensors", "absent.csv"], "does not exist"),
        (["trace", "plain.safetensors", "absent.npz"], "does not exist"),
        (["trace", "plain.safetensors", "other.npz"], "X"),
        (["trace", "plain.safetensors", "plain.csv", "--row", "60"], "0 to 59"),
        (["trace", "plain.safetensors", "plain.csv", "--rows", "70:80"], "one row or more"),
        (["trace", "plain.safetensors", "plain.csv", "--explain", "hiden.z[0]"], "hiden"),
        (["trace", "plain.safetensors", "plain.csv", "--plot", "forward"], "--output"),
        (["trace", "plain.safetensors", "plain.csv", "--target", "z"], "target"),
        (["trace", "plain.safetensors", "shop.csv"], "not of numbers"),
        (["blame", "model.safetensors", "plain.csv"], "price"),
        (["blame", "model.safetensors", "shop.csv", "--target", "a"], "price"),
        (["blame", "model.safetensors", "shop.csv", "--output", "shop.csv"], "which exists"),
        (["check-gradients", "plain.safetensors", "plain.csv", "--output", "new.gif"], ".svg"),
        (["landscape", "plain.safetensors", "plain.npz", "--resolution", "1"], "resolution"),
        (["landscape", "plain.safetensors", "plain.npz", "--3d"], "--output"),
        (["descend", "parabole"], "parabola"),
        (["descend", "parabola", "--optimizer", "adm"], "adam"),
        (["descend", "ravine", "--start", "1"], "start"),
        (["descend", "ravine", "--steps", "0"], "steps"),
        (["descend", "ravine", "--learning-rate", "-1"], "learning_rate"),
        (["quiz", "--seed", "-1"], "seed"),
        (["quiz", "--rounds", "0"], "rounds"),
        (["figures", "--output", "plain.csv"], "folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_text_and_exit_2(here, capsys, arguments, words):
    before = sorted(path.name for path in here.iterdir())
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert sorted(path.name for path in here.iterdir()) == before


def test_a_reader_that_has_seen_enough_is_no_error(here):
    command = [sys.executable, "-m", "hillwalker.cli", "trace", "plain.safetensors", "plain.csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


def test_a_model_without_a_loss_is_refused(here, capsys):
    model = Sequential([Input((2,)), Dense(1)])
    model.save("bare.safetensors")
    assert cli.main(["trace", "bare.safetensors", "plain.csv"]) == 2
    assert "compile" in capsys.readouterr().err
