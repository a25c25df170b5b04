"""Every system x every capability x sync and async, through the real SDKs against the system's strict emulator."""

from __future__ import annotations

import pytest

import edgeclient
from edgeclient.routing import presets
from edgeclient.routing.providers import NAMES
from edgeclient.routing.systems import CAPABILITIES

from .asking import ask
from .cases import CASES
from .conftest import Running, client_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("capability", CAPABILITIES)
async def test_what_a_system_speaks_works_through_the_sdk(running: Running, colour: str, capability: str) -> None:
    if capability not in running.system.speaks or capability in running.case.lacks:
        assert {**running.system.lacks, **running.case.lacks}[capability], "every empty cell has its reason"
        return
    edge = running.edge()
    async with client_of(edge, running.client(capability), colour) as client:
        answer = await ask(client, capability, running.model(capability))
        notes = edgeclient.notes(answer)
    assert notes is not None and [a.outcome for a in notes.tried] == ["ok"]
    assert notes.pop == running.emulator.pop
    assert all("the-callers-own-key" not in str(heard.headers) for heard in running.emulator.seen)


@pytest.mark.parametrize("name", NAMES)
def test_every_system_is_tested_and_every_capability_said(name: str) -> None:
    system = presets.system(name)
    assert name in CASES and system.sources and system.what and system.spelling.startswith(f"{name}:")
    assert {*system.speaks, *system.lacks} == set(CAPABILITIES) and not {*system.speaks} & {*system.lacks}
    assert all(signal.source for signal in system.signals)
