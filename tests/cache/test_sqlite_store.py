"""What is special about the store in a file: its bound, its processes, and all that can befall a file."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import until
from stores import Clock, Mishaps, entry, sqlite_store

from edgeclient.cache.stores import sqlite_file as module
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.sqlite import SqliteBackend

HERE = Path(__file__).parent


class Case:
    """A store on a file. `ask` saves a few and loads a few, as calls do, and says how many were found."""

    def __init__(self, path: Path, **said: float) -> None:
        self.path, self.mishaps, self.clock = path, Mishaps(), Clock()
        self.store: Guarded = sqlite_store(path, self.mishaps, clock=self.clock, **said)  # type: ignore[arg-type]

    def fill(self, *keys: str, body: int = 0) -> None:
        for key in keys:
            self.store.save(entry(key, body=body), 1.0)
        assert self.store.flush(20.0)

    def found(self, *keys: str) -> list[str]:
        return [key for key in keys if self.store.load(key, 1.0) == entry(key)]

    def well_again(self) -> bool:
        """True when, some seconds later, what is saved is found again."""
        for _ in range(3):
            self.clock.now += 2.1
            self.fill("again")
            self.store.load("again", 1.0)
        return self.found("again") == ["again"] and self.store.usage()[0] >= 1


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path / "cache.db")
    yield made
    made.store.close()


# -- its bound


def test_bytes_are_bounded_and_the_oldest_stored_go_first(tmp_path: Path) -> None:
    case = Case(tmp_path / "cache.db", max_bytes=2**20)
    keys = [f"{n:032x}" for n in range(1500)]
    for key in keys:
        case.store.save(entry(key, body=1000), 1.0)
        if int(key, 16) % 100 == 0:
            case.store.flush(20.0)
    assert case.store.flush(20.0)
    entries, held = case.store.usage()
    assert 600 < entries < 800 and held <= 2**20
    left = [key for key in keys if case.store.load(key, 1.0) is not None]
    assert left == keys[-entries:]
    assert os.stat(case.path).st_size <= 2**20 + 128 * 1500  # a batch comes before it makes room
    case.store.clear()
    case.store.close()
    assert os.stat(case.path).st_size < 100_000  # what was cleared is given back


def test_expired_entries_are_swept_by_later_writes(case: Case) -> None:
    case.fill(*"abcdef")
    case.store.save(entry("new", expires_at=1000.0), 200.0)
    assert case.store.flush(20.0) and case.store.usage()[0] == 1


def test_expired_entries_that_are_kept_are_not_swept(case: Case) -> None:
    case.store.save(entry("kept", stale_s=200.0), 1.0)
    case.store.save(entry("new", expires_at=1000.0), 200.0)
    assert case.store.flush(20.0) and case.store.usage()[0] == 2
    case.store.save(entry("newer", expires_at=1000.0), 300.0)
    assert case.store.flush(20.0) and case.store.usage()[0] == 2


def test_entries_of_the_future_go_when_something_is_written(case: Case) -> None:
    """Another process, or this one before it was started anew, stored them before the clock went back."""
    for n in range(1200):
        case.store.save(entry(str(n), stored_at=500.0, expires_at=900.0), 500.0)
    assert case.store.flush(20.0)
    case.store.close()
    later = Case(case.path)
    later.store.save(entry("now", stored_at=100.0, expires_at=200.0), 100.0)
    assert later.store.flush(20.0) and later.store.usage()[0] == 1
    later.store.close()


def test_an_entry_is_saved_anew_as_the_youngest(case: Case) -> None:
    case.fill("a", "b", "a")
    with sqlite3.connect(case.path) as db:
        assert [row[0] for row in db.execute("SELECT key FROM entries ORDER BY id")] == [b"b", b"a"]
    db.close()


# -- its file


def test_all_files_are_the_owners_alone(case: Case) -> None:
    before = os.umask(0)
    try:
        other = Case(case.path.with_name("other.db"))
        other.fill("a")
        files = [path for path in case.path.parent.iterdir() if path.name.startswith("other")]
        assert len(files) == 3 and {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        other.store.close()
    finally:
        os.umask(before)


def test_processes_share_it(case: Case) -> None:
    case.fill("a")
    said = _python(case.path, "print(case.found('a')); case.fill('b'); case.store.close()")
    assert said == "['a']\n" and case.found("a", "b") == ["a", "b"]


def test_many_processes_write_at_once(case: Case) -> None:
    script = "case.fill(*(f'{sys.argv[2]}-{n}' for n in range(300)))\nassert not case.mishaps, case.mishaps"
    running = [_start(case.path, script, str(n)) for n in range(4)]
    assert [it.wait(60) for it in running] == [0] * 4
    assert case.store.usage()[0] == 1200


def test_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    script = "case.fill(sys.argv[2])\nassert case.found(sys.argv[2]) and not case.mishaps, case.mishaps"
    running = [_start(tmp_path / "new.db", script, str(n)) for n in range(4)]
    assert [it.wait(60) for it in running] == [0] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_a_store_of_its_own(case: Case) -> None:
    case.fill("a")
    assert case.found("a")
    child = os.fork()
    if child == 0:
        case.store.after_fork()
        good = case.found("a") == ["a"]
        case.fill("b")
        case.store.close()
        os._exit(0 if good and case.found("b") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert case.found("a", "b") == ["a", "b"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_that_was_forked_while_threads_read_and_write_does_not_hang(case: Case) -> None:
    """SQLite has mutexes of its own. Without a pause at the fork, one child in twelve hung."""
    over = threading.Event()

    def use(save: bool) -> None:
        for n in itertools.count():
            key = f"{n % 5000:032x}"
            if save and not case.store.save(entry(key, body=3000), 1.0):
                case.store.flush(20.0)
            elif not save:
                case.store.load(key, 1.0)
            if over.is_set():
                return

    threads = [threading.Thread(target=use, args=(save,)) for save in (True, False)]
    for thread in threads:
        thread.start()
    ended = []
    for _ in range(40):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            case.store.after_fork()
            case.store.load("0" * 32, 1.0)
            case.store.save(entry("x"), 1.0)
            os._exit(0 if case.store.flush(19.0) else 1)
        ended.append(os.waitpid(child, 0)[1])
    over.set()
    for thread in threads:
        thread.join()
    assert ended == [0] * 40


def test_a_script_that_ends_has_written_what_it_saved(case: Case) -> None:
    _python(case.path, "case.store.save(entry('a'), 1.0)")
    assert case.found("a") == ["a"]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    Case(path).store.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {module.SCHEMA + 1}")
    db.close()
    backend = SqliteBackend(str(path), max_bytes=2**20, budget_s=1.0)
    mishaps, clock = Mishaps(), Clock()
    store = Guarded(backend, budget_s=1.0, mishap=mishaps, clock=clock)
    assert store.load("a", 1.0) is None
    store.save(entry("a"), 1.0)
    assert store.flush(20.0) and mishaps["cache load"] == 1 and mishaps["cache write"] == 1
    assert "newer version" in str(mishaps.last["cache load"])
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    db.close()


# -- what befalls it


def test_it_is_deleted(case: Case) -> None:
    case.fill("a")
    for name in os.listdir(case.path.parent):
        os.unlink(case.path.parent / name)
    assert case.found("a") == []
    assert case.well_again() and os.path.exists(case.path) and not case.mishaps


def test_it_is_deleted_without_its_log(case: Case) -> None:
    case.fill("a")
    os.unlink(case.path)
    assert case.found("a") == []
    assert case.well_again() and not case.mishaps


def test_its_folder_goes_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    case = Case(tmp_path / "sub" / "cache.db")
    case.fill("a")
    os.rename(tmp_path / "sub", tmp_path / "gone")
    assert case.found("a") == []
    case.fill("b")
    assert case.mishaps["cache load"] and case.mishaps["cache write"]
    os.rename(tmp_path / "gone", tmp_path / "sub")
    assert case.well_again() and case.found("a") == ["a"]
    case.store.close()


@pytest.mark.parametrize("left", [0, 10, 50, 1000, 4096, 5000, 20_000])
@pytest.mark.parametrize("closed", [False, True])
def test_it_is_truncated(tmp_path: Path, left: int, closed: bool) -> None:
    case = Case(tmp_path / "cache.db")
    keys = [f"{n:032x}" for n in range(100)]
    case.fill(*keys, body=0)
    with sqlite3.connect(case.path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    if closed:
        case.store.close()
    os.truncate(case.path, left)
    case.found(*keys)  # equal entries, or none: `found` compares
    case.fill(*keys)
    assert case.well_again()
    case.fill(*keys)
    assert case.found(*keys) == keys
    case.store.close()


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("page", range(0, 12, 2))
def test_pages_of_it_are_overwritten(tmp_path: Path, page: int, closed: bool) -> None:
    case = Case(tmp_path / "cache.db")
    keys = [f"{n:032x}" for n in range(200)]
    case.fill(*keys)
    with sqlite3.connect(case.path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    if closed:
        case.store.close()
    with open(case.path, "r+b") as file:
        file.seek(page * 4096 + (100 if page == 0 else 0))
        file.write(os.urandom(4096 - 100))
    for key in keys:
        assert case.store.load(key, 1.0) in (entry(key), None)
    case.fill(*keys)
    assert case.well_again()
    for key in keys:
        assert case.store.load(key, 1.0) in (entry(key), None)
    case.store.close()


def test_a_damaged_value_is_never_served(case: Case) -> None:
    case.fill("a", "b")
    with sqlite3.connect(case.path) as db:
        db.execute("UPDATE entries SET data = (SELECT data FROM entries WHERE key = ?) WHERE key = ?", (b"b", b"a"))
    db.close()
    assert case.found("a", "b") == ["b"] and case.mishaps == {"damaged cache entry": 1}
    assert case.store.flush(20.0) and case.store.usage()[0] == 1


def test_another_process_locks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.01)
    case = Case(tmp_path / "cache.db", budget_s=0.005)
    case.fill("a")
    case.store.close()
    db = sqlite3.connect(case.path, isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    assert case.found("a") == []
    case.fill("b")
    assert "locked" in str(case.mishaps.last["cache load"]) and "locked" in str(case.mishaps.last["cache write"])
    db.execute("COMMIT")
    db.close()
    monkeypatch.setattr(module, "WRITE_S", 5.0)
    assert case.well_again() and case.found("a") == ["a"]
    case.store.close()


def test_tasks_ask_a_locked_file_beside_the_event_loop(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "cache.db", Mishaps(), clock=time.monotonic, budget_s=0.05)
    store.save(entry("a"), 1.0)
    assert store.flush(20.0)

    def look() -> object:
        return asyncio.run(store.load_async("a", 1.0))

    until(lambda: look() == entry("a") and not store.waits)
    db = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    store.close()  # and opens anew, which has to wait
    db.execute("BEGIN EXCLUSIVE")
    assert look() is None and store.waits
    assert look() is None and store.waits
    assert "edgeclient-cache-reader" in [one.name for one in threading.enumerate()]
    db.close()
    until(lambda: look() == entry("a") and not store.waits)
    store.close()


def test_a_writer_elsewhere_keeps_no_reader_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.01)
    case = Case(tmp_path / "cache.db")
    case.fill("a")
    db = sqlite3.connect(case.path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    assert case.found("a") == ["a"]
    case.fill("b")
    assert case.mishaps == {"cache write": 1, "cache save dropped": 1}
    db.execute("ROLLBACK")
    db.close()
    case.store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_the_disk_is_full(case: Case) -> None:
    """In a process that may not let a file grow: writing fails as on a full disk. What is there can still be read."""
    case.fill("a")
    said = _python(
        case.path,
        """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
