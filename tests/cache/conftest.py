"""One Redis server for all tests that do no harm to it; each of them begins with an empty one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import Server, running


@pytest.fixture(scope="session")
def _shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("redis")
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(_shared_server: Server) -> Server:
    _shared_server.tell("FLUSHALL")
    return _shared_server
