"""Every failure that a system documents leads to the right action: go on elsewhere, or hand the answer to the caller."""

from __future__ import annotations

import anthropic
import openai
import pytest

import edgeclient
from edgeclient.lab.systems.serving import Serving

from .asking import ask
from .cases import CASES, SECRET, own
from .conftest import Running, client_of

pytestmark = pytest.mark.anyio

ALL = [(name, failure) for name, case in CASES.items() for failure in case.outcomes]


@pytest.mark.parametrize(("running", "failure"), ALL, indirect=["running"])
async def test_a_documented_failure(running: Running, colour: str, failure: str) -> None:
    expected = running.case.outcomes[failure]
    with Serving(running.case.emulator(SECRET)) as other:
        for name, value in running.case.set.items():
            setattr(other.emulator, name, value)
        sign = "&" if "?" in running.case.preset else "?"
        second = {"url": f"{running.case.preset}{sign}host={other.url}", "name": "second", **own(running.case.key)}
        edge = running.edge(endpoints=[running.endpoint(name="first"), second])
        running.emulator.next = [failure]
        what = running.client("chat")
        async with client_of(edge, what, colour) as client:
            if expected in ("ok", "too_long"):  # too long for one of its sites is too long for all
                with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
                    await ask(client, what, running.model(what))
                assert not other.emulator.seen, "an answer for the caller is not asked for again elsewhere"
                assert [s.state for s in edge.status().endpoints] == ["ready", "ready"]
                (event,) = edge.events()
                assert [(a.endpoint, a.outcome) for a in event.notes.tried] == [("first", expected)]
                return
            notes = edgeclient.notes(await ask(client, what, running.model(what)))
        assert notes is not None
        assert [(a.endpoint, a.outcome) for a in notes.tried] == [("first", expected), ("second", "ok")]
        states = {e.name: e.state for e in edge.status().endpoints}
        assert states["first"] in ("ready", "deprioritised"), "none of these says that the endpoint is broken"


def test_every_failure_of_an_emulator_has_its_action() -> None:
    for case in CASES.values():
        if case.outcomes:
            assert set(case.outcomes) <= set(case.emulator.failures)
    for emulator in {case.emulator for case in CASES.values()}:
        said = {failure for case in CASES.values() if case.emulator is emulator for failure in case.outcomes}
        assert said == set(emulator.failures), emulator.__name__
