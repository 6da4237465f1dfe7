"""Run the Python blocks of the pages, each page in its own folder, where its pictures are then written.

Arguments: pages; by default all. What a block prints replaces the ```text block right below it, if there is one. The
pictures are reduced to 256 colours, which no eye tells apart here and which take a third of the room.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from pathlib import Path

from PIL import Image
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

DOCS = Path(__file__).resolve().parent
PRINTED = re.compile(r"(?:```)?\n\n```text\n(.*?)```", re.DOTALL)


def run(page: Path) -> None:
    """Run the blocks of one page, one after another in one namespace; write what they print and draw."""
    os.chdir(page.parent)
    before = drawn_when(page.parent)
    text = page.read_text(encoding="utf-8")
    pieces, written = [], 0
    for example in Sybil(parsers=[PythonCodeBlockParser(future_imports=["annotations"])]).parse(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            example.evaluate()
        if shown := PRINTED.match(text, example.region.end):
            pieces += [
                text[written : shown.start(1)],
                "\n".join(map(str.rstrip, printed.getvalue().splitlines())),
                "\n",
            ]
            written = shown.end(1)
    if pieces:
        page.write_text("".join([*pieces, text[written:]]), encoding="utf-8")
    for picture, when in drawn_when(page.parent).items():
        if before.get(picture) != when:
            few = Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE)
            few.save(picture, optimize=True)


def drawn_when(folder: Path) -> dict[Path, int]:
    """Return when each picture in a folder was last written."""
    return {picture: picture.stat().st_mtime_ns for picture in folder.glob("**/*.png")}


if __name__ == "__main__":
    pages = [Path(name).resolve() for name in sys.argv[1:]] or sorted(DOCS.glob("**/*.md"))
    for page in pages:
        started = time.perf_counter()
        run(page)
        print(f"{page.relative_to(DOCS)}: {time.perf_counter() - started:.1f} s", flush=True)
