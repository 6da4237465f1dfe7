"""One family of errors and warnings, and the one shape of their messages.

Nothing here checks anything: `checks.py` and the rooms decide what is wrong, this module says how it is told.
"""

from __future__ import annotations

from collections.abc import Iterable


class HillwalkerError(Exception):
    """Every error that hillwalker raises on purpose."""


class InputError(HillwalkerError, ValueError):
    """A value, a shape or data that cannot be used; raised before anything is computed or overwritten."""


class InputTypeError(HillwalkerError, TypeError):
    """A value of a type that cannot be used; raised before anything is computed or overwritten."""


class StateError(HillwalkerError, RuntimeError):
    """A call that comes too early, such as `fit` before `compile`."""


class FileError(HillwalkerError, OSError):
    """A file that is missing, damaged, truncated, hostile or of another kind; nothing in it was run."""


class MissingDependencyError(HillwalkerError, ImportError):
    """An optional package is not installed; the message holds the exact install line."""


class HillwalkerWarning(UserWarning):
    """Something will work but is probably not what was meant."""


class MistakeWarning(HillwalkerWarning):
    """A likely mistake with a name, by which `hw.config.silence(name)` silences it."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message, name)  # both, so that a copy or a pickle can be made of it
        self.name = name

    def __str__(self) -> str:
        return f'{self.args[0]}\nSilence it: hw.config.silence("{self.name}")'


def explain(passed: str, expected: str, fix: str | None = None) -> str:
    """Return the message of an error: what was passed, what was expected, the corrected line.

    >>> print(explain("batch_size=0.", "a whole number of rows, 1 or more.", "model.fit(X, y, batch_size=32)"))
    Passed: batch_size=0.
    Expected: a whole number of rows, 1 or more.
    Try: model.fit(X, y, batch_size=32)
    """
    lines = [f"Passed: {passed}", f"Expected: {expected}"]
    if fix is not None:
        lines.append(f"Try: {fix}")
    return "\n".join(lines)


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name nearest to a misspelt one, or None where none is near.

    >>> nearest("mean_square_error", ["mean_squared_error", "huber"])
    'mean_squared_error'
    """
    import difflib  # slow to import, and few programs have misspelt a name

    candidates = list(known)
    matches = difflib.get_close_matches(str(name).lower(), [candidate.lower() for candidate in candidates], n=1)
    return next((candidate for candidate in candidates if matches and candidate.lower() == matches[0]), None)


def unknown_name(kind: str, name: object, known: Iterable[str], call: str) -> InputError:
    """Return the error for an unknown name: the nearest known one, and all known ones.

    `call` is the corrected line with `{}` where the name goes, such as `model.compile(loss={})`.
    """
    names = sorted(set(known))
    near = nearest(name, names)
    fix = call.format(repr(near)) if near else None
    return InputError(explain(f"{kind} {name!r}.", f"one of {', '.join(names)}.", fix))


def missing_dependency(package: str, purpose: str, extra: str) -> MissingDependencyError:
    """Return the error for a missing optional package, with the exact line that installs it."""
    return MissingDependencyError(
        explain(
            f"{purpose}, which needs the package {package!r}; it is not installed.",
            f"the extra {extra!r}.",
            f"pip install 'hillwalker[{extra}]'",
        )
    )
