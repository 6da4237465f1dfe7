"""Pictures of a volatility study: they show what the record holds, and odd studies break none of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.errors import HillwalkerError, InputError
from hillwalker.finance import Prices, qlike, volatility
from hillwalker.finance.network import Settings
from hillwalker.finance.prices import annualised_percent
from hillwalker.finance.volatility import studied
from hillwalker.finance.walk_forward import NETWORK
from hillwalker.plots.volatility import days_forecast, plot_forecasts
from hillwalker.plots.volatility_scores import plot_coverage, plot_loss_differences
from hillwalker.plots.window_curves import evenly, panels, plot_window_curves

FEW = Settings(units=(4,), seeds=3, epochs=6)
QUICK = {"models": ["persistence", "log-HAR", "HAR-X", NETWORK], "settings": FEW, "verbose": 0, "threads": 1}
ALL = (plot_forecasts, plot_loss_differences, plot_window_curves, plot_coverage)


def made(days: int = 700, seed: int = 0, name: str = "made") -> Prices:
    """Prices whose log variance is an autoregression, as that of markets is."""
    random = np.random.default_rng(seed)
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 0.95 * level[day - 1] + 0.25 * random.normal()
    steps = 0.01 * np.exp(level / 2)[:, np.newaxis] * random.normal(size=(days, 40)) / np.sqrt(40)
    paths = np.cumsum(steps, axis=1)
    close = np.cumsum(paths[:, -1])
    start = close - paths[:, -1]
    high, low = start + np.maximum(paths.max(axis=1), 0), start + np.minimum(paths.min(axis=1), 0)
    dates = np.arange("2010-01-01", "2030-01-01", dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)][:days]
    told = {"open": start, "high": high, "low": low, "close": close}
    return Prices(name, dates, **{key: 100 * np.exp(values) for key, values in told.items()}, volume=np.full(days, 1e6))


@pytest.fixture(scope="module")
def one():
    return volatility(made(), first=300, refits=40, warm=False, alone=True, **QUICK)


@pytest.fixture(scope="module")
def two():
    return volatility({"a": made(), "b": made(650, 1)}, first=400, refits=100, panel=False, warm=False, **QUICK)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def replaced(study, **changes):
    """Return the study of its one series, changed."""
    walk = dataclasses.replace(study.walk, series=(dataclasses.replace(study.walk.series[0], **changes),))
    return studied(walk, study.alone, study.notes, study.proxy, study.horizon)


# Forecasts


def test_forecasts_are_drawn_at_the_day_they_are_of(one):
    whole, closer, against = plot_forecasts(one, days=50).axes
    series = one.walk.series[0]
    drawn = lines(whole)[NETWORK]
    np.testing.assert_allclose(drawn.get_ydata(), annualised_percent(np.exp(series.forecasts[NETWORK])))
    assert len(lines(closer)[NETWORK].get_ydata()) == 50
    assert whole.get_yscale() == closer.get_yscale() == against.get_xscale() == against.get_yscale() == "log"
    came = lines(whole)["what came"]
    # What came on a day stands above that day, not above the day before, at whose close it was forecast.
    assert came.get_xdata()[0] == series.target_dates[0] > series.dates[0]
    for axes, name in ((whole, "y"), (closer, "y"), (against, "x"), (against, "y")):
        assert "% a year" in getattr(axes, f"get_{name}label")()


def test_days_to_come_are_marked_with_their_interval(one):
    closer = plot_forecasts(one).axes[1]
    coming = one.coming["made"]
    said = closer.texts[0].get_text()
    assert said == f"to come: {coming.volatility:.1f} % (90 %: {coming.low:.1f} to {coming.high:.1f})"
    assert f"to come, forecast after {coming.date}" in lines(closer)
    series = one.walk.series[0]
    assert days_forecast(series)[-1] == np.busday_offset(series.dates[-1], 1)
    cut = slice(0, -1)  # a series that ends before
    parts = {name: getattr(series, name)[cut] for name in ("dates", "target_dates", "actual", "window")}
    parts["members"] = series.members[:, cut]
    for kind in ("forecasts", "corrections"):
        parts[kind] = {name: values[cut] for name, values in getattr(series, kind).items()}
    parts["intervals"] = {level: (low[cut], high[cut]) for level, (low, high) in series.intervals.items()}
    assert not plot_forecasts(replaced(one, **parts)).axes[1].texts


def test_the_means_of_tenths_keep_the_mean_variance(one):
    _, _, against = plot_forecasts(one).axes
    dots = against.collections[-1].get_offsets().data
    series = one.walk.series[0]
    assert len(dots) == 10
    variance = (dots[:, 1] / 100) ** 2 / 252
    assert np.average(variance) == pytest.approx(np.exp(series.actual[series.scored]).mean(), rel=0.02)


def test_series_can_be_chosen_and_unknown_ones_are_named(two):
    assert titles(plot_forecasts(two, series=["b"]))[0].startswith("b, all ")
    with pytest.raises(HillwalkerError, match="series"):
        plot_forecasts(two, series=["c"])


# Curves of the windows


def test_windows_are_evenly_chosen_and_named_with_what_was_read(one):
    figure = plot_window_curves(one)
    assert len(figure.axes) == 16
    found = panels(one.walk, one.readings)
    assert titles(figure)[:8] == [title for title, _ in evenly(found)]
    assert titles(figure)[0].splitlines() == [str(one.walk.windows[0].start), one.readings[0][1].verdict]
    assert titles(figure)[7].splitlines()[0] == str(one.walk.windows[-1].start)
    above, below = (part.get_suptitle() for part in figure.subfigs)
    assert above == f"The network on its line, 8 of {len(found)} windows"
    assert below.startswith("The network alone")


def test_the_chosen_epoch_and_the_start_are_marked(one):
    figure = plot_window_curves(one)
    curves = one.walk.windows[0].curves
    drawn = lines(figure.axes[0])
    assert drawn["epochs chosen"].get_xdata()[0] == curves.chosen
    assert drawn["start: the line alone"].get_ydata()[0] == pytest.approx(curves.start)
    validation = drawn["validation, 3 seeds"].get_ydata()
    np.testing.assert_allclose(validation, [curves.start, *curves.validation.mean(axis=0)])


def test_windows_of_series_alone_are_named(two):
    assert [title.split(",")[0] for title, _ in panels(two.walk, two.readings)] == ["a"] * 3 + ["b"] * 3


def test_a_diverged_window_says_so_and_shifts_no_reading(one):
    windows = list(one.walk.windows)
    curves = windows[1].curves
    endless = np.array(curves.validation)
    endless[0, 3:] = np.inf
    windows[1] = dataclasses.replace(windows[1], curves=dataclasses.replace(curves, validation=endless, chosen=2))
    walk = dataclasses.replace(one.walk, windows=tuple(windows))
    readings = one.readings[:1] + one.readings[2:]
    found = panels(walk, readings)
    assert found[1][0].splitlines()[1] == "diverged"
    assert found[2][0].splitlines() == [str(windows[2].start), one.readings[2][1].verdict]
    assert plot_window_curves(dataclasses.replace(one, walk=walk, readings=readings)).axes


# Losses and intervals


def test_the_difference_ends_at_its_sum(one):
    figure = plot_loss_differences(one)
    series = one.walk.series[0]
    known = series.scored
    for axes, rival in zip(figure.axes, ("HAR-X", "log-HAR"), strict=True):
        losses = [qlike(series.actual[known], series.forecasts[name][known]).sum() for name in (NETWORK, rival)]
        assert axes.get_lines()[-1].get_ydata()[-1] == pytest.approx(losses[0] - losses[1])
        p = one.results[0].tests[rival].p
        assert f"against {rival} (p " in axes.get_title(loc="left")
        assert ("< .001" if p < 0.001 else f"{p:.3f}"[1:]) in axes.get_title(loc="left")
    assert len(plot_loss_differences(dataclasses.replace(one)).axes) == 2


def test_coverage_by_year_is_that_of_the_days(one):
    (axes,) = plot_coverage(one).axes
    series = one.walk.series[0]
    years = series.target_dates.astype("datetime64[Y]")
    low, high = series.intervals[0.9]
    rows = (years == np.datetime64("2012")) & np.isfinite(low)
    share = np.mean((low[rows] <= series.actual[rows]) & (series.actual[rows] <= high[rows]))
    upper = next(container for container in axes.containers if container.get_label() == "90 % interval")
    assert 100 * share == pytest.approx(upper.lines[0].get_ydata()[1])


# Odd studies


@pytest.mark.parametrize(
    ("what", "drawn"),
    [
        ("few days", 4), ("no bar", 4), ("network only", 3), ("no network", 0), ("one epoch", 4), ("five days", 4),
        ("no interval", 3), ("nothing came", 2),
    ],
)  # fmt: skip
def test_odd_studies_are_drawn_or_refused_in_words(what, drawn, one):
    quick = {**QUICK, "first": 400}
    if what == "few days":
        study = volatility(made(460), **{**quick, "first": 420})
    elif what == "no bar":
        study = volatility(made(), **{**quick, "models": ["persistence", NETWORK]})
    elif what == "network only":
        study = volatility(made(), **{**quick, "models": [NETWORK]})
    elif what == "no network":
        study = volatility(made(), **{**quick, "models": ["persistence", "HAR-X"]})
    elif what == "one epoch":
        study = volatility(made(), **{**quick, "settings": Settings(units=(4,), seeds=1, epochs=1)})
    elif what == "five days":
        study = volatility(made(), horizon=5, **quick)
    elif what == "no interval":
        study = replaced(one, intervals={})
    else:
        rows = len(one.walk.series[0].dates)
        study = replaced(one, actual=np.full(rows, np.nan), target_dates=np.full(rows, "NaT", "datetime64[D]"))
    refused = []
    for plot in ALL:
        try:
            plot(study).canvas.draw()
        except InputError as error:
            refused.append(str(error))
    assert len(ALL) - len(refused) == drawn
    assert all("study" in said for said in refused)


def test_pictures_are_found_by_name_and_the_study_plots_itself(one):
    for name in ("plot_forecasts", "plot_window_curves", "plot_loss_differences", "plot_coverage"):
        assert callable(getattr(hw.plots, name))
    assert titles(one.plot())[0].startswith("made, all ")
