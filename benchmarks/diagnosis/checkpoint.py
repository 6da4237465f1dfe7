"""The lesson's checkpoint: three curves of one task, matched with "too high", "too low" and "right".

    scripts/bench diagnosis/checkpoint --draws 1000

Each draw is a fresh task and three fresh trainings (`hillwalker quiz`); the answers come from a grid of rates trained
beside them. The seeds from 0 on are for tuning what matches, those from 100,000 on for judging it.
"""

from __future__ import annotations

import argparse
from collections import Counter

from hillwalker import quiz
from hillwalker.diagnosis import match_learning_rates

FIRST = {"tuning": 0, "judging": 100_000}


def main() -> None:
    """Draw, match, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--part", choices=tuple(FIRST), default="judging")
    given = parser.parse_args()
    whole, mistaken = 0, Counter[tuple[str, str]]()
    for number in range(given.draws):
        asked = quiz.make(seed=FIRST[given.part] + number)
        said = match_learning_rates([curve.losses for curve in asked.curves])
        whole += tuple(said) == asked.answers
        mistaken.update((true, one) for true, one in zip(asked.answers, said, strict=True) if true != one)
    print(f"{whole} of {given.draws} draws matched whole ({whole / given.draws:.1%}); mistaken: {dict(mistaken)}")


if __name__ == "__main__":
    main()
