"""A diagnosis as text, picture, page, JSON and frame: what it holds, and that odd curves break none of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hillwalker.choosing.comparison import Comparison
from hillwalker.diagnosis import SYMPTOMS, Changes, Curves, Diagnosis, Finding, RowsCurve
from hillwalker.diagnosis.changes import Gain
from hillwalker.diagnosis.gains import table, telling
from hillwalker.diagnosis.verifying import Experiment, verified
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


def changes(others=({"learning_rate": 0.001},), better=(0.2,), kinds=()):
    """Return a record of a model and changes, each of which ends better by so much on each of three folds."""
    base = 1 + np.arange(3)[:, np.newaxis] / 50 + np.linspace(0, 1e-3, 4)
    curves = np.stack([base, *(base - much for much in better)])[:, np.newaxis]  # variants, seeds, folds, epochs
    shape = curves.shape[:3]
    labels = tuple(", ".join(f"{name}={value}" for name, value in settings.items()) for settings in others)
    comparison = Comparison(
        ("as it is", *labels), ({}, *others), (0,), "val_loss", 0,
        {"loss": curves[..., ::-1], "val_loss": curves}, np.full(shape, 4), np.full(shape, 3),
        np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape), np.zeros(shape), np.zeros(2), 0.25,
    )  # fmt: skip
    return Changes(comparison, np.full(3, 2.0), 0.01, 4, kinds)


def weapons(better=(0.3, 0.1, -0.1)):
    others = ({"dropout": 0.3}, {"l2": 0.01}, {"l2": 0.1})
    return changes(others, better, ("overfitting",) * 3)


ROWS = RowsCurve(np.array([50, 100, 200]), np.array([[0.9, 0.8, 1.0], [0.7, 0.6, 0.8], [0.5, 0.42, 0.6]]), 0.5)


def legend(axes):
    return axes.get_legend_handles_labels()[1]


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
    assert "21.0 % (15.0 to 27.0) of what can be gained" in text
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


def test_of_many_changes_the_most_telling_are_shown_and_where_the_others_are():
    rates = [{"learning_rate": 0.01 * 2.0**power} for power in range(-6, 7) if power]
    tried = changes([*rates, {"epochs": 12}, {"units": (8,)}], [*np.linspace(0.3, -0.3, 12), -0.4, -0.5])
    text = str(diagnosis(experiment=tried))
    rows = text.split("Tried:\n")[1].splitlines()[1:9]
    assert all(row.endswith(("yes", "no")) for row in rows)
    assert "learning_rate=0.000156" in rows[0]
    assert {"stop", "epochs=12", "units=8"} <= {row.split()[0] for row in rows}  # the best of each sort of change
    assert "7 more: diagnosis.experiment.to_frame()" in text
    assert len(tried.to_frame()) == 15
    assert "First remedy" not in text  # which the findings tell
    assert "learning_rate=0.64" not in text
    assert "learning_rate=0.64" in str(tried)  # asked for itself, it shows everything


def test_gains_beyond_all_measure_are_said_in_words():
    gains = [Gain("learning_rate=9", "higher rate", {}, (-12.0, 3.0), (-0.004, 0.0)),
             Gain("learning_rate=1e-05", "lower rate", {}, (10.5, 1.0), (9.99, 0.2))]  # fmt: skip
    lines = table(gains)
    assert "better by far" in lines[1]
    assert "999 ± 20 %" in lines[1]
    assert "worse by far" in lines[2]
    assert "-0.4 ± 0.0 %" in lines[2]
    assert telling(gains, 1) == [gains[1]]
    long = Gain(
        "activation=leaky_relu, kernel_initializer=glorot_uniform, dropout=0.5", "more", {}, *[(-9.99, 9.99)] * 2
    )
    assert max(map(len, table([long, *gains]))) <= 98


def test_where_next_to_nothing_can_be_gained_it_is_said_what_the_percents_are_of():
    assert "100 % is the way from 2 (always predicting the same) to 0.82" in str(changes())
    assert "over a constant prediction" in changes().plot().axes[0].get_xlabel()
    worse = changes(better=(-2.0,))
    worse.__dict__["constants"] = np.ones(3)
    assert "100 % is 2 % of 1 (always predicting the same), since the best seen is 1.02" in str(worse)
    assert "2 % of a constant" in worse.plot().axes[0].get_xlabel()


def test_weapons_are_shown_winner_first_with_what_more_rows_bring():
    made = diagnosis(experiment=changes(), weapons=weapons(), rows=ROWS)
    against = str(made).split("Against overfitting:\n")[1]
    assert against.splitlines()[1].split()[0] == "dropout=0.3"
    assert "Winner against overfitting: dropout=0.3. Code: Dropout(0.3)" in against
    assert "More rows would probably help: from 100 to 200 rows the loss fell by 38.7 ± 1.3 %" in against
    assert max(map(len, str(made).splitlines())) <= 100
    html = made.to_html()
    assert html.count("<img") == 4  # curves, what was tried, weapons, rows
    assert '<tr class="best"><th scope="row">dropout=0.3' in html
    assert "More rows would probably help" in html
    assert "First remedy: callbacks=" in html


def test_weapons_alone_have_a_verdict_of_their_own():
    assert str(weapons()).splitlines()[-1] == "Winner against overfitting: dropout=0.3. Code: Dropout(0.3)"
    assert "nothing that was tried helps by enough to matter" in str(weapons((0.0, -0.1, -0.1)))
    assert weapons().plot().axes[0].get_title(loc="left") == "Against overfitting: what each change brings"


def test_confirmed_remedies_are_ranked_by_what_they_save_at_the_end():
    stop = Gain("stop", "stop", {"stop": 3}, (0.15, 0.05), (0.15, 0.05))
    surer = Gain("learning_rate=0.003", "lower rate", {"learning_rate": 0.003}, (0.12, 0.05), (0.10, 0.02))
    better = Gain("learning_rate=0.001", "lower rate", {"learning_rate": 0.001}, (0.25, 0.05), (0.06, 0.02))
    weapon = Gain("l2=0.01", "overfitting", {"l2": 0.01}, (0.22, 0.05), (-0.1, 0.05))
    tried, armed = changes(), weapons()
    tried.__dict__["gains"], armed.__dict__["gains"] = (surer, stop, better), (weapon, stop)
    read = [Finding("overfitting", "x", 0.9), Finding("learning-rate-too-high", "y", 0.6)]
    told = verified(read, Experiment(tried, armed))
    assert [(one.symptom, one.verified, one.winner) for one in told] == [
        ("learning-rate-too-high", True, better), ("overfitting", True, weapon),
    ]  # fmt: skip
    assert told[0].code == ["model.optimizer.learning_rate = 0.001"]
    assert "brings +25.0 % (15.0 to 35.0) of what can be gained." in told[0].evidence
    assert tried.verdict == "learning-rate-too-high"
    assert tried.remedy == told[0].code[0]


def test_what_helps_only_at_the_end_is_said_with_what_it_brings_where_best_stopped():
    tried = changes()
    tried.__dict__["gains"] = (Gain("learning_rate=0.001", "lower rate", {}, (0.5, 0.05), (0.01, 0.02)),)
    (told,) = verified([Finding("learning-rate-too-high", "y.", 0.6)], Experiment(tried))
    assert told.verified is None
    assert "at the end, but +1.0 % (-3.0 to 5.0) where best stopped." in told.evidence


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([[0.9, 0.8], [0.5, 0.42]], "More rows would probably help"),
        ([[0.5, 0.42], [0.501, 0.419]], "More rows would hardly help"),
        ([[0.9, 0.4], [0.5, 0.5]], "Whether more rows would help cannot be told"),
    ],
)
def test_more_rows_are_told_from_the_last_doubling(losses, said):
    curve = RowsCurve(np.array([50, 100]), np.array(losses), 0.5)
    assert curve.sentence.startswith(said)
    assert curve.sentence in repr(curve)
    (axes,) = curve.plot().axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["50", "100"]
    assert len(axes.get_lines()) == 3
    assert legend(axes) == ["each held-out part", "their mean"]
    assert axes.get_title(loc="left").startswith(said)


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
    assert html.count("<img") == 2
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
