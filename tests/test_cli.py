"""The command: exit codes, messages without tracebacks, files written once and not over the user's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from hillwalker import cli, demo, jobs


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(120, 2))
    labels = np.array(["no", "yes"])[(x[:, 0] + x[:, 1] > 0).astype(int)]
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "bought": labels}).write_csv("shop.csv")
    return tmp_path


def train(*more: str) -> int:
    return cli.main(["train", "shop.csv", "--target", "bought", "--epochs", "30", "--learning-rate", "0.03", *more])


def test_train_writes_a_folder_and_predict_uses_it(table, capsys):
    assert train() == 0
    said = capsys.readouterr().out
    assert "classification into 2 classes (it is text)" in said
    assert "72 training, 24 validation, 24 test" in said
    folder = table / "hillwalker-shop"
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (folder / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert cli.main(["predict", str(folder / "model.safetensors"), "shop.csv", "--output", "p.csv"]) == 0
    written = pl.read_csv("p.csv")
    assert written.columns == ["predicted_bought", "probability_no", "probability_yes", "bought"]
    assert (written["predicted_bought"] == written["bought"]).mean() > 0.8
    assert "accuracy" in capsys.readouterr().err


def test_predictions_go_to_the_terminal_and_remarks_beside_them(table, capsys):
    train()
    capsys.readouterr()
    pl.read_csv("shop.csv").drop("bought").with_columns(extra=1).write_csv("new.csv")
    assert cli.main(["predict", "hillwalker-shop/model.safetensors", "new.csv"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "predicted_bought,probability_no,probability_yes"
    assert len(said.out.splitlines()) == 121
    assert "columns not used: extra" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "absent.csv", "--target", "y"], "does not exist"),
        (["train", "shop.csv", "--target", "bougt"], "'bought'"),
        (["train", "shop.csv", "--target", "bought", "--epochs", "0"], "epochs 0"),
        (["train", "shop.csv", "--target", "bought", "--output", "."], "did not make"),
        (["predict", "shop.csv", "shop.csv"], "shop.csv"),
        (["predict", "shop.csv", "shop.csv", "--output", "shop.csv"], "which exists"),
        (["demo", "--output", "."], "did not make"),
    ],
)
def test_errors_are_text_and_exit_2(table, capsys, arguments, words):
    before = sorted(path.name for path in table.iterdir())
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert sorted(path.name for path in table.iterdir()) == before


def test_a_folder_of_the_users_is_written_to_only_if_told(table):
    (table / "mine").mkdir()
    (table / "mine" / "notes.txt").write_text("keep")
    assert train("--output", "mine") == 2
    assert train("--output", "mine", "--overwrite") == 0
    assert (table / "mine" / "notes.txt").read_text() == "keep"
    assert train("--output", "mine") == 0  # hillwalker's by now


def test_ctrl_c_exits_130(table, capsys, monkeypatch):
    def interrupt(*_arguments, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train", interrupt)
    assert train() == 130
    assert "before anything was saved" in capsys.readouterr().err


def test_an_interrupted_training_is_saved_and_exits_130(table, monkeypatch):
    whole = jobs.Sequential.fit

    def fit(self, *arguments, **settings):
        history = whole(self, *arguments, **settings)
        return jobs.History(history.epoch, history.history, history.params, interrupted=True)

    monkeypatch.setattr(jobs.Sequential, "fit", fit)
    assert train() == 130
    assert "interrupted after 30 epochs" in (table / "hillwalker-shop" / "report.html").read_text(encoding="utf-8")


def test_the_demo_command_runs_the_demo(table, monkeypatch, capsys):
    monkeypatch.setattr(demo, "run", lambda whole=demo.run: whole(members=1))
    assert cli.main(["demo", "--output", "out"]) == 0
    assert "beats persistence" in capsys.readouterr().out
    assert (table / "out" / "predicted_vs_actual.png").exists()


def test_config_and_help_say_what_there_is(capsys):
    assert cli.main(["config"]) == 0
    assert "floatx      float32" in capsys.readouterr().out
    assert cli.main([]) == 0
    assert "predict" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "shop.csv", "--target", "y", "--hidden", "a,b"])
    assert stop.value.code == 2


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from hillwalker.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'matplotlib', 'polars', 'rich') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "[]"
