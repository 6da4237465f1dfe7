"""Scores, against scikit-learn and numbers worked by hand; and how often chance is called a lead."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from hillwalker.scores import chance, classification_scores, in_words, regression_scores


def test_regression_scores_are_scikit_learns():
    random = np.random.default_rng(0)
    actual, predicted = random.normal(size=50), random.normal(size=50)
    scores = regression_scores(actual, predicted)
    assert scores["RMSE"] == pytest.approx(metrics.root_mean_squared_error(actual, predicted))
    assert scores["MAE"] == pytest.approx(metrics.mean_absolute_error(actual, predicted))
    assert scores["R²"] == pytest.approx(metrics.r2_score(actual, predicted))


def test_classification_scores_are_scikit_learns():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), size=60)
    labels = random.integers(0, 3, size=60)
    scores = classification_scores(labels, probabilities)
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(labels, probabilities.argmax(axis=1)))
    assert scores["log loss"] == pytest.approx(metrics.log_loss(labels, probabilities))


def test_chance_is_the_normal_test_of_a_mean():
    difference = np.array([0.0, 1.0, 1.0, 2.0])  # mean 1, variance 1/2: z = 1 / sqrt(1/8) = 2.828; p = .00468
    assert chance(difference, np.zeros(4), in_time=False) == pytest.approx(0.004678, abs=1e-6)
    assert chance(np.ones(5), np.ones(5), in_time=True) == 1.0
    assert chance(np.ones(5), np.zeros(5), in_time=False) == 0.0


def test_equal_forecasts_with_clustered_losses_are_rarely_called_different():
    random = np.random.default_rng(0)
    called = {True: 0, False: 0}
    for _ in range(300):
        noise = random.normal(size=503)
        d = noise[:-3] + noise[1:-2] + noise[2:-1] + noise[3:]  # neighbours share three quarters of their noise
        for in_time in called:
            called[in_time] += chance(d, np.zeros(500), in_time) < 0.05
    assert called[True] < 40  # 5 % would be 15; the rule of thumb errs a little to the bold side
    assert called[False] > 80  # what goes wrong without it


def test_a_lead_that_may_be_chance_is_not_called_a_lead():
    assert (
        in_words(0.40, 0.41, "HAR", "QLIKE", 0.2)
        == "The network cannot be told apart from HAR: QLIKE 0.4 against 0.41 (p = 0.2)."
    )
    assert in_words(0.5, 0.4, "HAR", "QLIKE", 0.01).startswith(
        "The network loses to HAR: QLIKE 0.5 against 0.4, 25.0 % higher"
    )
