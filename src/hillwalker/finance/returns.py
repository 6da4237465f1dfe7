"""Can tomorrow's return be predicted? Networks walked forward on returns, beside a constant, lines and trees.

The answer is "no signal" most of the time, and that is worth knowing: whoever finds a network that beats the market in
one lucky window has mostly found the window.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hillwalker import diagnosis, losses
from hillwalker.errors import InputError, InputTypeError, explain, unknown_name
from hillwalker.finance.averages import LEAST_DAYS
from hillwalker.finance.comparing import Comparison, diebold_mariano, holm, pooled_diebold_mariano
from hillwalker.finance.economics import (
    Economics,
    Performance,
    directional,
    economics,
    out_of_sample,
    performance,
    positions,
)
from hillwalker.finance.evaluate import coverage
from hillwalker.finance.features import Features, return_features
from hillwalker.finance.network import Settings
from hillwalker.finance.prices import Array, Prices
from hillwalker.finance.return_baselines import BOOSTING, CONSTANT, ReturnBaselines, losses_of_days
from hillwalker.finance.returns_study import Learning, LossOfErrors, QuantileCheck, ReturnScore, ReturnsStudy
from hillwalker.finance.volatility import common, prices_of
from hillwalker.finance.walk_forward import NETWORK, SeriesForecasts, WalkForward, walk_forward
from hillwalker.finance.windows import FIRST
from hillwalker.losses import Loss, Pinball

CALL = "returns(prices, {})"
SAME = 1e-7  # losses that agree this far are the same: rounding is no lead
ERRORS = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])  # on which a loss shows what it looks at


def returns(
    prices: Any,
    loss: Any = "mse",
    *,
    horizon: int = 1,
    refits: int | str = "yearly",
    first: int = FIRST,
    models: Sequence[str] | None = None,
    settings: Settings | None = None,
    seeds: int | None = None,
    panel: bool | None = None,
    cost: float = 5.0,
    seed: int = 0,
    threads: int | None = None,
    verbose: Any = "auto",
) -> ReturnsStudy:
    """Return whether networks forecast returns better than the constant that was best in the past, and what it earns.

    Walk-forward: everything is fitted to what is known at a day's close, and forecasts until the next refit. All
    models aim at the same loss and are judged by it, in percent, on the same days.

    Args:
        prices: a `Prices`, several by name, or what `read_prices` reads: a file, a frame, yfinance's shapes.
        loss: of the error y - p: "mse", "mae", "huber", `hw.losses.Pinball(0.05)` for value at risk,
            `hw.losses.AsymmetricSquaredError(...)`, or a function of your own of (y_true, y_pred), a value a day.
        horizon: days that a return spans, y_t = 100 ln(close of t + h / close of t).
        refits: after how many days everything is fitted anew, or "daily" ... "yearly".
        first: days of a series before its first forecast.
        models: baselines beside the constant: "zero" (of a symmetric loss), "volatility" (of any other), "line",
            "AR(1)", "boosting"; None: all.
        settings: of the networks; they start at the best constant by default, and `loss` goes into them.
        seeds: networks whose forecasts are averaged, in place of those of the settings.
        panel: whether several series' networks are fitted together; None: yes, but of a quantile each alone: tails
            differ from series to series, and together too many or too few days fall below (docs/returns.md).
        cost: of trading the whole capital once, in basis points.
        seed: the first of the seeds.

    Returns a ReturnsStudy. Raises InputError or InputTypeError before anything is computed.

    >>> from hillwalker.finance.prices import load_sp500
    >>> few = Settings(units=(4,), seeds=2, epochs=4, line="none")
    >>> study = returns(load_sp500(), settings=few, models=["line"], first=4000, verbose=0)
    >>> study.verdict
    'no-signal'
    """
    series = prices_of(prices)
    asked = loss_of_errors(loss)
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < math.inf:
        raise InputError(explain(f"cost={cost!r}.", "basis points, 0 or more.", CALL.format("cost=5.0")))
    how = _settings(settings, loss, asked.loss, seeds)
    known = ReturnBaselines(asked.loss).by_name(asked.symmetric)
    notes: list[str] = []
    if not asked.any_unit:
        notes.append(
            f"{asked.name} looks at the size of errors: networks learn returns in units of their spread in each window;"
            " baselines and scores are in percent."
        )
    chosen = _chosen(models, known, notes)
    features = common({name: return_features(one, horizon, open_end=True) for name, one in series.items()})
    walk = walk_forward(
        features, models=[*chosen, NETWORK], baselines=known, settings=how, refits=refits, first=first,
        panel=asked.level is None if panel is None else panel, seed=seed, threads=threads, verbose=verbose,
    )  # fmt: skip
    notes += [f"{name}: {note}" for name, one in features.items() for note in one.notes]
    return judged(walk, series, features, asked, float(cost), first, tuple(notes))


def judged(
    walk: WalkForward, prices: Mapping[str, Prices], features: Mapping[str, Features], asked: LossOfErrors,
    cost: float, first: int, notes: tuple[str, ...],
) -> ReturnsStudy:  # fmt: skip
    """Return the judgement of a walk: scores, tests, money, curves. Series with 10 days or fewer are left out."""
    enough = tuple(one for one in walk.series if one.scored.sum() > LEAST_DAYS)
    if left_out := [one.name for one in walk.series if one not in enough]:
        notes += (f"{', '.join(left_out)} left out: {LEAST_DAYS} days or fewer to judge.",)
    if not enough and walk.interrupted:
        raise KeyboardInterrupt
    if not enough:
        passed = f"forecasts of {LEAST_DAYS} days or fewer that can be judged."
        raise InputError(explain(passed, "more days after the first ones.", CALL.format(f"first={first // 2}")))
    walk = replace(walk, series=enough)
    by_day = {one.name: _losses(one, asked.loss) for one in enough}
    tests = {one.name: _tests(one, by_day[one.name]) for one in enough}
    others = [name for name in by_day[enough[0].name] if name != NETWORK]
    pooled = {
        other: pooled_diebold_mariano(
            {one.name: by_day[one.name][NETWORK][one.scored] for one in enough},
            {one.name: by_day[one.name][other][one.scored] for one in enough},
            {one.name: one.dates[one.scored] for one in enough}, enough[0].horizon, (NETWORK, other),
        )
        for other in others
    }  # fmt: skip
    money = {} if asked.level not in (None, 0.5) else {one.name: _money(one, prices[one.name], cost) for one in enough}
    return ReturnsStudy(
        walk=walk,
        loss=asked,
        losses=by_day,
        scores={one.name: _scores(one, features[one.name], by_day[one.name], asked.symmetric) for one in enough},
        comparisons=tests,
        pooled=pooled,
        holm={other: holm({name: tests[name][other].p for name in tests}) for other in others},
        economics={name: after for name, (after, _) in money.items()},
        before_costs={name: before for name, (_, before) in money.items()},
        quantiles={} if asked.level is None else {one.name: _quantile(one, asked.level) for one in enough},
        learning=_learning(walk),
        cost=cost,
        notes=notes,
    )


def loss_of_errors(loss: Any) -> LossOfErrors:
    """Return a loss and what it looks at, or raise InputError unless it is one of the error y - p, a value a day.

    >>> asked = loss_of_errors("huber")
    >>> asked.symmetric, asked.any_unit, asked.level
    (True, False, None)
    """
    found = losses.get(loss)
    y = np.linspace(-1.0, 1.0, len(ERRORS))
    with np.errstate(all="ignore"):
        values = losses_of_days(found, y, y + ERRORS)
        singly = np.array([losses_of_days(found, y[[i]], (y + ERRORS)[[i]])[0] for i in range(len(y))])
        elsewhere = losses_of_days(found, y + 0.7, y + 0.7 + ERRORS)
        mirrored = losses_of_days(found, y, y - ERRORS)
        ratios = losses_of_days(found, 3 * y, 3 * (y + ERRORS)) / values
    if not (np.isfinite(values).all() and np.allclose(values, elsewhere)):
        passed = f"the loss {found.name!r}, which looks at more than how far a forecast is off."
        expected = "a loss of the error y - p, the same wherever y lies: returns are of either sign and near 0."
        raise InputError(explain(passed, expected, CALL.format('loss="mse"')))
    if not np.allclose(values, singly):
        passed = f"the loss {found.name!r}, which is no mean over days."
        fix = "def loss(y_true, y_pred): return np.square(y_true - y_pred)"
        raise InputError(explain(passed, "a value for each day: days are compared one by one.", fix))
    level = found.quantile if isinstance(found, Pinball) else None
    if level is not None and not 0 < level < 1:
        raise InputError(explain(f"Pinball({level:g}).", "a quantile between 0 and 1.", "hw.losses.Pinball(0.05)"))
    name = f"pinball({level:g})" if level is not None else found.name.replace("<lambda>", "a loss of your own")
    alike = np.isfinite(ratios)
    scale = ratios[alike][:1]
    return LossOfErrors(found, name, np.allclose(values, mirrored), bool(np.allclose(ratios[alike], scale)), level)


def _settings(settings: Settings | None, loss: Any, found: Loss, seeds: int | None) -> Settings:
    if settings is not None and not isinstance(settings, Settings):
        passed = f"settings of type {type(settings).__name__}."
        raise InputTypeError(explain(passed, "Settings.", CALL.format('settings=Settings(line="none", units=(16,))')))
    if settings is not None and settings.loss not in ("mse", loss):
        passed = f"Settings(loss={settings.loss!r}) and loss={loss!r}."
        raise InputError(explain(passed, "one loss.", f"returns(prices, loss={settings.loss!r}, settings=Settings())"))
    how = Settings(line="none") if settings is None else settings
    return replace(how, loss=found, of_logs=False, seeds=how.seeds if seeds is None else seeds)


def _chosen(models: Sequence[str] | None, known: Mapping[str, Any], notes: list[str]) -> list[str]:
    if models is None:
        there = importlib.util.find_spec("sklearn") is not None
        if not there:
            notes.append("boosting left out: pip install 'hillwalker[sklearn]'.")
        return [name for name in known if there or name != BOOSTING]
    if isinstance(models, str):
        raise InputTypeError(explain(f"models={models!r}.", "a list of names.", CALL.format(f"models=[{models!r}]")))
    for name in models:
        if name not in (*known, NETWORK):
            raise unknown_name("model", name, known, CALL.format("models=[{}]"))
    return list(dict.fromkeys([CONSTANT, *(name for name in models if name != NETWORK)]))


def _losses(one: SeriesForecasts, loss: Loss) -> dict[str, Array]:
    """Return each model's loss of each day, NaN where the return has not come; a lead by rounding is none."""
    found = {name: losses_of_days(loss, one.actual, forecast) for name, forecast in one.forecasts.items()}
    own = found[NETWORK]
    return {name: np.where(np.isclose(values, own, rtol=SAME, atol=0), own, values) for name, values in found.items()}


