"""One Redis and one PostgreSQL server for all tests that do no harm to them; each begins with an empty one."""

from __future__ import annotations

from collections.abc import Iterator

import postgres_servers
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


@pytest.fixture(scope="session")
def _shared_postgres() -> Iterator[postgres_servers.Server]:
    pytest.importorskip("psycopg")
    with postgres_servers.running() as server:
        yield server


@pytest.fixture
def postgres(_shared_postgres: postgres_servers.Server) -> postgres_servers.Server:
    _shared_postgres.forget()
    return _shared_postgres
