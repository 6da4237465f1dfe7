"""A diagnosis as text, picture, page, JSON and frame: what it holds, and that odd curves break none of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hillwalker.choosing.comparison import Comparison
from hillwalker.diagnosis import SYMPTOMS, Changes, Curves, Diagnosis, Finding
from hillwalker.diagnosis_page import write_diagnosis
from hillwalker.errors import FileError, InputError

EPOCHS = np.arange(60)
LOSS = 0.2 + 0.8 * np.exp(-EPOCHS / 9)
VAL_LOSS = 0.42 + 0.6 * np.exp(-EPOCHS / 7) + 0.006 * np.maximum(EPOCHS - 17, 0)
CODE = 'callbacks=[EarlyStopping(monitor="val_loss", patience=12, restore_best_weights=True)]'
OVERFITTING = Finding(
    "overfitting", "The validation loss is lowest at epoch 22 and 49 % above it < the end.", 0.93, 22,
    f"Stop early; dropout, L2 or fewer units.\n{CODE}", True, {"rise": float("nan")}, (0.21, 0.15, 0.27),
)  # fmt: skip
NOISY = Finding("noisy-validation", "80 rows tell little.", 0.34, 40)
SMALL = Finding("batch-too-small", "Mostly noise.", 0.08)


def diagnosis(findings=(OVERFITTING, NOISY, SMALL), loss=LOSS, val_loss=VAL_LOSS, **more):
    count = 60 if loss is None and val_loss is None else len(val_loss if loss is None else loss)
    return Diagnosis(list(findings), Curves(np.arange(count), loss, val_loss, source="run.csv"), 0.05, **more)


def changes():
    """Return a record of a model and one lower rate, which ends better on each of three folds."""
    base = 1 + np.arange(3)[:, np.newaxis] / 50 + np.zeros((1, 3, 4))
    curves = np.stack([base, base - 0.2])  # variants, seeds, folds, epochs
    shape = curves.shape[:3]
    comparison = Comparison(
        ("as it is", "lower"), ({}, {"learning_rate": 0.001}), (0,), "val_loss", 0,
        {"loss": curves, "val_loss": curves}, np.full(shape, 4), np.full(shape, 3),
        np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape), np.zeros(shape), np.zeros(2), 0.25,
    )  # fmt: skip
    return Changes(comparison, np.full(3, 2.0), 0.01, 4)


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# Text


def test_the_text_says_the_verdict_first_then_evidence_remedy_code_and_page():
    text = str(diagnosis(notes=("A note.",)))
    assert text.startswith("Verdict: overfitting (93 %, confirmed by experiment): the training loss went on falling")
    order = [
        "1. overfitting",
        "evidence",
        "remedy",
        CODE,
        "lesson/11_diagnosing",
        "2. noisy",
        "Unlikely: batch",
        "A note.",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "21.0 % of what can be gained" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_catalogues_remedy_stands_where_a_finding_has_none():
    assert "More validation rows, or cross-validation." in str(diagnosis())
    assert NOISY.code == []
    assert OVERFITTING.code == [CODE]
    assert CODE in str(OVERFITTING)


@pytest.mark.parametrize("name", SYMPTOMS)
def test_every_symptom_can_be_told_in_100_columns(name):
    about = SYMPTOMS[name]
    found = Finding(name, "Evidence. " * 30, 0.6, 3, f"{about.remedy}\n{about.line.replace('{patience}', '10')}", False)
    made = diagnosis([found], experiment=changes())
    assert max(map(len, str(made).splitlines())) <= 100
    assert made.verdict == name
    assert about.remedy in found.to_dict()["remedy"]


def test_a_healthy_one_says_so():
    made = diagnosis([SMALL])
    assert made.verdict == "healthy"
    assert made.first is None
    assert str(made).startswith("Verdict: healthy (5 %): nothing")


# Picture


def test_the_picture_marks_evidence_best_epoch_and_constants():
    curves, bars = diagnosis(constant_loss=(1.0, 1.2)).plot().axes
    said = [text.get_text() for text in curves.texts]
    assert {"overfitting, epoch 22", "noisy-validation, epoch 40"} <= set(said)
    assert "batch-too-small" not in " ".join(said)
    best = int(np.argmin(VAL_LOSS))
    assert legend(curves) == [
        "training", "validation", f"best validation: {VAL_LOSS[best]:.4g} at epoch {best}",
        "constant prediction, training: 1", "constant prediction, validation: 1.2",
    ]  # fmt: skip
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert names == ["overfitting", "noisy-validation", "batch-too-small", "healthy"]
    assert [label.get_fontweight() for label in bars.get_yticklabels()] == ["bold", "normal", "normal", "normal"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([93, 34, 8, 5])


def test_constants_that_are_nearly_the_same_are_one_line():
    curves, _ = diagnosis(constant_loss=(1.0, 1.01)).plot().axes
    assert legend(curves)[-1] == "constant prediction: 1.01"


def test_the_experiment_is_drawn_and_gives_the_constant():
    curves, _, gains = diagnosis(experiment=changes()).plot().axes
    assert "constant prediction, validation: 2" in legend(curves)
    assert gains.get_title(loc="left") == "What each change brings"


def test_a_loss_that_diverges_has_powers_of_ten_and_shaded_ground():
    loss = np.r_[1.0, 30.0, 4e5, np.inf, np.inf]
    curves, _ = diagnosis([Finding("diverged", "x", 0.99, 3)], loss, None).plot().axes
    assert curves.get_yscale() == "log"
    assert "not finite from epoch 3 on" in legend(curves)


def test_epochs_without_validation_are_joined_over_and_are_no_divergence():
    sparse = np.where(EPOCHS % 5 == 4, VAL_LOSS, np.nan)
    sparse[-1] = np.nan
    curves, _ = diagnosis(val_loss=sparse).plot().axes
    lines = {line.get_label(): line for line in curves.get_lines()}
    assert len(lines["validation"].get_xdata()) == 11
    assert not [name for name in legend(curves) if "not finite" in name]


@pytest.mark.parametrize(
    ("loss", "val_loss"),
    [
        (None, None), (np.array([0.5]), np.array([0.6])), (np.array([0.5]), None), (None, VAL_LOSS),
        (np.full(4, np.inf), np.full(4, np.nan)), (np.zeros(3), None), (np.array([]), None),
        (np.geomspace(1, 1e-3, 10_000), None), (-LOSS, -VAL_LOSS), (np.r_[1.0, np.nan], None),
    ],
)  # fmt: skip
def test_odd_curves_are_drawn_and_written(tmp_path, loss, val_loss):
    made = diagnosis(loss=loss, val_loss=val_loss, constant_loss=(None, 0.0))
    assert made.save(tmp_path / "a.png").stat().st_size > 1000
    json.loads(made.save(tmp_path / "a.json").read_text())
    assert "<img" in made.to_html()


# Page, JSON, frame


def test_the_page_stands_alone_and_escapes():
    html = diagnosis(experiment=changes(), notes=("Not <known>.",)).to_html()
    assert 'src="http' not in html
    assert html.count("<img") == 1
    assert f"<pre><code>{CODE.replace(chr(34), '&quot;')}</code></pre>" in html
    assert "&lt; the end" in html
    assert "Not &lt;known&gt;." in html
    assert "What was tried" in html
    assert "learning_rate=0.001" in html


def test_a_notebook_gets_a_fragment_without_pictures():
    html = diagnosis()._repr_html_()
    assert html.startswith("<p>Verdict: overfitting")
    assert "<html" not in html
    assert "<img" not in html


def test_json_holds_everything_and_no_nan(tmp_path):
    made = diagnosis(loss=np.r_[LOSS[:-1], np.inf], experiment=changes(), constant_loss=(float("nan"), 1.0))
    read = json.loads(made.save(tmp_path / "a.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert read == made.to_dict()
    assert read["curves"]["loss"][-1] is None
    assert read["constant_loss"] == [None, 1.0]
    assert read["findings"][0]["code"] == [CODE]
    assert read["findings"][0]["numbers"] == {"rise": None}
    assert read["experiment"]["gains"]


def test_the_frame_has_a_row_a_finding():
    frame = diagnosis().to_frame()
    assert list(frame["symptom"]) == ["overfitting", "noisy-validation", "batch-too-small"]
    assert list(frame["code"]) == [CODE, "", ""]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.html, \.json, \.png"):
        diagnosis().save(tmp_path / "report.txt")


def test_a_folder_gets_page_json_and_picture_and_nothing_is_overwritten(tmp_path):
    files = write_diagnosis(diagnosis(), tmp_path / "out")
    assert [path.name for path in files] == ["report.html", "report.json", "diagnosis.png"]
    assert all(path.stat().st_size > 500 for path in files)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="did not make"):
        write_diagnosis(diagnosis(), tmp_path / "mine")