def _tests(one: SeriesForecasts, by_day: Mapping[str, Array]) -> dict[str, Comparison]:
    own = by_day[NETWORK][one.scored]
    return {
        name: diebold_mariano(own, values[one.scored], one.horizon, (NETWORK, name))
        for name, values in by_day.items()
        if name != NETWORK
    }


def _scores(
    one: SeriesForecasts, features: Features, by_day: Mapping[str, Array], centred: bool
) -> dict[str, ReturnScore]:
    """Return each model's scores. Directions of returns over h days are counted on every h-th day."""
    rows = one.scored
    known = ~np.isnat(features.target_dates) & (features.target_dates <= one.dates[0])
    apart = np.flatnonzero(rows)[:: one.horizon]
    found = {}
    for name, forecast in one.forecasts.items():
        mean = float(by_day[name][rows].mean())
        if not centred:
            found[name] = ReturnScore(mean)
            continue
        fit = out_of_sample(one.actual[rows], forecast[rows], features.y[known], one.horizon)
        if len(apart) > LEAST_DAYS:
            hits = directional(one.actual[apart], forecast[apart])
            found[name] = ReturnScore(mean, fit.r2, fit.p, hits.hit_rate, hits.always_up, hits.p)
        else:
            found[name] = ReturnScore(mean, fit.r2, fit.p)
    return found


