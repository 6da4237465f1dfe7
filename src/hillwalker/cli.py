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

from hillwalker import cli_diagnose, cli_volatility
from hillwalker.errors import HillwalkerError, InputError, explain

if TYPE_CHECKING:
    from hillwalker.choosing import Comparison
    from hillwalker.jobs import Examples, Options, Prepared


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
        "compare": _compare,
        "lr": _lr,
        "batch": _batch,
        "diagnose": cli_diagnose.run,
        "volatility": cli_volatility.run,
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
    _add_table(train)
    train.add_argument("--epochs", type=int, default=1000, help="at most")
    train.add_argument("--patience", type=int, default=30, help="epochs without improvement before stopping")
    train.add_argument("--batch-size", type=int, default=32)
    train.add_argument("--learning-rate", type=float, default=0.001)
    train.add_argument("--output", metavar="FOLDER", help="default: hillwalker-NAME-OF-FILE")
    train.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")

    predict = commands.add_parser("predict", help="use a trained model on another file")
    predict.add_argument("model", metavar="MODEL", help="model.safetensors, written by train")
    predict.add_argument("file", metavar="FILE", help="a table with the same columns, in any order")
    predict.add_argument("--output", metavar="CSV", help="default: the terminal")
    predict.add_argument("--overwrite", action="store_true", help="replace the output file if it exists")

    _add_experiments(commands)
    cli_diagnose.add(commands)
    cli_volatility.add(commands)
    _add_seeing(commands)
    _add_learning(commands)
    commands.add_parser("config", help="show versions and settings")
    return parser


def _add_table(parser: argparse.ArgumentParser) -> None:
    """Add how a table is read and split, and the network that is made for it."""
    parser.add_argument("file", metavar="FILE", help="a .csv, .tsv or .parquet file with a header")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    parser.add_argument("--task", choices=["auto", "regression", "classification"], default="auto")
    parser.add_argument("--drop", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to leave out")
    parser.add_argument("--impute", action="store_true", help="fill missing values: numbers by the training median")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--time-ordered", action="store_true", help="rows lie in time: the last are for the test")
    order.add_argument("--time-column", metavar="COLUMN", help="the same, after sorting by this column")
    order.add_argument("--shuffle", action="store_true", help="draw test rows at random (this happens unless told)")
    parser.add_argument("--validation-split", type=float, default=0.2, metavar="SHARE")
    parser.add_argument("--test-split", type=float, default=0.2, metavar="SHARE")
    parser.add_argument("--hidden", type=_units, default="64,32", metavar="UNITS", help="units of the hidden layers")
    parser.add_argument("--seed", type=int, default=0, help="of the split, and of train's weights")


def _add_experiments(commands: Any) -> None:
    """Add the commands that train many times on a table, to choose."""

    def experiment(name: str, what: str, seeds: int) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=what, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        _add_table(parser)
        parser.add_argument("--seeds", type=int, default=seeds, help="trainings of each, from other weights")
        parser.add_argument("--epochs", type=int, default=50)
        parser.add_argument("--threads", type=int, metavar="N", help="trainings at a time (default: all cores)")
        parser.add_argument("--output", metavar="FOLDER", help=f"default: hillwalker-{name}-NAME-OF-FILE")
        parser.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")
        return parser

    compare = experiment("compare", "train variants from several seeds, and say which differences are real", 10)
    compare.add_argument("--vary", type=_setting, action="append", required=True, metavar="NAME=VALUE,VALUE",
                         help="a setting and what to try, such as learning_rate=0.001,0.01 or units=64,64-32; "
                         "again for another")  # fmt: skip
    compare.add_argument("--folds", type=int, metavar="N", help="cross-validation instead of one split")
    compare.add_argument("--patience", type=int, metavar="N", help="stop early, the best weights kept")
    compare.add_argument("--batch-size", type=int, default=32)
    compare.add_argument("--learning-rate", type=float, default=0.001)

    rate = experiment("lr", "find the learning rate by a race over seeds", 4)
    rate.add_argument("--batch-size", type=int, default=32)

    batch = experiment("batch", "compare batch sizes: by epoch, step and second, memory, final validation", 10)
    batch.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256], metavar="ROWS")
    batch.add_argument("--target-loss", type=float, metavar="LOSS", help="the validation loss to count steps to")
    batch.add_argument("--learning-rate", type=float, default=0.001)


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


