"""The quiz: answers that the runs bear out, the same for the same seed; answers read as people write them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hillwalker import config, quiz
from hillwalker.errors import InputError


@pytest.mark.parametrize("seed", range(8))
def test_the_runs_bear_out_the_answers(seed):
    made = quiz.make(seed)
    curve = {one.answer: one for one in made.curves}
    assert [one.letter for one in made.curves] == ["A", "B", "C"]
    assert curve["low"].learning_rate < curve["right"].learning_rate < curve["high"].learning_rate
    # The right one ends best; the low one is still falling; the high one goes up again and again.
    assert curve["right"].losses[-1] < min(curve["low"].losses[-1], curve["high"].end)
    assert curve["low"].losses[-1] < curve["low"].losses[-11]
    assert curve["low"].rises <= 5
    assert curve["high"].rises >= 10
    assert np.isfinite(curve["high"].losses).all()


def test_letters_say_nothing():
    orders = {quiz.make(seed).answers for seed in range(30)}
    assert len(orders) == 6


def test_a_seed_makes_the_same_quiz_and_leaves_the_global_seed_alone():
    config.set_random_seed(7)
    expected = config.next_seed()
    config.set_random_seed(7)
    assert quiz.make(3).to_dict() == quiz.make(3).to_dict()
    assert config.next_seed() == expected
    assert quiz.make(3).to_dict() != quiz.make(4).to_dict()


@pytest.mark.parametrize("seed", [-1, 2**32, "x", True, 1.5])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        quiz.make(seed)


def test_scores():
    made = quiz.make(1)
    right = list(made.answers)
    assert made.score(right) == made.score(",".join(right)) == 3
    assert made.score([right[1], right[0], right[2]]) == 1
    assert made.score([right[1], right[2], right[0]]) == 0


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("high,low,right", ["high", "low", "right"]),
        ("  Too High;  just right / TOO LOW ", ["high", "right", "low"]),
        ("l r h", ["low", "right", "high"]),
        ("LRH", ["low", "right", "high"]),
        ("right right right", ["right"] * 3),
    ],
)
def test_answers_are_read_as_people_write_them(text, read):
    assert quiz.read_answers(text) == read


@pytest.mark.parametrize("text", ["", "high,low", "high,low,right,low", "a,b,c", "yes no maybe"])
def test_answers_that_cannot_be_read_are_refused(text):
    with pytest.raises(InputError, match="high,low,right"):
        quiz.read_answers(text)


def test_explanations_hold_the_runs_numbers_and_marks():
    made = quiz.make(1)
    wrong_first = ["high" if made.answers[0] != "high" else "low", *made.answers[1:]]
    lines = made.explain(wrong_first).splitlines()
    assert [line[0] for line in lines] == ["✗", "✓", "✓"]
    for line, curve in zip(made.explain().splitlines(), made.curves, strict=True):
        assert line.startswith(f"{curve.letter} is {quiz.ANSWERS[curve.answer]}")
        assert f"{curve.learning_rate:.2g}" in line
        assert f"{curve.end:.3g}" in line


def test_the_terminal_shows_three_panels_of_one_height_and_no_answer():
    made = quiz.make(1)
    text = repr(made)
    lines = text.splitlines()[3:]
    assert len(lines) == 8
    assert max(map(len, lines)) <= 90
    assert not any(word in text for word in ("too high", "too low", "just right"))


def test_a_panel_draws_heights():
    losses = [1.0, 0.5, 0.0, math.nan]
    rows = list(quiz._panel(losses, 1.0, width=4, height=2))
    assert rows == ["█  █", "██▁█"]  # what is not finite reaches the top, and nothing is ever invisible


def test_records_become_frames_and_pictures():
    made = quiz.make(1)
    frame = made.to_frame()
    assert list(frame.columns) == ["A", "B", "C"]
    assert len(frame) == quiz.EPOCHS
    assert frame["B"].tolist() == made.curves[1].losses
    hidden, told = made.plot(), made.plot(answers=True)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in hidden.axes]
    assert titles == ["A", "B", "C"]
    assert "too" in "".join(axes.get_title(loc="left") + axes.get_title() for axes in told.axes)