def _money(one: SeriesForecasts, prices: Prices, cost: float) -> tuple[Economics, Performance]:
    """Return what the signs of the network's forecasts earn after costs, and before.

    Of a forecast over h days a share of 1 / h is held for h days, so each day's position is the mean of the last h
    signs; it is held from its day's close to that of the next row.
    """
    places = np.searchsorted(prices.dates, one.dates)
    close = prices.close[places]
    last = prices.close[places[-1] + 1 : places[-1] + 2]
    earned = np.concatenate([close[1:], last]) / close[: len(close) - 1 + len(last)] - 1
    held = np.convolve(positions(one.forecasts[NETWORK]), np.full(one.horizon, 1 / one.horizon))[: len(earned)]
    before = performance(earned * held, np.abs(np.diff(held, prepend=0.0)))
    return economics(earned, held, cost, next_day=True), before


def _quantile(one: SeriesForecasts, level: float) -> QuantileCheck:
    """Return how often returns fell below the forecast quantile; p by Kupiec's (1995) likelihood ratio."""
    actual, forecast = one.actual[one.scored], one.forecasts[NETWORK][one.scored]
    lowest = np.full(len(actual), min(actual.min(), forecast.min()) - 1)
    found = coverage(actual, lowest, forecast, one.horizon)
    days, below = len(actual), round(found.share * len(actual))

    def likelihood(share: float) -> float:
        return sum(count * math.log(p) for count, p in ((below, share), (days - below, 1 - share)) if count)

    ratio = max(0.0, 2 * (likelihood(found.share) - likelihood(level)))
    p = (
        math.erfc(math.sqrt(ratio / 2)) if one.horizon == 1 else math.nan
    )  # returns that share days are no own witnesses
    return QuantileCheck(level, found.share, found.low, found.high, p, days)


def _learning(walk: WalkForward) -> Learning | None:
    """Return the windows' curves in units of the constant's loss, and a diagnosis of the newest window's."""
    fits = [(one, one.curves) for one in walk.windows if one.curves is not None]
    if not fits:
        return None
    unit = np.array([curves.start for _, curves in fits])[:, np.newaxis]
    validation = np.array([curves.validation.mean(axis=0) for _, curves in fits])
    training = np.array([curves.loss.mean(axis=0) for _, curves in fits])
    day, newest = fits[-1][0].start, fits[-1][1]
    told = diagnosis.diagnose(
        newest.means, batch_size=walk.settings.batch_size, constant_loss=(newest.start_loss, newest.start)
    )
    chosen = tuple(curves.chosen for _, curves in fits)
    return Learning(training / unit, validation / unit, chosen, told, day)
