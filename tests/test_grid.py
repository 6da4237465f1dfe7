"""A comparison laid out by two settings, and its map."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.choosing import Comparison
from hillwalker.errors import InputError
from hillwalker.layers import Dense, Input
from hillwalker.plots import plot_heatmap


def comparison(scores, settings, metric="val_loss", failed=None) -> Comparison:
    """Return a comparison of one epoch whose scores are these, (variants, seeds)."""
    values = np.asarray(scores, float)[:, :, np.newaxis]
    shape = values.shape
    failed = np.zeros(shape, bool) if failed is None else np.asarray(failed, bool)[:, :, np.newaxis]
    labels = tuple(", ".join(f"{name}={value}" for name, value in one.items()) for one in settings)
    return Comparison(
        labels, tuple(settings), tuple(range(shape[1])), metric, 0, {metric: values[..., np.newaxis]},
        np.ones(shape, np.int64), np.zeros(shape, np.int64), failed, np.ones(shape, bool), np.ones(shape),
        np.zeros(shape), np.ones(shape[0]), 0.0,
    )  # fmt: skip


FOUR = [{"rate": rate, "size": size} for rate in (0.1, 0.01) for size in (8, 64)]
SEEDS = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])


def test_means_lie_where_their_settings_say():
    grid = comparison([[1.0, 3.0], [2.0, 2.0], [4.0, 4.0], [5.0, 7.0]], FOUR).grid("rate", "size")
    assert (grid.x_labels, grid.y_labels) == (("0.01", "0.1"), ("8", "64"))  # numbers from the lowest up
    assert grid.means.tolist() == [[4.0, 2.0], [6.0, 2.0]]
    turned = comparison([[1.0, 3.0], [2.0, 2.0], [4.0, 4.0], [5.0, 7.0]], FOUR).grid("size")
    assert turned.y == "rate"
    assert turned.means.tolist() == grid.means.T.tolist()


def test_cells_as_good_as_the_best_are_marked():
    wild = [1.1, 1.2, 1.3, 50.0, 90.0, 400.0]  # always worse, by means that nothing can be told from
    scores = [1.0 + SEEDS, 1.0 + SEEDS[::-1], 1.1 + SEEDS, wild]
    grid = comparison(scores, FOUR).grid("rate", "size")
    assert grid.best == (0, 1)
    assert grid.as_good.tolist() == [[False, True], [False, True]]
    most = comparison(-np.array(scores), FOUR, metric="val_accuracy").grid("rate", "size")
    assert most.best == grid.best
    assert most.as_good.tolist() == grid.as_good.tolist()


def test_failed_runs_are_counted_and_never_best():
    scores = [[1.0, 1.0], [0.1, np.nan], [2.0, 2.0], [np.nan, np.nan]]
    grid = comparison(scores, FOUR, failed=np.isnan(scores)).grid("rate", "size")
    assert grid.failed.tolist() == [[0, 0], [2, 1]]
    assert grid.means[1].tolist() == [math.inf, 0.1]
    assert grid.best == (0, 1)
    assert not grid.as_good[1].any()


def test_where_more_settings_vary_a_cell_is_its_best_variant():
    settings = [one | {"depth": depth} for one in FOUR for depth in (1, 2)]
    grid = comparison([[score] for score in (5, 1, 6, 2, 3, 7, 8, 4)], settings).grid("rate", "size")
    assert grid.means.tolist() == [[3.0, 1.0], [4.0, 2.0]]
    assert grid.others == ("depth",)
    assert "each at its best depth" in plot_heatmap(grid).axes[0].get_title(loc="left")


def test_pairs_that_were_not_tried_stay_empty():
    grid = comparison([[1.0], [2.0]], [{"rate": 0.1, "size": 8}, {"rate": 0.2, "size": 16}]).grid()
    assert np.isnan(grid.means).tolist() == [[False, True], [True, False]]
    told = json.loads(json.dumps(grid.to_dict(), allow_nan=False))
    assert told["means"] == [[1.0, None], [None, 2.0]]
    frame = grid.to_frame()
    assert list(frame.columns) == ["rate", "size", "val_loss", "failed", "as_good"]
    assert len(frame) == 4


def test_the_picture_shows_the_numbers():
    scores = [[1.0, 3.0], [2.0, 2.0], [4.0, 4.0], [np.nan, np.nan]]
    figure = comparison(scores, FOUR, failed=np.isnan(scores)).plot(kind="heatmap", x="rate", y="size")
    axes = figure.axes[0]
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert texts["4"] == (0, 0)
    assert texts["failed"] == (0, 1)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.01", "0.1"]
    hatched = [patch.get_xy() for patch in axes.patches if patch.get_hatch()]
    assert hatched == [(-0.5, 0.5)]
    image = axes.images[0].get_array()
    assert image[0, 1] == 2.0
    assert np.ma.getmaskarray(image)[1, 0]


def test_a_large_map_has_no_numbers_in_it():
    settings = [{"rate": rate, "size": size} for rate in range(13) for size in range(3)]
    figure = comparison([[float(number)] for number in range(39)], settings).plot(kind="heatmap")
    assert not figure.axes[0].texts


def test_a_few_far_off_do_not_take_all_colours():
    settings = [{"rate": rate, "size": size} for rate in range(5) for size in range(2)]
    scores = [[1.0 + 0.01 * number] for number in range(9)] + [[1e6]]
    figure = comparison(scores, settings).plot(kind="heatmap")
    assert figure.axes[0].images[0].norm.vmax < 1.3
    assert "1e+06" in {text.get_text() for text in figure.axes[0].texts}


def test_from_real_runs():
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 3)).astype(np.float32)
    model = hw.Sequential([Input((3,)), Dense(4, activation="relu"), Dense(1)])
    model.compile("sgd", "mse")
    vary = {"learning_rate": [0.001, 0.1], "batch_size": [10, 40], "activation": ["relu", "tanh"]}
    found = hw.compare(model, X, X[:, 0], vary, seeds=3, epochs=5, verbose=0)
    grid = found.grid("activation", "learning_rate")
    assert grid.x_labels == ("relu", "tanh")
    assert grid.means[grid.best] == pytest.approx(found.table[0].mean)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"kind": "heat"}, "'heatmap'"),
        ({"kind": "heatmap", "x": "rat"}, "'rate'"),
        ({"kind": "heatmap", "x": "rate", "y": "rate"}, "two settings"),
        ({"kind": "heatmap", "metric": "loss"}, "metric='loss' for a heat map"),
        ({"x": "rate"}, "x and y for curves"),
    ],
    ids=str,
)
def test_bad_input_is_refused(told, words):
    with pytest.raises(InputError, match=words):
        comparison([[1.0]] * 4, FOUR).plot(**told)


def test_one_setting_makes_no_map():
    with pytest.raises(InputError, match="in which rate varies"):
        comparison([[1.0], [2.0]], [{"rate": 1}, {"rate": 2}]).plot(kind="heatmap")