for n in range(8):
    case.fill(*(f"{n}-{m}" for m in range(40)), body=4000)
print(case.mishaps["cache write"] > 0, case.mishaps["cache load"], case.found("a"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(case.well_again(), case.found("a"))
""",
    )
    assert said == "True 0 ['a']\nTrue ['a']\n"
    assert case.found("again") == ["again"]


def test_sqlite_says_that_the_disk_is_full(case: Case) -> None:
    case.fill("a")
    with case.store._backend._writing as db:  # type: ignore[attr-defined]
        db.execute("PRAGMA max_page_count = 20")
    case.fill(*map(str, range(100)), body=4000)
    assert "full" in str(case.mishaps.last["cache write"])
    assert case.well_again() and case.found("a") == ["a"]  # a new connection has no such limit


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of Unix")
def test_it_becomes_read_only() -> None:
    """For a user who may read the file and its folder, and write neither."""
    with tempfile.TemporaryDirectory() as name, _unprivileged(Path(name)) as drop:
        case = Case(Path(name) / "cache.db")
        case.fill("a")
        for path in [Path(name), *Path(name).iterdir()]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        case.store.close()
        drop()
        case.store.load("a", 1.0)  # found, or a miss
        case.fill("b")
        assert case.mishaps["cache write"] == 1 and case.found("b") == []


class _unprivileged:
    """Lets root become nobody for a while; others are not allowed everything anyway."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._user = folder, os.geteuid()

    def __enter__(self) -> Callable[[], None]:
        return lambda: os.seteuid(65534) if self._user == 0 else None

    def __exit__(self, *error: object) -> None:
        os.seteuid(self._user)
        self._folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_a_writer_is_killed_in_the_middle_and_nothing_damaged_is_served(case: Case) -> None:
    """10,000 writes in a process that is killed again and again. What is found is whole; the file needs no repair."""
    script = """
rng = __import__("random").Random(int(sys.argv[2]))
for n in range(10_000):
    case.store.save(entry(f"{rng.randrange(3000):032x}", body=rng.randrange(3000)), 1.0)
    if n % 50 == 0:
        case.store.flush(20.0)
        print(n, flush=True)
"""
    reached = 0
    for seed in range(5):
        writer = _start(case.path, script, str(seed), stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(10 + 17 * seed):
            reached += bool(writer.stdout.readline())
        writer.kill()
        writer.wait()
        writer.stdout.close()
        found = 0
        for n in range(3000):
            loaded = case.store.load(f"{n:032x}", 1.0)
            assert loaded is None or loaded == entry(loaded.key, body=len(loaded.body) - len(entry(loaded.key).body))
            found += loaded is not None
        assert found > 200
    assert reached == 5 * 10 + 17 * 10
    assert not case.mishaps
    with sqlite3.connect(case.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def _start(path: Path, script: str, *arguments: str, stdout: int | None = None) -> subprocess.Popen[str]:
    """Another process with a case on the same file."""
    before = f"import sys; sys.path[:0] = [{str(HERE)!r}]\nfrom pathlib import Path\nfrom stores import *\n"
    case = "from test_sqlite_store import Case\ncase = Case(Path(sys.argv[1]))\n"
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", before + case + script, str(path), *arguments],
        stdout=stdout, text=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def _python(path: Path, script: str) -> str:
    running = _start(path, script, stdout=subprocess.PIPE)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    return said
