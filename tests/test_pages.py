"""Pages: one file that stands alone, and in which the user's text stays text."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from hillwalker.pages import Page, Picture, Section, Table, render

PAGE = Page(
    "<script>alert(1)</script>",
    "A & B",
    ["It is <b>good</b>."],
    [
        Section("x > 1", ["a paragraph", Table(["", "RMSE"], [['"net"', "1"], ["mean", "2"]], "cap", best=0)]),
        Section("picture", [Picture(b"\x89PNG", 'alt "text" <here>', "cap & tion")]),
    ],
    "end",
)


class Outline(HTMLParser):
    """Collects tags and attributes, and checks that every tag that opens closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_escapes_what_it_is_given():
    outline = Outline()
    html = render(PAGE)
    outline.feed(html)
    assert outline.open == []
    tags = [tag for tag, _ in outline.tags]
    assert "script" not in tags
    assert "b" not in tags
    assert "&lt;script&gt;" in html


def test_the_page_fetches_nothing():
    html = render(PAGE)
    assert not re.search(r"https?://|@import|url\(|<link", html)
    image = next(attributes for tag, attributes in (lambda o: (o.feed(html), o.tags)[1])(Outline()) if tag == "img")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == b"\x89PNG"
    assert image["alt"] == 'alt "text" <here>'


def test_the_best_row_is_marked_and_only_that():
    html = render(PAGE)
    assert html.count('class="best"') == 1
    assert '<tr class="best"><th scope="row">&quot;net&quot;</th>' in html
