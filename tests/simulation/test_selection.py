"""The simulator of selection itself: the same seed gives the same world, the oracle knows best, rules do what they say."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from world import data
from world.data import Paths
from world.figures import figures
from world.network import Asked, Site, View, kinds
from world.rules import RULES, LiteLLM, MongoDB, PeakEwma
from world.running import Setting, run
from world.weather import Weather

from edgeclient.values import Call, Endpoint, Failure, Outcome, Reply

MINUTES = 10.0
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = data.continents(3, clients=8, pops=5)
A, B = Endpoint("0"), Endpoint("1")


def _figures(kind: str, rule: str, paths: Paths = SMALL, seed: int = 1) -> dict[str, float]:
    oracle, mine = (run(kind, RULES[name], seed, paths, MINUTES * 60, fast=True) for name in ("oracle", rule))
    return figures(mine, oracle, paths)


@pytest.mark.parametrize("kind", kinds())
def test_a_seed_gives_the_same_figures_again(kind: str) -> None:
    assert _figures(kind, "edgeclient") == _figures(kind, "edgeclient")


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_is_better_than_knowing_everything(rule: str) -> None:
    found = _figures("gateway", rule)
    assert found["mean"] >= 0.999 and found["p50"] >= 0.97


def test_every_rule_meets_the_same_luck() -> None:
    runs = [run("inference", RULES[name], 2, SMALL, 300.0, fast=True) for name in ("random", "edgeclient")]
    told = [[(asked.at, asked.central_s, asked.luck) for asked in one.asked] for one in runs]
    assert told[0] == told[1] and len(told[0]) > 200


def test_edgeclient_is_near_the_oracle_and_cheap() -> None:
    found = _figures("gateway", "edgeclient", data.planetlab())
    assert found["mean"] < 1.2 and found["wasted"] <= 4 and found["probes"] < 130 * 90 / MINUTES


def test_by_the_answer_the_slower_of_two_products_is_left() -> None:
    found = {rule: _figures("products", rule) for rule in ("edgeclient", "edgeclient_answer")}
    assert found["edgeclient_answer"]["mean"] < 0.8 * found["edgeclient"]["mean"]


def test_by_the_answer_is_by_the_path_where_there_is_one_product() -> None:
    by_path, by_answer = (
        run("inference", RULES[rule], 1, SMALL, MINUTES * 60, fast=True) for rule in ("edgeclient", "edgeclient_answer")
    )
    assert by_path.went == by_answer.went


def test_without_probes_none_are_sent_and_calls_find_the_nearest() -> None:
    found = _figures("gateway", "edgeclient_unprobed", data.planetlab())
    assert found["probes"] == 0 and found["mean"] < 1.25


def test_a_connection_that_is_not_waited_for_does_not_come() -> None:
    view = View(Site(SMALL, Weather(1, 8, 5, 600.0), inference=False), 0, fast=True)
    call = Call("openai", "POST", "", "/chat/completions")
    view.asked[id(call)] = asked = Asked(0, 0.0, 0.4, (0.5, 0.5, 0.5, 0.5))
    view.patience_s = 0.001
    assert view.answer(call, A, 1.0) == (0.001, Failure.CONNECT_TIMEOUT)
    view.patience_s = 1.0
    after_s, reply = view.answer(call, A, 1.0)
    assert isinstance(reply, Reply) and reply.cold and after_s > 3 * view.round_trip_s(asked, 0, 1.0)
    view.patience_s = 0.001
    assert isinstance(view.answer(call, A, 2.0)[1], Reply), "it is there already"


def _setting(seed: int = 1) -> Setting:
    nothing: Any = None
    return Setting((A, B), random.Random(seed), 0, nothing, nothing)


def test_litellm_locks_out_what_was_slow_once() -> None:
    rule = LiteLLM(_setting())
    rule.record(Outcome(A, Failure.CONNECT_TIMEOUT, took_s=1.0), 0.0)
    for now in range(200):
        rule.record(Outcome(B, took_s=0.9), float(now))
        assert rule.plan((A, B), float(now))[0][0] is B


def test_mongodb_spreads_within_its_window_and_not_beyond() -> None:
    rule = MongoDB(_setting())
    rule.probed(A, [0.010], 0.0, 0.01)
    rule.probed(B, [0.024], 0.0, 0.01)
    assert {rule.plan((A, B), 1.0)[0][0] for _ in range(50)} == {A, B}
    rule.probed(B, [0.200], 10.0, 0.01)
    assert {rule.plan((A, B), 11.0)[0][0] for _ in range(50)} == {A}


def test_a_peak_replaces_the_average_at_once_and_decays() -> None:
    peak = PeakEwma()
    peak.add(0.1, 0.0)
    peak.add(2.0, 1.0)
    assert peak.now(1.0) == 2.0 and peak.now(11.0) == pytest.approx(2.0 / 2.718, rel=0.01)


def test_a_world_from_a_file(tmp_path: Path) -> None:
    good = {"rtt_ms": [[10.0, 20.0]], "mdev_ms": [[1.0, 1.0]], "leg_ms": [5.0, 5.0]}
    numpy.savez(tmp_path / "w.npz", **{name: numpy.array(value) for name, value in good.items()})
    assert data.load(tmp_path / "w.npz").rtt_s == [[0.01, 0.02]]
    for broken in ({"leg_ms": [5.0]}, {"rtt_ms": [[-1.0, 20.0]]}):
        numpy.savez(tmp_path / "b.npz", **{name: numpy.array(value) for name, value in {**good, **broken}.items()})
        with pytest.raises(ValueError, match=r"b\.npz"):
            data.load(tmp_path / "b.npz")


def test_the_command_writes_figures_and_a_picture(tmp_path: Path) -> None:
    out, picture = tmp_path / "out.json", tmp_path / "out.svg"
    command = [sys.executable, str(BENCHMARKS / "selection.py"), "--world", "hubs", "--seeds", "1", "--minutes", "5"]
    options = ["--kinds", "gateway", "--rules", "edgeclient,mongodb", "--json", str(out), "--picture", str(picture)]
    said = subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout
    row = json.loads(out.read_text())["kinds"]["gateway"]["edgeclient"]
    assert set(row) == {"mean", "p50", "p99", "slow", "wasted", "back_s", "switches", "probes"}
    assert "emulated" in said and picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("options", "said"), [(["--rules", "x"], "unknown rule 'x'"), (["--world", "no.npz"], "--world no.npz")]
)
def test_bad_input_is_named(options: list[str], said: str) -> None:
    command = [sys.executable, str(BENCHMARKS / "selection.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
