"""The command `hillwalker`: arguments in, one call of a room, exit code out.

Imports a room when its command is called, so that `--help` is instant. Errors are text, never a traceback, and exit 2;
Ctrl-C exits 130.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hillwalker.errors import HillwalkerError, InputError, explain

if TYPE_CHECKING:
    from hillwalker.jobs import Examples


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for a check that failed, 2 for an error, 130 for Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    if parsed.command is None:
        _parser().print_help()
        return 0
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "demo": _demo,
        "train": _train,
        "predict": _predict,
        "trace": _trace,
        "check-gradients": _check_gradients,
        "blame": _blame,
        "landscape": _landscape,
        "descend": _descend,
        "figures": _figures,
        "quiz": _quiz,
        "config": _config,
    }
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            code = commands[parsed.command](parsed)
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
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

    _add_seeing(commands)
    _add_learning(commands)
    commands.add_parser("config", help="show versions and settings")
    return parser


def _add_seeing(commands: Any) -> None:
    """Add the commands that look at a saved model on the rows of a file."""
    trace = _on_rows(
        commands, "trace", "every number of one pass: forward, loss, backward, and what a step would change"
    )
    which = trace.add_mutually_exclusive_group()
    which.add_argument("--row", type=int, default=0, metavar="N", help="which row, from 0 (default: the first)")
    which.add_argument("--rows", type=_range, metavar="A:B", help="a batch of rows, from A up to and without B")
    trace.add_argument(
        "--explain", metavar="ADDRESS", help='spell out one number, such as "dense.kernel[0,1]" or "loss"'
    )
    trace.add_argument("--plot", choices=["network", "forward", "backward"], help="which picture (default: network)")

    landscape = _on_rows(commands, "landscape", "the loss around the model's weights, on a plane through them")
    landscape.add_argument("--resolution", type=int, default=51, metavar="N", help="N by N points (default: 51)")
    landscape.add_argument("--3d", dest="three_d", action="store_true", help="draw it as a surface seen from the side")

    _on_rows(commands, "check-gradients", "the gradients of backpropagation against differences of the loss")
    _on_rows(commands, "blame", "which rows, inputs, neurons and weights carry the error")


def _on_rows(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    parser.add_argument("model", metavar="MODEL", help="a .safetensors file, from hillwalker train or model.save")
    parser.add_argument("file", metavar="FILE", help="a table with the target, or an .npz file with the arrays X and y")
    parser.add_argument(
        "--target", metavar="COLUMN", help="the target, for a model that train did not make (default: the last column)"
    )
    _add_output(parser)
    return parser


def _add_learning(commands: Any) -> None:
    """Add the commands of the lesson that need no model."""
    descend = commands.add_parser("descend", help="walk down a hill, blind, with one or more optimizers")
    descend.add_argument("hill", metavar="HILL", help="parabola, ravine, rosenbrock, saddle, ...")
    descend.add_argument("--start", type=float, nargs="+", metavar="X", help="where to begin, a number a variable")
    descend.add_argument("--optimizer", nargs="+", default=["sgd"], metavar="NAME", help="default: sgd")
    descend.add_argument("--learning-rate", type=float, nargs="+", default=[0.1], metavar="RATE", help="default: 0.1")
    descend.add_argument("--momentum", type=float, nargs="+", default=[0.0], metavar="SHARE", help="of sgd")
    descend.add_argument("--steps", type=int, default=50, help="default: %(default)s")
    _add_output(descend)

    figures = commands.add_parser("figures", help="draw the lesson's figures, each from a real run")
    figures.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    figures.add_argument("--list", action="store_true", help="say what there is, and draw nothing")
    figures.add_argument("--output", default="hillwalker-figures", metavar="FOLDER", help="default: %(default)s")
    figures.add_argument("--format", choices=["png", "svg", "pdf"], default="png", help="default: %(default)s")
    figures.add_argument("--overwrite", action="store_true", help="write into any folder, over files of the same names")

    quiz = commands.add_parser("quiz", help="three fresh loss curves: whose learning rate is too high, too low, right?")
    quiz.add_argument("--seed", type=int, help="the same quiz again (default: a new one)")
    quiz.add_argument("--answers", metavar="A,B,C", help='answer without being asked: "high,low,right"')
    quiz.add_argument("--rounds", type=int, default=1, help="default: %(default)s")
    _add_output(quiz)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", help="draw a picture there: .png, .svg or .pdf")
    parser.add_argument("--overwrite", action="store_true", help="replace the output file if it exists")


def _range(text: str) -> slice:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return slice(int(first or 0), int(last) if last else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 0:32") from None


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


# --- looking at a saved model -----------------------------------------------------------------------------------------


def _picture_path(parsed: argparse.Namespace) -> Path | None:
    """Return where a picture is to be written, or None; refused before anything is computed."""
    if parsed.output is None:
        return None
    from hillwalker import folders, plots

    path = folders.check_file(parsed.output, parsed.overwrite)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(explain(f"the picture {path}.", "a name that ends in .png, .svg or .pdf.", f"{path.stem}.png"))
    plots.new_figure()  # a missing matplotlib is told now
    return path


def _save_picture(figure: Any, path: Path) -> None:
    from hillwalker import plots

    print(f"Written: {plots.save(figure, path)}")


def _read(parsed: argparse.Namespace) -> Examples:
    from hillwalker import jobs

    examples = jobs.read_examples(parsed.model, parsed.file, parsed.target)
    for remark in examples.remarks:
        print(f"Note: {remark}", file=sys.stderr)
    return examples


def _trace(parsed: argparse.Namespace) -> int:
    path = _picture_path(parsed)
    if parsed.plot and path is None:
        raise InputError(
            explain(f"--plot {parsed.plot} without a file.", "where to draw it.", f"--output {parsed.plot}.png")
        )
    examples = _read(parsed)
    rows = len(examples.X)
    if parsed.rows is None and not 0 <= parsed.row < rows:
        raise InputError(explain(f"--row {parsed.row}.", f"a row from 0 to {rows - 1}.", f"--row {rows - 1}"))
    chosen = slice(parsed.row, parsed.row + 1) if parsed.rows is None else parsed.rows
    if not len(range(rows)[chosen]):
        raise InputError(
            explain(f"--rows {chosen.start}:{chosen.stop} of {rows} rows.", "one row or more.", "--rows 0:32")
        )
    trace = examples.model.trace(examples.X[chosen], examples.y[chosen])
    print(trace.explain(parsed.explain).text if parsed.explain else trace)
    if path is not None:
        _save_picture(trace.plot(parsed.plot or "network"), path)
    return 0


def _check_gradients(parsed: argparse.Namespace) -> int:
    from hillwalker import check_gradients

    check = _show(parsed, lambda examples: check_gradients(examples.model, examples.X, examples.y))
    return 0 if check.passed else 1


def _blame(parsed: argparse.Namespace) -> int:
    from hillwalker import blame

    _show(parsed, lambda examples: blame(examples.model, examples.X, examples.y))
    return 0


def _show(parsed: argparse.Namespace, look: Callable[[Examples], Any]) -> Any:
    """Print a record of a model on rows, draw it where that was asked for, and return it."""
    path = _picture_path(parsed)
    record = look(_read(parsed))
    print(record)
    if path is not None:
        _save_picture(record.plot(), path)
    return record


def _landscape(parsed: argparse.Namespace) -> int:
    from hillwalker import landscape, plots

    path = _picture_path(parsed)
    if parsed.three_d and path is None:
        raise InputError(explain("--3d without a file.", "where to draw it.", "--output landscape.png"))
    examples = _read(parsed)
    surface = landscape(examples.model, examples.X, examples.y, resolution=parsed.resolution)
    print(surface)
    if path is not None:
        _save_picture(plots.plot_surface_3d(surface) if parsed.three_d else plots.plot_surface(surface), path)
    return 0


# --- the lesson without a model ---------------------------------------------------------------------------------------


def _descend(parsed: argparse.Namespace) -> int:
    from hillwalker import descend, hills, optimizers

    path = _picture_path(parsed)
    hill = hills.get(parsed.hill)
    walkers: dict[str, Any] = {}
    for name in parsed.optimizer:
        for rate in parsed.learning_rate:
            for momentum in parsed.momentum if name.lower() == "sgd" else [0.0]:
                walker = optimizers.get(name)
                settings = {**walker.get_config(), "learning_rate": rate}
                label = f"{name}, rate {rate:g}"
                if name.lower() == "sgd" and momentum:
                    settings["momentum"], label = momentum, f"{label}, momentum {momentum:g}"
                walkers[label] = type(walker).from_config(settings)
    record = descend(hill, hill.start if parsed.start is None else parsed.start, optimizer=walkers, steps=parsed.steps)
    print(record)
    if path is not None:
        _save_picture(record.plot(), path)
    return 0


def _figures(parsed: argparse.Namespace) -> int:
    from hillwalker import folders, lesson, plots

    known = lesson.figures()
    if parsed.list:
        print("\n".join(f"{name:<{max(map(len, known))}}  {what}" for name, what in known.items()))
        return 0
    names = [lesson.check(name) for name in parsed.names] or list(known)
    plots.new_figure()
    folder = folders.make_folder(parsed.output, parsed.overwrite)
    try:
        for name in names:
            print(plots.save(lesson.figure(name), folder / f"{name}.{parsed.format}"), flush=True)
    except KeyboardInterrupt:
        print("\nInterrupted. The files named above are whole.", file=sys.stderr)
        return 130
    return 0


def _quiz(parsed: argparse.Namespace) -> int:
    import random

    from hillwalker import folders, quiz

    path = _picture_path(parsed)
    if parsed.rounds < 1:
        raise InputError(explain(f"--rounds {parsed.rounds}.", "1 or more.", "--rounds 3"))
    names = [path.stem, *(f"{path.stem}-{number + 1}" for number in range(1, parsed.rounds))] if path else []
    pictures = [folders.check_file(path.with_stem(name), parsed.overwrite) for name in names if path]
    answers = quiz.read_answers(parsed.answers) if parsed.answers else None
    first = random.randrange(100_000) if parsed.seed is None else parsed.seed
    points, asked = 0, 0
    for number in range(parsed.rounds):
        made = quiz.make(first + number)
        print(made, end="\n\n")
        if pictures:
            _save_picture(made.plot(), pictures[number])
        given = answers or _ask(quiz.read_answers)
        if given is None:
            print("No answers given. This is what they are:")
        else:
            points, asked = points + made.score(given), asked + len(made.curves)
            print(f"{made.score(given)} of {len(made.curves)} right.")
        print(made.explain(given), end="\n\n" if number + 1 < parsed.rounds else "\n")
    if parsed.rounds > 1 and asked:
        print(f"In all {points} of {asked} right.")
    return 0


def _ask(read: Callable[[str], list[str]]) -> list[str] | None:
    """Return the answers that somebody types, asked again until they can be read; None where nobody does."""
    while True:
        try:
            return read(
                input("Which learning rate is too high, too low, right? For A, B, C (such as high,low,right): ")
            )
        except EOFError:
            print()
            return None
        except InputError as error:
            print(error)


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
