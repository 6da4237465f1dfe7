"""The site: Sphinx reads the Markdown pages as GitHub does, and the docstrings.

Nothing is fetched, neither when it is built nor when it is read.
"""

import re

from latex2mathml.converter import convert

project = "hillwalker"
author = "The hillwalker authors"
copyright = "2026, the hillwalker authors"
html_title = "hillwalker"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

html_theme = "furo"  # its fonts are the reader's own
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_math_renderer = "mathml"
pygments_style, pygments_dark_style = "tango", "monokai"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more about an argument than its type does
autodoc_default_options = {"members": True}


# --- formulas ---------------------------------------------------------------------------------------------------------


def visit_math(translator, node):
    """Write a formula as MathML, which browsers draw themselves: no script, no font to download."""
    from docutils import nodes

    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_displayed_math(translator, node):
    """Write a formula that stands by itself."""
    from docutils import nodes

    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


# --- docstrings -------------------------------------------------------------------------------------------------------


def as_restructured_text(app, what, name, obj, options, lines):
    """Turn a docstring, which is plain text with `code` in it, into what Sphinx reads; only backticks mean anything."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    out = []
    for paragraph in paragraphs:
        if paragraph.startswith((">>>", " ")) or _has_indented_lines(paragraph):
            out += ["::", "", *("    " + line for line in paragraph.split("\n")), ""]
        else:
            pieces = re.split(r"(`[^`]+`)", paragraph)
            text = "".join(_code(piece) if piece.startswith("`") else _escape(piece) for piece in pieces)
            out += [*text.split("\n"), ""]
    lines[:] = out


def _has_indented_lines(paragraph):
    return any(line.startswith(" ") for line in paragraph.split("\n"))


def _code(piece):
    return f"\\ ``{piece.strip('`').strip()}``\\ "


def _escape(text):
    return re.sub(r"([\\*_|`])", r"\\\1", text)


def setup(app):
    """Tell Sphinx of the two."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displayed_math, None))
    app.connect("autodoc-process-docstring", as_restructured_text)
