"""Logs in files as their writers write them, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hillwalker.diagnosis.logs import read_curves
from hillwalker.errors import FileError, InputError, InputTypeError

NAN, INF = math.nan, math.inf


def same(curve, expected):
    np.testing.assert_allclose(curve, expected, rtol=1e-6)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_keras_csv_of_a_training_that_diverged(tmp_path):
    text = """epoch,loss,mae,val_loss,val_mae
0,952813.125,416.42828369140625,NA,NA
1,inf,inf,nan,nan
2,nan,nan,NA,NA
3,nan,nan,nan,nan
4,nan,nan,NA,NA
"""
    curves = read_curves(write(tmp_path, "training.csv", text))
    assert curves.loss.tolist() == [952813.125, INF, INF, INF, INF]
    assert np.isinf(curves.val_loss).tolist() == [False, True, False, True, False]


# Lightning


LIGHTNING = """epoch,lr-Adam,step,train_loss_epoch,train_loss_step,val_acc,val_loss
,0.001,0,,,,
0,,49,,0.61,,
0,,93,,,0.71,0.55
0,,93,0.66,,,
,0.0005,94,,,,
1,,99,,0.44,,
1,,187,,,0.78,0.48
1,,187,0.47,,,
,0.00025,188,,,,
2,,199,,0.41,,
"""


@pytest.mark.parametrize("as_frame", [False, True])
def test_lightnings_metrics_have_one_value_an_epoch(tmp_path, as_frame):
    path = write(tmp_path, "version_0/metrics.csv", LIGHTNING)
    curves = read_curves(pd.read_csv(path) if as_frame else path.parent)
    same(curves.loss, [0.66, 0.47])  # the third epoch is under way
    same(curves.val_loss, [0.55, 0.48])
    same(curves.learning_rate, [0.001, 0.0005])
    same(curves.metrics["val_acc"], [0.71, 0.78])
    same(curves.metrics["train_loss_step"], [0.61, 0.44])


def test_a_test_after_training_and_one_epoch_of_steps(tmp_path):
    tested = LIGHTNING.replace("val_loss", "test_loss").replace(",0.55\n", ",\n").replace("0.48", "")
    curves = read_curves(write(tmp_path, "metrics.csv", tested + "2,,200,,,,0.5\n"))
    assert curves.val_loss is None
    same(curves.loss, [0.66, 0.47])
    short = read_curves(write(tmp_path, "metrics.csv", "train_loss,step,epoch\n0.07,49,0\n0.04,99,0\n"))
    assert (short.epochs.tolist(), short.loss.tolist()) == ([49, 99], [0.07, 0.04])


# plain columns


@pytest.mark.parametrize(
    "text",
    [
        "train,validation\n0.9,1.0\n0.5,0.7\n",
        "0.9,1.0\n0.5,0.7\n",
        "0.9 1.0\n0.5 0.7\n",
        "# train validation\n0.9 1.0\n0.5 0.7\n",
        "0.9\t1.0\n0.5\t0.7",
        "loss;val_loss\n0,9;1,0\n0,5;7e-1\n",
        "\ufeffTrain Loss; Validation Loss\r\n0,9; 1,0\r\n\r\n0,5; 0,7\r\n",
        "epoch|loss|val_loss|note\n0|0.9|1.0|first\n1|0.5|0.7|second\n",
        "0,0.9,1.0\n1,0.5,0.7\n",
        ",loss,val_loss\n0,0.9,1.0\n1,0.5,0.7\n",
        "epoch,loss,val_loss\n0,0.9,1.0\n1,0.5,0.7\n2,0.",  # a line cut short
    ],
)
def test_plain_columns(tmp_path, text):
    curves = read_curves(write(tmp_path, "log.txt", text))
    assert (curves.loss.tolist(), curves.val_loss.tolist()) == ([0.9, 0.5], [1.0, 0.7])
    assert curves.epochs.tolist() == [0, 1]
    assert curves.metrics == {}


def test_utf_16(tmp_path):
    (tmp_path / "log.csv").write_bytes("epoch,loss\r\n0,0.9\r\n1,0.5\r\n".encode("utf-16"))
    assert read_curves(tmp_path / "log.csv").loss.tolist() == [0.9, 0.5]


def test_one_column_is_the_training_loss(tmp_path):
    for text in ("0.9\n0.5\n", "train loss\n0.9\n0.5\n"):
        assert read_curves(write(tmp_path, "log.txt", text)).loss.tolist() == [0.9, 0.5]


def test_validation_every_fifth_epoch_lies_where_the_epochs_say(tmp_path):
    lines = [f"{epoch},{1 / epoch},{2 / epoch if epoch % 5 == 1 else ''}" for epoch in range(1, 11)]
    curves = read_curves(write(tmp_path, "log.csv", "\n".join(["epoch,loss,val_loss", *lines, ""])))
    assert np.flatnonzero(~np.isnan(curves.val_loss)).tolist() == [0, 5]
    spaced = read_curves({"loss": np.arange(10.0), "val_loss": [5.0, 4.0]})
    assert np.flatnonzero(~np.isnan(spaced.val_loss)).tolist() == [4, 9]
    with pytest.raises(InputError, match=r"with 4 values of 'val_loss' and 10 of 'loss'"):
        read_curves({"loss": np.arange(10.0), "val_loss": [5.0, 4.0, 3.0, 2.0]})


# Hugging Face and JSON lines

HUGGING_FACE = [
    {"epoch": 0.5, "grad_norm": 1.1, "learning_rate": 5e-5, "loss": 0.9, "step": 50},
    {"epoch": 1.0, "grad_norm": 1.0, "learning_rate": 4e-5, "loss": 0.7, "step": 100},
    {"epoch": 1.0, "eval_accuracy": 0.8, "eval_loss": 0.75, "eval_runtime": 1.5, "step": 100},
    {"epoch": 1.5, "grad_norm": 1.0, "learning_rate": 3e-5, "loss": 0.6, "step": 150},
    {"epoch": 2.0, "grad_norm": 0.9, "learning_rate": 2e-5, "loss": 0.5, "step": 200},
    {"epoch": 2.0, "eval_accuracy": 0.9, "eval_loss": 0.6, "eval_runtime": 1.5, "step": 200},
    {"epoch": 2.5, "grad_norm": 0.9, "learning_rate": 1e-5, "loss": 0.4, "step": 250},
    {"epoch": 3.0, "eval_accuracy": 0.9, "eval_loss": 0.65, "eval_runtime": 1.5, "step": 300},
    {"epoch": 3.0, "step": 300, "total_flos": 1e9, "train_loss": 0.62, "train_runtime": 60.0},
]


def test_hugging_faces_trainer_state(tmp_path):
    path = write(tmp_path, "trainer_state.json", json.dumps({"epoch": 3.0, "log_history": HUGGING_FACE}, indent=2))
    lines = write(tmp_path, "log.jsonl", "\n".join(map(json.dumps, HUGGING_FACE)) + '\n{"epoch": 3.5, "lo')
    for source in (path, lines, HUGGING_FACE):
        curves = read_curves(source)
        assert curves.epochs.tolist() == [1, 2, 3]
        assert curves.loss.tolist() == [0.7, 0.5, 0.4]
        assert curves.val_loss.tolist() == [0.75, 0.6, 0.65]
    short = read_curves(HUGGING_FACE[:6])
    assert short.source == "a list, by step"
    assert short.epochs.tolist() == [50, 100, 150, 200]
    same(short.val_loss, [NAN, 0.75, NAN, 0.6])


def test_json_of_lists(tmp_path):
    path = write(tmp_path, "log.json", '{"loss": [1.0, NaN], "val_loss": [1.0, Infinity]}')
    assert read_curves(path).loss.tolist() == [1.0, INF]
    assert read_curves(write(tmp_path, "list.json", "[3, 2, 1]")).loss.tolist() == [3, 2, 1]


# what cannot be read


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("log.csv", "", "which is empty"),
        ("log.csv", "  \n\n", "which is empty"),
        ("log.csv", "epoch,loss,val_loss\n", "without a single value"),
        ("log.csv", "epoch,loss\n0,0.5\n", "with one epoch"),
        ("log.csv", "epoch,loss\n0,0.5\n1,\n", "with one epoch"),
        ("log.csv", "epoch,loss\n0,0.5\n1,low\n", r"log.csv, 'loss', row 2: 'low'"),
        ("log.csv", "epoch,loss\n0,\"tensor(0.5, device='cuda:0')\"\n1,0.4\n", r"loss.item\(\)"),
        ("log.csv", "epoch,loss\n1/9,0.5\n2/9,0.4\n", r"'epoch', row 1: '1/9'"),
        ("log.csv", "epoch,loss\n0,0.5\n1,0.4,7\n", "row 2 has 3 cells"),
        ("log.csv", "loss,loss\n0,0.5\n1,0.4\n", "two columns 'loss'"),
        ("log.csv", "0.1,0.2,0.3,0.4\n0.1,0.2,0.3,0.4\n", "without a header and with 4 columns"),
        ("log.csv", "epoch,loss\n0,1\n1,.9\nepoch,loss\n0,1\n1,.9\n", "goes from 1 back to 0 in row 3"),
        ("log.csv", "step,loss\n10,1\n20,.9\n5,.9\n", "step goes back in row 3"),
        ("log.json", '{"loss": [1, 2', "no JSON"),
        ("log.jsonl", '{"loss": 1}\n{"loss" 2}\n{"loss": 1}\n', "line 2 is no JSON"),
        ("log.json", '{"loss": 1}', "a list, one value an epoch"),
        ("log.json", "[]", "a list of losses"),
        ("log.json", "[" * 100_000, "nested too deep|no JSON"),
        ("log.json", '{"epoch": [1, 2], "loss": [4, 3, 2, 1]}', "2 values of 'epoch' and 4 of 'loss'"),
        ("log.parquet", "PAR1", "polars.read_parquet"),
        ("history.pkl", "\0pickled", "nothing is unpickled"),
    ],
)
def test_files_that_cannot_be_read_are_told(tmp_path, name, text, says):
    with pytest.raises((InputError, FileError, InputTypeError), match=says):
        read_curves(write(tmp_path, name, text))


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        read_curves(tmp_path / "none.csv")
    with pytest.raises(FileError, match="with these logs: none"):
        read_curves(tmp_path)
    write(tmp_path, "a.csv", "")
    write(tmp_path, "b.csv", "")
    with pytest.raises(FileError, match=r"with these logs: a\.csv, b\.csv(.|\n)*hw\.diagnose\(.*a\.csv"):
        read_curves(tmp_path)
