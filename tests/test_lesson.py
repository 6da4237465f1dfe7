"""The lesson's figures: all of them drawn, none of them a trace left behind, and the gallery shows each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hillwalker import config, demo, lesson, plots
from hillwalker.errors import InputError
from hillwalker.lesson import data

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(autouse=True)
def _a_quick_demo(monkeypatch):
    monkeypatch.setattr(demo, "EPOCHS", 5)


@pytest.mark.parametrize("name", lesson.FIGURES)
def test_every_figure_is_drawn_named_and_leaves_the_global_seed_alone(name):
    expected = _next_seed()
    figure = lesson.figure(name)
    assert config.next_seed() == expected
    figure.draw_without_rendering()
    drawn = [axes for axes in figure.axes if axes.has_data() or axes.texts or axes.tables]
    assert drawn
    assert figure.get_size_inches().max() <= 16


def _next_seed() -> int:
    config.set_random_seed(11)
    expected = config.next_seed()
    config.set_random_seed(11)
    return expected


def test_captions_are_sentences():
    captions = lesson.figures()
    assert list(captions) == list(lesson.FIGURES)
    for caption in captions.values():
        assert caption[0].isupper()
        assert caption.endswith(".")
        assert len(caption) < 120
    assert len(set(captions.values())) == len(captions)


def test_an_unknown_figure_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="forward_pass"):
        lesson.figure("foward_pass")


def test_the_example_has_the_lessons_numbers():
    model = data.example()
    z = 0.5 * 0.15 + 0.1 * 0.20 + 0.35
    hidden = 1 / (1 + np.exp(-np.array([z, 0.5 * 0.25 + 0.1 * 0.30 + 0.35])))
    prediction = 1 / (1 + np.exp(-(hidden @ [0.40, 0.45] + 0.60)))
    assert z == pytest.approx(0.445)
    np.testing.assert_allclose(model.predict(data.X_ONE, verbose=0), [[prediction]], rtol=1e-6)
    assert model.evaluate(data.X_ONE, data.Y_ONE, verbose=0) == pytest.approx(-np.log(prediction), rel=1e-6)


def test_the_gallery_shows_every_figure_and_every_picture():
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert re.findall(r'hw\.lesson\.figure\("(\w+)"\)', gallery) == list(lesson.FIGURES)
    assert set(re.findall(r"`hw\.plots\.(plot_\w+)", gallery)) == set(plots._PICTURES)
    for name, caption in lesson.figures().items():
        assert caption in gallery
        assert f"pictures/{name}.png)" in gallery


def test_every_picture_of_a_page_is_there_and_small_and_made_by_a_block():
    for page in [*DOCS.glob("lesson/*.md"), DOCS / "gallery.md"]:
        text = page.read_text(encoding="utf-8")
        for described, shown in re.findall(r"!\[(.*?)\]\((.*?)\)", text):
            assert described
            file = page.parent / shown
            assert file.is_file(), f"{page.name} shows {shown}: scripts/docs makes it"
            assert file.stat().st_size < 120_000, f"{shown} has {file.stat().st_size:,} bytes"
            if page.parent.name == "lesson":
                assert f'"{shown}"' in text


def test_the_pages_are_numbered_and_the_index_names_each():
    index = (DOCS / "lesson" / "index.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in DOCS.glob("lesson/[0-9]*.md"))
    assert re.findall(r"\]\((\d\d_\w+\.md)\)", index) == pages
    assert [name[:2] for name in pages] == [f"{number:02}" for number in range(1, len(pages) + 1)]
