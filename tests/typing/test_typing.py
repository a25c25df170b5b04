"""mypy (strict) and pyright read our public surface as a user's editor does. Starts processes."""

from __future__ import annotations

from pathlib import Path

import checkers
import pytest

USERS = Path(__file__).with_name("user_code.py")


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_checkers_find_nothing_in_users_code(checker: str, tmp_path: Path) -> None:
    """Nor an ignored mistake that is none: both report what is ignored without need."""
    found = checkers.run(checker, USERS, tmp_path)
    assert found == "", found


def test_what_runs_is_known_to_checkers(tmp_path: Path) -> None:
    """Names outside `__all__` (Azure, module-level calls), and our transports where a transport is wanted."""
    assert checkers.run("pyright", Path(__file__).with_name("gaps.py"), tmp_path) == ""
