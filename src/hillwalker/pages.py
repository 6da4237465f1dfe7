"""A record in, one HTML file out: it needs no network, no script and no other file, on paper, in light and in dark.

Nothing is computed here; all text is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #595959; --paper: #ffffff; --line: #d8d8d8; --mark: #f3f6f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --soft: #a9a9a9; --paper: #17191c; --line: #3a3d42; --mark: #22262b; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 52rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
p { margin: .6rem 0; }
.verdict { font-size: 1.08rem; background: var(--mark); border-left: 4px solid #0072b2; padding: .7rem 1rem;
           margin: 1.2rem 0; }
.verdict p { margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .32rem 1.1rem .32rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; }
.facts th { color: var(--soft); vertical-align: top; padding-right: 1.6rem; }
.facts td { text-align: left; }
tr.best th, tr.best td { font-weight: 600; }
pre { background: var(--mark); padding: .6rem 1rem; overflow-x: auto; font-size: .92rem; border-radius: 4px; }
figure { margin: 1rem 0; }
figure img { width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
figcaption, footer { color: var(--soft); font-size: .92rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .6rem; }
/* On a phone a picture keeps a size at which its text can be read, and scrolls. */
@media screen and (max-width: 40rem) {
  figure { overflow-x: auto; }
  figure img { width: 46rem; max-width: none; }
}
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


def text_of(text: str) -> str:
    """Return text as HTML: escaped, and a number kept on one line with its percent sign."""
    return escape(text).replace(" %", "&nbsp;%")


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column names the row; `best` is the number of the row to stress."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    best: int | None = None

    def html(self) -> str:
        """Return the table as HTML."""
        head = "".join(f'<th scope="col">{text_of(cell)}</th>' for cell in self.header)
        body = []
        for number, (first, *others) in enumerate(self.rows):
            cells = f'<th scope="row">{text_of(first)}</th>' + "".join(f"<td>{text_of(cell)}</td>" for cell in others)
            row_class = ' class="best"' if number == self.best else ""
            body.append(f"<tr{row_class}>{cells}</tr>")
        caption = f"<caption>{text_of(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
        )

    def text(self) -> str:
        """Return the table as aligned lines for a terminal.

        >>> print(Table(["", "rmse"], [["network", "0.88"], ["mean", "1.20"]]).text())
                 rmse
        network  0.88
        mean     1.20
        """
        rows = [list(self.header), *map(list, self.rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.header))]
        lines = []
        for first, *others in rows:
            cells = [first.ljust(widths[0])] + [
                cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


@dataclass(frozen=True)
class Facts:
    """Pairs of a word and what it stands for; an empty word continues the one before."""

    pairs: Sequence[tuple[str, str]]

    def html(self) -> str:
        """Return the pairs as an HTML table without a header."""
        rows = (f'<tr><th scope="row">{text_of(word)}</th><td>{text_of(text)}</td></tr>' for word, text in self.pairs)
        return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'

    def text(self) -> str:
        """Return the pairs as aligned lines for a terminal.

        >>> print(Facts([("Rows", "150"), ("Target", "species")]).text())
        Rows    150
        Target  species
        """
        width = max(len(word) for word, _ in self.pairs)
        return "\n".join(f"{word:<{width}}  {text}" for word, text in self.pairs)


@dataclass(frozen=True)
class Code:
    """Lines of code, shown as they are."""

    lines: Sequence[str]

    def html(self) -> str:
        """Return the lines as HTML.

        >>> Code(["x < 1"]).html()
        '<pre><code>x &lt; 1</code></pre>'
        """
        return f"<pre><code>{escape(chr(10).join(self.lines))}</code></pre>"


@dataclass(frozen=True)
class Picture:
    """A PNG, what it shows in words for those who cannot see it, and a caption."""

    png: bytes
    alt: str
    caption: str = ""

    def html(self) -> str:
        """Return the picture as HTML that holds the image itself."""
        image = base64.b64encode(self.png).decode("ascii")
        caption = f"<figcaption>{text_of(self.caption)}</figcaption>" if self.caption else ""
        return f'<figure><img alt="{escape(self.alt)}" src="data:image/png;base64,{image}">{caption}</figure>'


@dataclass(frozen=True)
class Section:
    """A heading, and under it paragraphs (text), tables, facts, code and pictures in the order given."""

    heading: str
    parts: Sequence[str | Table | Facts | Code | Picture]

    def html(self) -> str:
        """Return the section as HTML."""
        parts = [f"<p>{text_of(part)}</p>" if isinstance(part, str) else part.html() for part in self.parts]
        return f"<section><h2>{text_of(self.heading)}</h2>{''.join(parts)}</section>"


@dataclass(frozen=True)
class Page:
    """A report: title, one line on what was done, the verdict in sentences, sections, and where it came from."""

    title: str
    subtitle: str
    verdict: Sequence[str]
    sections: Sequence[Section]
    footer: str = ""


def render(page: Page) -> str:
    """Return a page as one HTML document.

    >>> html = render(Page("Is <it> good?", "A test.", ["Yes."], [Section("Why", ["Because 2 > 1."])]))
    >>> "<h1>Is &lt;it&gt; good?</h1>" in html, "Because 2 &gt; 1." in html
    (True, True)
    """
    verdict = "".join(f"<p>{text_of(sentence)}</p>" for sentence in page.verdict)
    sections = "\n".join(section.html() for section in page.sections)
    footer = f"<footer>{text_of(page.footer)}</footer>" if page.footer else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text_of(page.title)}</title><style>{STYLE}</style></head>\n<body><main><h1>{text_of(page.title)}</h1>"
        f'<p>{text_of(page.subtitle)}</p><div class="verdict">{verdict}</div>\n'
        f"{sections}</main>{footer}</body></html>\n"
    )
