"""What the outcomes of two runs of a suite say: kept, lost, allowed, reach. Pure: no files, no processes."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PASSING = frozenset({"passed", "xfailed"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended, and how many requests it made on the way."""

    result: str  # passed | failed | error | skipped | xfailed | xpassed | missing
    seconds: float = 0.0
    why: str = ""  # the end of the failure's text
    sent: int = 0  # requests that any client of an HTTP package sent
    asked: int = 0  # calls of `request()` of any SDK client
    hooked: int = 0  # calls of our classes' send hook
    piped: int = 0  # calls that went through our pipeline

    @property
    def sends(self) -> bool:
        """True when an SDK client sent something; fetching a token with a bare HTTP client does not count."""
        return bool(self.sent and self.asked)

    @property
    def passes(self) -> bool:
        """True for the results that a suite counts as good."""
        return self.result in PASSING


Outcomes = Mapping[str, Outcome]


def read(document: Mapping[str, Any]) -> dict[str, Outcome]:
    """The outcomes that the plugin wrote, under the ids that the vanilla SDK's tests have."""
    rename = _renamer(document["renamed"])
    return {rename(test): Outcome(*fields) for test, fields in document["outcomes"].items()}


def write(outcomes: Outcomes) -> dict[str, Any]:
    """The inverse of `read`, for the kept baseline."""
    return {"renamed": {}, "outcomes": {test: list(asdict(o).values()) for test, o in outcomes.items()}}


def _renamer(renamed: Mapping[str, str]) -> Any:
    """A test's id holds the names of classes it is parametrized with: ours become the SDK's."""
    pattern = re.compile("|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in renamed) or "(?!)")

    def vanilla(test: str) -> str:
        name, bracket, case = test.partition("[")
        return name + bracket + pattern.sub(lambda match: renamed[match[0]], case)

    return vanilla


def passing(outcomes: Outcomes) -> set[str]:
    """The tests that pass."""
    return {test for test, outcome in outcomes.items() if outcome.passes}


def lost(vanilla: Outcomes, ours: Outcomes) -> dict[str, Outcome]:
    """Tests that pass with the vanilla SDK and not with our classes; a test that did not run is lost too."""
    return {
        test: ours.get(test, Outcome("missing"))
        for test in sorted(passing(vanilla))
        if not ours.get(test, Outcome("missing")).passes
    }


def patterns(text: str) -> list[str]:
    """The lines of an allow-list: test ids or `fnmatch` patterns of ids without their case; `#` begins a comment."""
    lines = (re.split(r"(?:^|\s)#", line)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def allowed(tests: Iterable[str], wanted: Iterable[str]) -> set[str]:
    """The tests that an allow-list covers."""
    known = list(wanted)
    return {t for t in tests if any(t == p or fnmatch.fnmatchcase(t.split("[")[0], p) for p in known)}


@dataclass(frozen=True, slots=True)
class Reach:
    """Of the tests in which an SDK client sent a request, which sent one through us."""

    through: frozenset[str]
    around: frozenset[str]

    @property
    def share(self) -> float:
        """0 to 1; 0 when no test sent anything, since then nothing was shown."""
        total = len(self.through) + len(self.around)
        return len(self.through) / total if total else 0.0


def reach(tests: Iterable[str], outcomes: Outcomes, by: str) -> Reach:
    """The reach of our `hooked` or `piped` layer over these tests."""
    senders = {t: outcomes[t] for t in tests if t in outcomes and outcomes[t].sends}
    through = frozenset(t for t, outcome in senders.items() if getattr(outcome, by))
    return Reach(through, frozenset(senders) - through)


def counts(outcomes: Outcomes) -> dict[str, int]:
    """How many tests ended in which way."""
    return dict(sorted(Counter(outcome.result for outcome in outcomes.values()).items()))


def functions(tests: Iterable[str]) -> list[str]:
    """One line for each test function, with the number of its cases where it is not one."""
    found = sorted(Counter(test.split("[")[0] for test in tests).items())
    return [name if n == 1 else f"{name} ({n} cases)" for name, n in found]


def reason(outcome: Outcome) -> str:
    """The last line of a failure that names an exception or an assertion, else its last line."""
    said = [line[1:].strip() for line in outcome.why.splitlines() if line.startswith("E ")]
    telling = [line for line in said if re.match(r"[\w.]*(Error|Exception|Failed|Warning|assert)\b", line)]
    return (telling or said or [outcome.result])[-1][:160]


def reasons(outcomes: Iterable[Outcome]) -> list[str]:
    """The reasons of many failures, the most frequent first, with their numbers."""
    return [f"{n} x {why}" for why, n in Counter(reason(outcome) for outcome in outcomes).most_common()]


@dataclass(frozen=True, slots=True)
class Wire:
    """Kinds of request that reached the mock API in both runs, and in one of them only."""

    same: int
    before_only: tuple[str, ...]
    after_only: tuple[str, ...]


def wire(before: Iterable[Mapping[str, str]], after: Iterable[Mapping[str, str]]) -> Wire:
    """Compares which requests were sent, not how often: retries and connection tests vary."""

    def kinds(lines: Iterable[Mapping[str, str]]) -> set[tuple[str, str, str]]:
        return {(line["m"], line["t"].partition("?")[0], line["d"]) for line in lines}

    def names(found: set[tuple[str, str, str]]) -> tuple[str, ...]:
        return tuple(sorted({f"{method} {target}" for method, target, _ in found}))

    old, new = kinds(before), kinds(after)
    return Wire(len(old & new), names(old - new), names(new - old))
