"""The demo: honest splits, an average that is one, and a verdict that follows from the numbers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hillwalker import demo
from hillwalker.finance import load_sp500, volatility_features
from hillwalker.models import load_model
from hillwalker.tables import TableEncoder


@pytest.fixture(scope="module")
def finished() -> demo.Demo:
    return demo.run(members=3)


def test_the_split_is_60_20_20_in_time(finished):
    days = len(finished.features.y)
    parts = [finished.training, finished.validation, finished.test]
    lengths = [part.stop - part.start for part in parts]
    assert sum(lengths) == days
    np.testing.assert_allclose(np.array(lengths) / days, [0.6, 0.2, 0.2], atol=0.001)
    assert finished.features.target_dates[finished.training][-1] < finished.features.dates[finished.test][0]


def test_the_scaling_and_the_network_know_no_test_day(finished, monkeypatch):
    features = volatility_features(load_sp500())
    later = np.arange(len(features.y)) >= finished.test.start
    corrupted = dataclasses.replace(
        features,
        X=np.where(later[:, np.newaxis], 2 * features.X + 1, features.X),
        y=np.where(later, features.y - 5, features.y),
    )
    monkeypatch.setattr(demo, "volatility_features", lambda prices: corrupted)
    other = demo.run(members=3)
    assert other.model.preprocessing == finished.model.preprocessing
    for name, forecast in finished.forecasts.items():
        np.testing.assert_array_equal(forecast[~later], other.forecasts[name][~later])
    assert not np.array_equal(finished.forecasts["network"][later], other.forecasts["network"][later])


def test_the_network_beats_persistence_on_days_it_never_saw(finished):
    assert finished.scores["network"]["QLIKE"] < 0.8 * finished.scores["persistence"]["QLIKE"]
    assert finished.chances["persistence"] < 0.001


def test_the_averaged_network_is_the_mean_of_its_members():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(200, 4)).astype(np.float32), random.normal(size=200).astype(np.float32)
    members = [demo.train_member(X[:150], y[:150], X[150:], y[150:], seed)[0] for seed in range(3)]
    mean = np.mean([member.predict(X, verbose=0) for member in members], axis=0)
    np.testing.assert_allclose(demo.average(members).predict(X, verbose=0), mean, atol=1e-5)


def test_the_verdict_says_what_the_numbers_say(finished):
    ahead = dataclasses.replace(finished, chances=dict.fromkeys(finished.chances, 0.01))
    level = dataclasses.replace(finished, chances=dict.fromkeys(finished.chances, 0.5))
    assert demo.verdict(ahead)[0].startswith("The network beats persistence")
    assert all("cannot be told apart" in sentence for sentence in demo.verdict(level))
    scores = {**finished.scores, "log-HAR": {**finished.scores["log-HAR"], "QLIKE": 0.1}}
    assert demo.verdict(dataclasses.replace(ahead, scores=scores))[1].startswith("The network loses to log-HAR")


def test_ctrl_c_ends_the_demo_with_the_members_it_has(monkeypatch):
    whole = demo.train_member

    def interrupted(*arguments):
        model, history = whole(*arguments)
        return model, dataclasses.replace(history, interrupted=True)

    monkeypatch.setattr(demo, "train_member", interrupted)
    assert len(demo.run(members=3).histories) == 1


def test_main_writes_four_files_and_says_where(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(demo, "run", lambda: finished)
    said: list[str] = []
    demo.main(tmp_path / "out", say=said.append)
    text = "\n".join(said)
    names = {"report.html", "curves.png", "predicted_vs_actual.png", "model.safetensors"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {".hillwalker"}
    assert all(name in text for name in names)
    assert "persistence" in text
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 2
    assert demo.verdict(finished)[0].replace(" %", "&nbsp;%").replace("<", "&lt;") in html
    model = load_model(tmp_path / "out" / "model.safetensors")
    encoder = TableEncoder.from_config(json.loads(json.dumps(model.preprocessing)))
    X, _ = demo.scale(finished.features, encoder)
    forecast = encoder.target.decode(model.predict(X, verbose=0))
    np.testing.assert_allclose(forecast, finished.forecasts["network"], atol=1e-5)
