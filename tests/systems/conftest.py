"""A running emulator, the edge that is set up for it, and clients of both SDKs in both colours."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import edgeclient
from edgeclient.lab.systems.serving import Serving
from edgeclient.routing import presets
from edgeclient.routing.systems import System

from .cases import CASES, SECRET, Case, own

ORIGIN = "https://api.example.com/v1"  # nobody is there


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of AWS, in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@dataclass
class Running:
    """One system, emulated."""

    case: Case
    system: System
    serving: Serving
    monkeypatch: pytest.MonkeyPatch

    @property
    def emulator(self) -> Any:
        return self.serving.emulator

    def preset(self) -> str:
        sign = "&" if "?" in self.case.preset else "?"
        return f"{self.case.preset}{sign}host={self.serving.url}"

    def endpoint(self, **more: Any) -> dict[str, Any]:
        return {"url": self.preset(), **own(self.case.key), **more}

    def edge(self, **settings: Any) -> edgeclient.Edge:
        return edgeclient.Edge(
            **{"endpoints": [self.endpoint()], "origin": "never", "probe": False, "retired": "ignore", **settings}
        )

    def client(self, capability: str) -> str:
        """Which capability's client to take: that of the messages where a system speaks nothing else."""
        return "messages" if "chat" not in self.system.speaks else capability

    def model(self, capability: str) -> str:
        return self.case.models.get(capability) or self.case.models[""]


@pytest.fixture(params=list(CASES))
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    case = CASES[request.param]
    monkeypatch.setenv("ENDPOINT_KEY", SECRET)
    if case.key is None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("GATEWAY_TOKEN", "token-of-the-gateway")
    emulator = case.emulator(SECRET)
    for name, value in case.set.items():
        setattr(emulator, name, value)
    with Serving(emulator) as serving:
        yield Running(case, presets.system(case.preset.partition(":")[0]), serving, monkeypatch)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@asynccontextmanager
async def client_of(edge: edgeclient.Edge, capability: str, colour: str) -> AsyncIterator[Any]:
    """The client that a capability is asked of."""
    kind = "Anthropic" if capability == "messages" else "OpenAI"
    client = getattr(edge, kind if colour == "sync" else f"Async{kind}")(api_key="the-callers-own-key", max_retries=0)
    try:
        yield client
    finally:
        await settled(client.close())