def _setting(text: str) -> tuple[str, list[Any]]:
    name, equals, values = text.partition("=")
    if not (equals and name.strip() and values.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not like learning_rate=0.001,0.01")
    return name.strip().replace("-", "_"), [_value(part.strip()) for part in values.split(",")]


def _value(text: str) -> Any:
    """Return a number, a tuple such as 64-32, true, false, none, or the text itself."""
    known = {"none": None, "true": True, "false": False}
    if text.lower() in known:
        return known[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    parts = text.split("-")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else text


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
    options = _options(parsed, patience=parsed.patience)
    training = jobs.train(parsed.file, parsed.target, options, verbose="auto" if sys.stderr.isatty() else 0)
    print(reports.training_text(training, source) + "\n")
    files = reports.write_training(training, source, output, parsed.overwrite)
    print(f"{reports.list_files(files)}\nUse it: hillwalker predict {files[-1]} FILE")
    return 130 if training.history.interrupted else 0


def _options(parsed: argparse.Namespace, **more: Any) -> Options:
    from hillwalker import jobs

    for name in ("batch_size", "learning_rate"):
        if hasattr(parsed, name):
            more[name] = getattr(parsed, name)
    return jobs.Options(
        task=parsed.task,
        impute=parsed.impute,
        drop=tuple(parsed.drop),
        time_column=parsed.time_column,
        time_ordered=parsed.time_ordered,
        validation_split=parsed.validation_split,
        test_split=parsed.test_split,
        hidden=parsed.hidden,
        epochs=parsed.epochs,
        seed=parsed.seed,
        **more,
    )


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


# --- experiments on a table -------------------------------------------------------------------------------------------


def _prepared(parsed: argparse.Namespace) -> tuple[Prepared, Path, Any]:
    """Return the table and network to experiment with, the folder to write into, and whether progress is shown."""
    from hillwalker import folders, jobs, plots, reports

    plots.new_figure()  # a missing matplotlib is told before the training, not after it
    source = Path(parsed.file).name
    output = parsed.output or f"hillwalker-{parsed.command}-{source.split('.')[0]}"
    folders.check_folder(output, parsed.overwrite)
    folds = getattr(parsed, "folds", None)
    if folds is not None and folds < 2:
        raise InputError(explain(f"--folds {folds}.", "2 or more.", "--folds 5"))
    prepared = jobs.prepare(parsed.file, parsed.target, _options(parsed), folds)
    print(reports.prepared_text(prepared, source) + "\n", flush=True)
    return prepared, Path(output), "auto" if sys.stderr.isatty() else 0


def _written(parsed: argparse.Namespace, folder: Path, pictures: dict[str, Any], tables: dict[str, Any]) -> None:
    from hillwalker import reports

    print(f"\n{reports.list_files(reports.write_experiment(folder, pictures, tables, parsed.overwrite))}")


def _compare(parsed: argparse.Namespace) -> int:
    from hillwalker import compare

    prepared, folder, verbose = _prepared(parsed)
    vary: dict[str, list[Any]] = {}
    for name, values in parsed.vary:
        vary[name] = [*vary.get(name, []), *values]
    split: dict[str, Any] = {"validation_data": prepared.validation}
    X, y = prepared.training
    if parsed.folds is not None:
        split, (X, y) = {"folds": parsed.folds, "time_ordered": prepared.options.in_time}, (prepared.X, prepared.y)
    told = {"seeds": parsed.seeds, "epochs": parsed.epochs, "batch_size": parsed.batch_size, **split}
    told |= {"early_stopping": parsed.patience, "threads": parsed.threads, "verbose": verbose}
    _allow_runs(parsed, folder)
    comparison = compare(prepared.model, X, y, vary, folder=folder, **told)
    if _is_empty(comparison):
        return 130
    print(comparison)
    pictures = {"comparison.png": comparison.plot()}
    if sum(len(values) > 1 for values in vary.values()) > 1:
        pictures["heatmap.png"] = comparison.plot(kind="heatmap")
    _written(parsed, folder, pictures, {"curves.csv": comparison.to_frame()})
    return _ended(comparison)


def _allow_runs(parsed: argparse.Namespace, folder: Path) -> None:
    """Let runs be written down in a folder of the user's, if told; else the first run's line makes the folder."""
    from hillwalker import folders

    if parsed.overwrite and folder.is_dir():
        folders.make_folder(folder, overwrite=True)


def _is_empty(comparison: Comparison) -> bool:
    """Return whether Ctrl-C came before there was anything to compare, and say so."""
    if not comparison.interrupted or comparison.scores.shape[1]:
        return False
    print(f"Interrupted: {comparison.done.sum()} of {comparison.done.size} runs are done.", file=sys.stderr)
    _ended(comparison)
    return True


def _ended(comparison: Comparison) -> int:
    if not comparison.interrupted:
        return 0
    print("The same command goes on where it was.", file=sys.stderr)
    return 130


def _lr(parsed: argparse.Namespace) -> int:
    from hillwalker import find_learning_rate

    prepared, folder, verbose = _prepared(parsed)
    found = find_learning_rate(
        prepared.model, prepared.X, prepared.y, parsed.epochs, parsed.batch_size, seeds=parsed.seeds,
        time_ordered=prepared.options.in_time, threads=parsed.threads, verbose=verbose,
    )  # fmt: skip
    print(found)
    _written(parsed, folder, {"learning_rate.png": found.plot()}, {"runs.csv": found.to_frame()})
    return 0


def _batch(parsed: argparse.Namespace) -> int:
    from hillwalker import compare_batch_sizes

    prepared, folder, verbose = _prepared(parsed)
    _allow_runs(parsed, folder)
    found = compare_batch_sizes(
        prepared.model, *prepared.training, parsed.sizes, parsed.seeds, parsed.epochs,
        validation_data=prepared.validation, target=parsed.target_loss, folder=folder, threads=parsed.threads,
        verbose=verbose,
    )  # fmt: skip
    if _is_empty(found.comparison):
        return 130
    print(found)
    _written(parsed, folder, {"batch_sizes.png": found.plot()}, {"batch_sizes.csv": found.to_frame()})
    return _ended(found.comparison)


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
