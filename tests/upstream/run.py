#!/usr/bin/env python3
"""Conformance: the openai and anthropic SDKs' own test suites, run against edgeclient's client classes.

    python tests/upstream/run.py openai                                   what CI runs: the quick set, without settings
    python tests/upstream/run.py anthropic --settings pipeline            every call through the pipeline, cache off
    python tests/upstream/run.py openai --mode full                       the whole suite (minutes)
    python tests/upstream/run.py openai --venv DIR --sdk openai==2.54.0   in an environment that it makes itself

It takes the sdist of the installed SDK version through pip, starts a mock API built from that SDK's resource methods
(loopback only), runs the tests with the vanilla SDK and again with our classes in its place, and compares. The vanilla
outcomes are kept in the work folder until the SDK, Python, an installed package or this harness changes. Lost tests are
run once more, alone, and only those that fail again are lost: a few tests are sensitive to load.

Exit status: 0 when nothing is lost beyond the allow-list (and, with `--settings pipeline`, the reach is at least 99 %),
1 when something is, 2 when the suite cannot run here.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import compare
import suites
import venvs
from runner import (
    HERE,
    ROOT,
    MockAPI,
    SetupProblem,
    Suite,
    Swap,
    check_library,
    check_needs,
    fingerprint,
    get_sdist,
    log,
)

LEAST_REACH = 0.99
MOST_RERUN = 400  # more lost than this is no flakiness
MOST_PRINTED = 60  # lost tests by name; the reasons are printed of all

VARIABLES = {"none": (), "pipeline": (("EDGECLIENT_NOTES", "true"),)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one comparison found."""

    vanilla: compare.Outcomes
    ours: compare.Outcomes
    vanilla_s: float
    ours_s: float
    lost: dict[str, compare.Outcome]
    allowed: frozenset[str]
    flaky: frozenset[str]
    reach: compare.Reach
    least_reach: float
    wire: compare.Wire | None

    @property
    def unexpected(self) -> dict[str, compare.Outcome]:
        """Lost, and not on the allow-list."""
        return {test: outcome for test, outcome in self.lost.items() if test not in self.allowed}

    @property
    def good(self) -> bool:
        """True when CI may go on."""
        return not self.unexpected and self.reach.share >= self.least_reach


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that what was started is ended
    options = _options()
    package: str = options.package
    pins = [*options.sdk, *([f"{package}=={options.version}"] if options.version else [])]
    try:
        if options.venv:
            venvs.enter(Path(options.venv), pins, library=not options.dropin)
        elif options.sdk:
            raise SetupProblem("--sdk says what to install into --venv DIR; without it the installed SDK is used")
        check_needs(package)
        if not (options.dropin or options.vanilla):
            check_library(package)
        version = importlib.metadata.version(package)
        if options.version not in ("", version):
            raise SetupProblem(f"{package} {version} is here:\n    pip install '{package}=={options.version}'")
        return _judge(options, package, version)
    except SetupProblem as problem:
        log(problem)
        return 2


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", choices=["openai", "anthropic"])
    parser.add_argument("--mode", choices=["quick", "full"], default="quick")
    parser.add_argument("--settings", choices=list(VARIABLES), default="none", help="what edgeclient finds set")
    parser.add_argument("--work", default=str(ROOT / ".cache" / "upstream"), help="folder for sdists and outcomes")
    parser.add_argument("--version", default="", help="the SDK version it must be; with --venv, the one to install")
    parser.add_argument("--venv", help="make (or reuse) a virtual environment there and run in it")
    parser.add_argument("--sdk", nargs="+", default=[], metavar="PIN", help="versions for --venv: openai==2.54.0 ...")
    parser.add_argument("--dropin", help="another module with replacing classes, instead of edgeclient's")
    parser.add_argument("--vanilla", action="store_true", help="only the vanilla SDK: the baseline")
    parser.add_argument("--fresh", action="store_true", help="measure the baseline again")
    parser.add_argument("--only", action="append", default=[], help="a file, folder or test id of the suite")
    parser.add_argument("--allow", help="file with tests that may be lost; default: allow_<package>.txt")
    parser.add_argument("--wire", action="store_true", help="also compare the requests that reached the mock API")
    parser.add_argument("--json", help="write the result there")
    parser.add_argument("-n", "--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--limit", type=float, default=1500, help="seconds that one run may take")
    return parser.parse_args()


