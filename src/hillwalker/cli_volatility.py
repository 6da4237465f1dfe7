"""`hillwalker volatility`: prices in; walk-forward forecasts, baselines, tests, a report, and the proof of no leak.

Exit code 1 of `--prove` means that the future leaks. Imports a room when the command is called, as `cli.py` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from hillwalker.errors import InputError, explain

if TYPE_CHECKING:
    from hillwalker.finance import Prices

WHAT = "forecast volatility, walk-forward, beside what it has to beat; write a report"
FOLDER = "hillwalker-volatility"
OF_A_STUDY = ("refits", "models", "seeds", "alone", "output", "overwrite", "json", "length", "first")


def add(commands: Any) -> None:
    """Add the command to those of `hillwalker`."""
    parser: argparse.ArgumentParser = commands.add_parser("volatility", help=WHAT, description=WHAT)
    parser.add_argument("files", metavar="PRICES", nargs="*",
                        help="CSV or Parquet files with open, high, low, close and volume (default: the S&P 500 as "
                        "shipped with the package arch)")  # fmt: skip
    parser.add_argument("--ticker", metavar="NAME", nargs="+", help="which series of a file that holds several")
    parser.add_argument("--splits", choices=("refuse", "adjust", "keep"), default="refuse",
                        help="what to do with jumps that look like splits (default: refuse)")  # fmt: skip
    parser.add_argument("--horizon", type=int, default=1, metavar="DAYS", help="days ahead (default: 1)")
    parser.add_argument("--proxy", default="parkinson", metavar="NAME",
                        help="how a day's variance is measured (default: parkinson, from high and low)")  # fmt: skip
    parser.add_argument("--refits", metavar="DAYS", help="daily, weekly, monthly, quarterly, yearly or a number")
    parser.add_argument("--first", type=int, metavar="DAYS", help="to learn from before the first forecast")
    parser.add_argument("--length", type=int, metavar="DAYS", help="to learn from at most (default: all of the past)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="baselines and network (default: all)")
    parser.add_argument("--seeds", type=int, metavar="N", help="networks that are averaged (default: 20)")
    parser.add_argument("--alone", action="store_true", help="also the network without its line")
    parser.add_argument("--threads", type=int, metavar="N", help="trainings at a time (default: all cores)")
    parser.add_argument("--prove", action="store_true", help="corrupt the future and see that no forecast changes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--output", metavar="FOLDER", help=f"of the report (default: {FOLDER})")
    parser.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")


def run(parsed: argparse.Namespace) -> int:
    """Read the prices, make the study or the proof, print and write."""
    if parsed.prove:
        given = [f"--{name}" for name in OF_A_STUDY if name != "json" and getattr(parsed, name) not in (None, False)]
        if given:
            expected = "a proof, which trains few networks of its own and writes nothing."
            raise InputError(explain(f"{', '.join(given)} with --prove.", expected, "hillwalker volatility --prove"))
        return _prove(parsed)
    return _study(parsed)


def _prices(parsed: argparse.Namespace) -> dict[str, Prices]:
    from hillwalker.finance import load_sp500, read_all_prices

    if not parsed.files:
        if parsed.ticker:
            raise InputError(explain("--ticker without a file.", "a file that holds several series.", None))
        prices = load_sp500()
        return {prices.name: prices}
    found: dict[str, Prices] = {}
    for path in parsed.files:
        for name, prices in read_all_prices(path, splits=parsed.splits).items():
            if parsed.ticker and name not in parsed.ticker:
                continue
            if name in found:
                raise InputError(explain(f"two series named {name}.", "a name of its own for each.", "rename a file"))
            found[name] = prices
    missing = [name for name in parsed.ticker or () if name not in found]
    if missing:
        passed = f"--ticker {' '.join(missing)}: not in {', '.join(parsed.files)}."
        raise InputError(explain(passed, f"one of {', '.join(found) or 'the series there'}.", None))
    return found


def _study(parsed: argparse.Namespace) -> int:
    from hillwalker import folders, plots
    from hillwalker.finance import volatility
    from hillwalker.reports import list_files
    from hillwalker.volatility_page import write_volatility

    folder = FOLDER if parsed.output is None else parsed.output
    folders.check_folder(folder, parsed.overwrite)
    plots.new_figure()  # a missing matplotlib is told before the work, not after it
    refits = parsed.refits or "yearly"
    told = {"refits": int(refits) if refits.isdigit() else refits, "length": parsed.length, "models": parsed.models}
    told |= {"seeds": parsed.seeds, "alone": parsed.alone, "threads": parsed.threads}
    if parsed.first is not None:
        told["first"] = parsed.first
    verbose = "auto" if sys.stdout.isatty() and not parsed.json else 0
    study = volatility(_prices(parsed), horizon=parsed.horizon, proxy=parsed.proxy, verbose=verbose, **told)
    print(json.dumps(study.to_dict(), indent=2) if parsed.json else study)
    files = write_volatility(study, folder, parsed.overwrite)
    print(f"\n{list_files(files)}", file=sys.stderr if parsed.json else sys.stdout)
    return 0


def _prove(parsed: argparse.Namespace) -> int:
    from hillwalker.finance import prove_no_leak

    verbose = "auto" if sys.stdout.isatty() and not parsed.json else 0
    proofs = [
        prove_no_leak(prices, horizon=parsed.horizon, proxy=parsed.proxy, verbose=verbose)
        for prices in _prices(parsed).values()
    ]
    if parsed.json:
        print(json.dumps([proof.to_dict() for proof in proofs], indent=2))
    else:
        print("\n\n".join(str(proof) for proof in proofs))
    return 0 if all(proof.holds for proof in proofs) else 1
