"""Entries that were stored long ago, or by another process, are found: the keys of some requests are written down.

golden_keys.json has them, with the version of the key that they are of.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keys_of
import pytest

from edgeclient.cache.key import VERSION
from edgeclient.classifying import classify
from edgeclient.dialects import _ASIDES, _ROUTED

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden_keys.json").read_text("utf-8"))
REQUESTS: list[dict[str, Any]] = GOLDEN["requests"]


def _changed(keys: list[str], version: int) -> str:
    """What is to be done when keys are not those of the file; "" when all is well."""
    if version != GOLDEN["version"]:
        return f"VERSION is {version}, golden_keys.json is of {GOLDEN['version']}: write the new keys into it"
    others = [asked["what"] for asked, key in zip(REQUESTS, keys, strict=True) if key != asked["key"]]
    if not others:
        return ""
    return (
        f"the key of {', '.join(others)} changed: what is stored under the old one is never found again, or answers "
        "another question. If that is meant, raise VERSION in edgeclient/cache/key.py, and say so in CHANGELOG.md"
    )


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_keys_stay_what_they_were_in_every_process(seed: str) -> None:
    said = subprocess.run(
        [sys.executable, str(HERE / "keys_of.py")],
        input=json.dumps(REQUESTS),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    problem = _changed(json.loads(said.stdout), VERSION)
    assert not problem, problem


def test_a_changed_key_is_told_from_a_raised_version() -> None:
    keys = [asked["key"] for asked in REQUESTS]
    assert _changed(keys, VERSION) == ""
    assert "the key of a chat changed" in _changed(["0" * 32, *keys[1:]], VERSION)
    assert "raise VERSION" in _changed(["0" * 32, *keys[1:]], VERSION)
    assert "write the new keys" in _changed(keys, VERSION + 1)


def test_the_requests_are_different_questions_of_all_dialects() -> None:
    edge = keys_of.policies()
    spoken = [classify(keys_of.request(asked), edge).dialect for asked in REQUESTS]
    assert {dialect.name for dialect in spoken if dialect is not None} == {
        known.name for _, _, known in (*_ROUTED, *_ASIDES)
    }
    # The stream is the first chat once more: one entry serves both forms.
    assert len(REQUESTS) == 23 and len({asked["key"] for asked in REQUESTS}) == 22
