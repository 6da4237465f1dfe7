"""The command `hillwalker`: arguments in, one call of a room, exit code out.

Imports a room when its command is called, so that `--help` is instant. Errors are text, never a traceback, and exit 2;
Ctrl-C exits 130.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from hillwalker.errors import HillwalkerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 for an error, 130 for Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    if parsed.command is None:
        _parser().print_help()
        return 0
    commands = {"demo": _demo, "train": _train, "predict": _predict, "config": _config}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            return commands[parsed.command](parsed)
    except (HillwalkerError, OSError) as error:
        print(f"hillwalker {parsed.command}: it did not work.\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before anything was saved.", file=sys.stderr)
        return 130


def _say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as text, without the line of code that it came from."""
    print(f"Note: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hillwalker",
        description="Train small dense networks on your tables, fast, and see whether they are any good.",
    )
    parser.add_argument("--version", action="version", version=f"hillwalker {version('hillwalker')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    demo = commands.add_parser("demo", help="predict tomorrow's volatility of the S&P 500, and write a report")
    demo.add_argument("--output", default="hillwalker-demo", metavar="FOLDER", help="default: %(default)s")
    demo.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")

    train = commands.add_parser(
        "train", help="train on a CSV or Parquet file", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    train.add_argument("file", metavar="FILE", help="a .csv, .tsv or .parquet file with a header")
    train.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    train.add_argument("--task", choices=["auto", "regression", "classification"], default="auto")
    train.add_argument("--drop", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to leave out")
    train.add_argument("--impute", action="store_true", help="fill missing values: numbers by the training median")
    order = train.add_mutually_exclusive_group()
    order.add_argument("--time-ordered", action="store_true", help="rows lie in time: the last are for the test")
    order.add_argument("--time-column", metavar="COLUMN", help="the same, after sorting by this column")
    order.add_argument("--shuffle", action="store_true", help="draw test rows at random (this happens unless told)")
    train.add_argument("--validation-split", type=float, default=0.2, metavar="SHARE")
    train.add_argument("--test-split", type=float, default=0.2, metavar="SHARE")
    train.add_argument("--hidden", type=_units, default="64,32", metavar="UNITS", help="units of the hidden layers")
    train.add_argument("--epochs", type=int, default=1000, help="at most")
    train.add_argument("--patience", type=int, default=30, help="epochs without improvement before stopping")
    train.add_argument("--batch-size", type=int, default=32)
    train.add_argument("--learning-rate", type=float, default=0.001)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--output", metavar="FOLDER", help="default: hillwalker-NAME-OF-FILE")
    train.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")

    predict = commands.add_parser("predict", help="use a trained model on another file")
    predict.add_argument("model", metavar="MODEL", help="model.safetensors, written by train")
    predict.add_argument("file", metavar="FILE", help="a table with the same columns, in any order")
    predict.add_argument("--output", metavar="CSV", help="default: the terminal")
    predict.add_argument("--overwrite", action="store_true", help="replace the output file if it exists")

    commands.add_parser("config", help="show versions and settings")
    return parser


def _units(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 64,32") from None


def _demo(parsed: argparse.Namespace) -> int:
    from hillwalker import demo

    done = demo.main(parsed.output, parsed.overwrite)
    return 130 if any(history.interrupted for history in done.histories) else 0


def _train(parsed: argparse.Namespace) -> int:
    from hillwalker import folders, jobs, plots, reports

    plots.new_figure()  # a missing matplotlib is told before the training, not after it
    source = Path(parsed.file).name
    output = parsed.output or f"hillwalker-{source.split('.')[0]}"
    folders.check_folder(output, parsed.overwrite)
    options = jobs.Options(
        task=parsed.task,
        impute=parsed.impute,
        drop=tuple(parsed.drop),
        time_column=parsed.time_column,
        time_ordered=parsed.time_ordered,
        validation_split=parsed.validation_split,
        test_split=parsed.test_split,
        hidden=parsed.hidden,
        epochs=parsed.epochs,
        patience=parsed.patience,
        batch_size=parsed.batch_size,
        learning_rate=parsed.learning_rate,
        seed=parsed.seed,
    )
    training = jobs.train(parsed.file, parsed.target, options, verbose="auto" if sys.stderr.isatty() else 0)
    print(reports.training_text(training, source) + "\n")
    files = reports.write_training(training, source, output, parsed.overwrite)
    print(f"{reports.list_files(files)}\nUse it: hillwalker predict {files[-1]} FILE")
    return 130 if training.history.interrupted else 0


def _predict(parsed: argparse.Namespace) -> int:
    from hillwalker import folders, jobs, reports

    output = folders.check_file(parsed.output, parsed.overwrite) if parsed.output else None
    prediction = jobs.predict(parsed.model, parsed.file)
    content = reports.prediction_csv(prediction)
    print(reports.prediction_text(prediction), file=sys.stderr)
    if output is None:
        print(content, end="")
    else:
        folders.write_whole(output, content.encode())
        print(f"Written: {output}", file=sys.stderr)
    return 0


def _config(parsed: argparse.Namespace) -> int:
    import platform
    from importlib.util import find_spec

    import numpy

    from hillwalker import config

    optional = ("matplotlib", "narwhals", "polars", "pandas", "arch", "sklearn", "autograd")
    rows = {
        "hillwalker": version("hillwalker"),
        "Python": platform.python_version(),
        "NumPy": numpy.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "engine": config.engine_name(),
        "floatx": config.floatx(),
        "installed": ", ".join(name for name in optional if find_spec(name)) or "none of the optional packages",
        "missing": ", ".join(name for name in optional if not find_spec(name)) or "none",
    }
    print("\n".join(f"{name:<12}{value}" for name, value in rows.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
