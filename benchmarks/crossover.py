"""From what size on does a peer catch up? Two hidden layers of 4 to 1,024 units, at batch 32 and 128, with a picture.

A peer's ratio is the time of its step through that of ours: above 1 we are faster.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import report
from contenders import FASTEST
from race import Race, Track
from tasks import Task

CHECKED_STEPS = 64
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
BATCHES = (32, 128)
CONTENDERS = (*FASTEST, "Keras, JAX, steps_per_execution=32")
# Okabe and Ito's colours, which the colour-blind tell apart; each has a mark of its own as well.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#E69F00", "P"))
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def task(width: int, batch: int) -> Task:
    return Task((20, width, width, 1), batch, 8192 if width <= 128 else 2048)


def measure(given: argparse.Namespace) -> tuple[dict[str, Any], Iterator[Race]]:
    labels, about = report.entrants(CONTENDERS, given.peers)
    return about, races(given, labels)


def races(given: argparse.Namespace, labels: list[str]) -> Iterator[Race]:
    for threads in given.threads:
        with Track(labels, threads) as track:
            for batch in BATCHES:
                for width in given.widths:
                    name = f"20-{width}-{width}-1, batch {batch}"
                    yield track.race(name, task(width, batch), given.rounds, given.seconds, CHECKED_STEPS)


def panels(races: list[Race]) -> dict[tuple[int, int], list[Race]]:
    """Return the races of each number of threads and batch size, by width."""
    groups: dict[tuple[int, int], list[Race]] = {}
    for race in sorted(races, key=lambda race: race.task.widths):
        groups.setdefault((race.threads, race.task.batch_size), []).append(race)
    return dict(sorted(groups.items()))


def curve(group: list[Race], label: str) -> tuple[list[int], list[float]]:
    """Return the widths at which a peer ran, and its ratios."""
    points = [(race.task.widths[1], peer.ratio(race.ours)) for race in group for peer in race.peers
              if peer.label == label]  # fmt: skip
    return [width for width, _ in points], [ratio for _, ratio in points]


def caught_up(group: list[Race], label: str) -> str:
    """Return in words from what width on a peer is never slower than we are."""
    widths, ratios = curve(group, label)
    first = len(ratios)
    while first and ratios[first - 1] <= 1:
        first -= 1
    return f"from {widths[first]:,} on" if first < len(ratios) else f"not up to {widths[-1]:,}"


def draw(races: list[Race], file: Path) -> None:
    """Write the picture: one panel for each number of threads and batch size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = panels(races)
    figure, axes = pyplot.subplots(1, len(groups), figsize=(1 + 4.6 * len(groups), 5.6), sharey=True, squeeze=False)
    for axis, ((threads, batch), group) in zip(axes[0], groups.items(), strict=True):
        for result, (colour, marker) in zip(group[0].results[1:], STYLES, strict=False):
            axis.plot(*curve(group, result.label), color=colour, marker=marker, linewidth=1.8, label=result.label)
        axis.axhline(1, color="black", linewidth=1.4)
        axis.set(xscale="log", yscale="log", title=f"batch {batch}, {report.cores(threads)}")
        axis.set_xlabel("width w of the network 20-w-w-1 (units)")
        widths = [race.task.widths[1] for race in group]
        axis.set_xticks(widths, [str(width) for width in widths], rotation=45)
        axis.grid(color="0.85", linewidth=0.6)
        axis.minorticks_off()
    ratios = [peer.ratio(race.ours) for race in races for peer in race.peers]
    low, high = 0.8 * min(0.8, *ratios), 1.3 * max(ratios)
    first = axes[0][0]
    first.set_ylim(low, high)
    ticks = [tick for tick in TICKS if low < tick < high]
    first.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    first.set_ylabel("time of a step, peer / hillwalker (ratio)")
    for axis in axes[0]:
        axis.axhspan(low, 1, color="0.93", zorder=0)
        axis.text(0.02, 0.97, "below 1 the peer is faster", va="top", transform=axis.get_yaxis_transform())
    figure.suptitle("A peer's training step as a multiple of hillwalker's (relu, Adam, float32)")
    figure.legend(*first.get_legend_handles_labels(), loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.savefig(file, dpi=110)
    print(f"\npicture: {file}")


def show(races: list[Race], given: argparse.Namespace) -> None:
    for (threads, batch), group in panels(races).items():
        peers = [result.label for result in group[0].results[1:]]
        table: report.Rows = [(f"batch {batch}, {report.cores(threads)}", "ours, µs a step", *peers)]
        for race in group:
            ratios = {peer.label: report.three_digits(peer.ratio(race.ours)) for peer in race.peers}
            numbers = [ratios.get(label, "–") for label in peers]
            table.append((race.name.partition(",")[0], report.three_digits(race.ours.median), *numbers))
        table.append(("as fast as ours", "", *(caught_up(group, label) for label in peers)))
        print()
        report.show_table(table, given.markdown)
    if given.picture:
        draw(races, given.picture)


def main() -> None:
    """Measure, print, and write the files asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="hidden layers (default: 4 to 1024)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the ratios to FILE, a PNG")
    report.add_arguments(parser, rounds=3, seconds=0.3)
    report.run_command(parser, measure, show)


if __name__ == "__main__":
    main()
