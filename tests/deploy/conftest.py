"""Each project in its vendor's runtime, once for all tests, in front of the lab's origin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rigs

from edgeclient.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Its origin is a quick model that remembers what it was asked."""
    model = {"first_token_ms": (0.0, 0.0), "tokens_per_s": 1e6}
    with Lab({"unused": 0}, origin_ms=0, mode="loopback", tls=False, record=True, **model) as running:
        yield running


@pytest.fixture(scope="session", params=list(rigs.RIGS))
def pop(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[rigs.Pop]:
    folder = tmp_path_factory.mktemp(request.param)
    with rigs.run(request.param, folder, lab.origin_anthropic_url) as running:
        yield running


@pytest.fixture(autouse=True)
def _healthy(lab: Lab) -> Iterator[None]:
    yield
    lab.clear("origin")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`promises(what)`: asked only of the projects that promise it; vendors' caches can do different things."""
    for item in list(items):
        mark, call = item.get_closest_marker("promises"), getattr(item, "callspec", None)
        if mark and call and mark.args[0] in rigs.LACKS.get(call.params.get("pop", ""), ()):
            items.remove(item)
