"""Situations whose faults are known, as one file: what readers may see, and what was wrong.

    scripts/bench diagnosis/situations drawn.jsonl development.jsonl judging.jsonl

writes `situations.npz` beside this file, which `judged.py` and `train_reader.py` read like the files that
`ground_truth.py` wrote. Arrays: `loss`, `val_loss`, the curves one after another (infinite where training failed);
`ends`, where each ends; `situation`, to which it belongs; `told`, all else of each situation as a line of JSON, `part`
among it ("drawn", "development", "judging").
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

PUBLISHED = Path(__file__).with_name("situations.npz")


def lines_of(path: Path, part: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the situations of a file, of one part where it is named."""
    lines = _published(path) if path.suffix == ".npz" else (json.loads(text) for text in path.open())
    for line in lines:
        if part is None or line.get("part", part) == part:
            yield line


def _published(path: Path) -> Iterator[dict[str, Any]]:
    with np.load(path) as file:
        loss, validation, ends, place, told = (file[n] for n in ("loss", "val_loss", "ends", "situation", "told"))
    starts = np.concatenate([[0], ends[:-1]])
    for number, text in enumerate(told):
        curves = [
            {"loss": loss[a:b].tolist(), "val_loss": validation[a:b].tolist()}
            for a, b in zip(starts[place == number], ends[place == number], strict=True)
        ]
        yield {**json.loads(str(text)), "curves": curves}


def publish(lines: Iterable[dict[str, Any]], path: Path) -> int:
    """Write situations to a file, and return how many; those whose curves are empty are left out."""
    losses, validations, ends, place, told = [], [], [], [], []
    end = 0
    for line in lines:
        curves = [one for one in line["curves"] if one.get("loss") and one.get("val_loss")]
        if len(curves) < len(line["curves"]):
            continue
        for one in curves:
            pair = [
                np.array([np.nan if v is None else v for v in one[name]], np.float32) for name in ("loss", "val_loss")
            ]
            loss, validation = (np.where(np.isfinite(values), _rounded(values), np.inf) for values in pair)
            losses.append(loss)
            validations.append(validation)
            end += len(loss)
            ends.append(end)
            place.append(len(told))
        told.append(json.dumps({name: _short(value) for name, value in line.items() if name != "curves"}))
    np.savez_compressed(
        path, loss=np.concatenate(losses).astype(np.float32), val_loss=np.concatenate(validations).astype(np.float32),
        ends=np.array(ends), situation=np.array(place), told=np.array(told),
    )  # fmt: skip
    return len(told)


def _rounded(values: Any) -> Any:
    """Return numbers with 10 bits of their fraction: enough for a curve, and half the file."""
    return (np.asarray(values, np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for part in ("drawn", "development", "judging"):
        parser.add_argument(part, type=Path, help="a file that ground_truth.py wrote")
    parser.add_argument("--out", type=Path, default=PUBLISHED)
    given = parser.parse_args()
    lines = (
        {**line, "part": part}
        for part in ("drawn", "development", "judging")
        for line in lines_of(getattr(given, part))
    )
    print(f"{publish(lines, given.out)} situations, {given.out.stat().st_size / 1e6:.1f} MB: {given.out}")


if __name__ == "__main__":
    main()