def _judge(options: argparse.Namespace, package: str, version: str) -> int:
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    suite = Suite(package, get_sdist(package, version, work), options.jobs, options.limit)
    _refuse_settings_file(suite.sdist)
    targets = options.only or suites.targets(package, suite.sdist, options.mode)
    label = f"{package}-{version}-py{platform.python_version()}-{'only' if options.only else options.mode}"
    print(f"{package} {version}, Python {platform.python_version()}, {options.mode}, settings: {options.settings}")

    baseline = work / f"vanilla-{label}.json"
    fresh = options.fresh or bool(options.only)
    vanilla, vanilla_s = _vanilla(suite, targets, baseline, fresh=fresh, wire=options.wire)
    passing = compare.passing(vanilla)
    print(f"  vanilla: {len(passing)} pass, in {vanilla_s:.1f} s; {compare.counts(vanilla)}", flush=True)
    if not passing:
        raise SetupProblem(f"nothing passes with the vanilla SDK; see {baseline.with_suffix('.log')}")
    if options.vanilla:
        return 0

    out = work / f"{options.settings}-{label}.json"
    allow = Path(options.allow) if options.allow else HERE / f"allow_{package}.txt"
    wire = baseline.with_suffix(".wire") if options.wire else None
    verdict = _ours(suite, targets, _swap(options), (vanilla, vanilla_s), out, allow, wire)
    _print(verdict)
    if options.json:
        Path(options.json).write_text(json.dumps({**vars(options), "version": version, **_as_json(verdict)}, indent=1))
    return 0 if verdict.good else 1


def _refuse_settings_file(folder: Path) -> None:
    """An `edgeclient.toml` above the work folder would be found by the tests, and change what they show."""
    found = next((above / "edgeclient.toml" for above in folder.parents if (above / "edgeclient.toml").exists()), None)
    if found:
        raise SetupProblem(f"{found} would apply to the tests; choose a --work folder that is not below it")


def _swap(options: argparse.Namespace) -> Swap:
    dropin = options.dropin or f"edgeclient.{options.package}"
    # The door looks `respond` up in its module at each call, so that this is where all calls pass.
    counted = "edgeclient.pipeline:respond" if options.settings == "pipeline" and not options.dropin else ""
    return Swap(dropin, counted, VARIABLES[options.settings])


def _vanilla(
    suite: Suite, targets: list[str], kept: Path, *, fresh: bool, wire: bool
) -> tuple[dict[str, compare.Outcome], float]:
    """The outcomes without us, and how long they took; measured once for each state of the environment."""
    state = fingerprint()
    log_of_mock = kept.with_suffix(".wire") if wire else None
    if kept.exists() and not fresh and (log_of_mock is None or log_of_mock.exists()):
        document = json.loads(kept.read_text("utf-8"))
        if document["state"] == state:
            return compare.read(document), document["seconds"]
    log("running the vanilla SDK's tests ...")
    started = time.monotonic()
    with MockAPI(suite.package, log_of_mock) as mock:
        outcomes = suite.run(targets, Swap(), mock.port, kept)
    seconds = round(time.monotonic() - started, 1)
    kept.write_text(json.dumps({"state": state, "seconds": seconds, **compare.write(outcomes)}), "utf-8")
    return outcomes, seconds


def _ours(
    suite: Suite,
    targets: list[str],
    swap: Swap,
    vanilla: tuple[compare.Outcomes, float],
    out: Path,
    allow: Path,
    vanilla_wire: Path | None,
) -> Verdict:
    """The same tests with our classes; the lost ones a second time, alone."""
    log(f"running the tests with {swap.dropin} ...")
    started = time.monotonic()
    log_of_mock = out.with_suffix(".wire") if vanilla_wire else None
    with MockAPI(suite.package, log_of_mock) as mock:
        ours = suite.run(targets, swap, mock.port, out)
        seconds = round(time.monotonic() - started, 1)
    wire = _wire(vanilla_wire, log_of_mock) if vanilla_wire and log_of_mock else None
    lost = compare.lost(vanilla[0], ours)
    again: dict[str, compare.Outcome] = {}
    if 0 < len(lost) <= MOST_RERUN:
        log(f"running {len(lost)} lost tests again, alone ...")
        with MockAPI(suite.package) as mock:
            again = suite.run(sorted(lost), swap, mock.port, out.with_name(f"again-{out.name}"), alone=True)
    flaky = frozenset(compare.passing(again) & lost.keys())
    lost = {test: again.get(test, outcome) for test, outcome in lost.items() if test not in flaky}
    passing = compare.passing(vanilla[0])
    allowed = compare.allowed(passing, compare.patterns(allow.read_text("utf-8")) if allow.exists() else [])
    return Verdict(
        vanilla=vanilla[0],
        ours=ours,
        vanilla_s=vanilla[1],
        ours_s=seconds,
        lost=lost,
        allowed=frozenset(allowed & lost.keys()),
        flaky=flaky,
        reach=compare.reach(passing - allowed, ours, "piped" if swap.pipeline else "hooked"),
        least_reach=LEAST_REACH if swap.pipeline else 0.0,
        wire=wire,
    )


def _wire(before: Path, after: Path) -> compare.Wire:
    with before.open() as old, after.open() as new:
        return compare.wire(map(json.loads, old), map(json.loads, new))


def _print(verdict: Verdict) -> None:
    total = len(compare.passing(verdict.vanilla))
    print(f"  ours:    {total - len(verdict.lost)} of them kept, {len(verdict.lost)} lost, in {verdict.ours_s:.1f} s")
    for test, outcome in sorted(verdict.unexpected.items())[:MOST_PRINTED]:
        print(f"    lost {test}: {compare.reason(outcome)}")
    if len(verdict.unexpected) > MOST_PRINTED:
        print(f"    ... and {len(verdict.unexpected) - MOST_PRINTED} more (--json FILE has all). The reasons of all:")
        for line in compare.reasons(verdict.unexpected.values())[:20]:
            print(f"      {line}")
    for line in compare.functions(verdict.allowed):
        print(f"    lost, as allowed: {line}")
    for line in compare.functions(verdict.flaky):
        print(f"    failed once, passed alone: {line}")
    reach = verdict.reach
    senders = len(reach.through) + len(reach.around)
    print(f"  reach:   {len(reach.through)} of the {senders} tests that send, {reach.share:.2%}, send through us")
    for line in compare.functions(reach.around):
        print(f"    around us: {line}")
    if verdict.wire:
        print(f"  on the wire: {verdict.wire.same} kinds of request are the same")
        for word, names in (("vanilla only", verdict.wire.before_only), ("ours only", verdict.wire.after_only)):
            for name in names:
                print(f"    {word}: {name}")
    print(f"  {'good' if verdict.good else 'NOT GOOD'}")


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "passing": len(compare.passing(verdict.vanilla)),
        "vanilla": compare.counts(verdict.vanilla),
        "ours": compare.counts(verdict.ours),
        "vanilla_s": verdict.vanilla_s,
        "ours_s": verdict.ours_s,
        "lost": {test: outcome.why for test, outcome in sorted(verdict.lost.items())},
        "allowed": sorted(verdict.allowed),
        "flaky": sorted(verdict.flaky),
        "through": len(verdict.reach.through),
        "around": sorted(verdict.reach.around),
        "good": verdict.good,
    }


if __name__ == "__main__":
    sys.exit(main())
