"""The conformance table: tries every row on edgeclient and on the rivals that are installed, and writes the page.

    python tests/conformance/conformance.py [--check]

Rivals are tried where they are installed (`pip install "litellm[proxy]" langchain-openai langchain-community hishel redis`,
into a Python of their own); what they did is kept in rivals.json with their versions, so that the page can be written
without them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import live_probes  # noqa: F401 - its rows come after those of probes
from chat_origin import ChatOrigin
from probes import ROWS, Probe, broken_stream, repeated, stream_cut_short, streamed
from subjects import RIVALS, Cannot, Ours, Subject, installed

_NONE = "\N{EN DASH}"
HERE = Path(__file__).parent
KEPT = HERE / "rivals.json"
PAGE = HERE.parents[1] / "docs" / "reference" / "cache-conformance.md"


def tried(kind: type[Subject], probe: Probe) -> str:
    """How one row went: "Y", "N: why", or a dash where it does not apply."""
    with ChatOrigin() as origin:
        it = kind()
        try:
            said = probe(it, origin)
        except Cannot:
            return _NONE
        except Exception as error:
            said = f"{type(error).__name__}"
        finally:
            it.close()
    return f"N: {said}" if said else "Y"


def column(kind: type[Subject]) -> dict[str, str]:
    """All rows of one cache. One that never answers from its store is tried no further."""
    answers = tried(kind, repeated)
    if answers != "Y":
        return {**dict.fromkeys(ROWS, _NONE), _name(repeated): answers}
    found = {name: tried(kind, probe) for name, probe in ROWS.items()}
    if found[_name(streamed)] != "Y":  # what is never stored is never stored wrongly: no merit
        found |= {_name(probe): _NONE for probe in (stream_cut_short, broken_stream)}
    return found


def _name(probe: Probe) -> str:
    return next(name for name, one in ROWS.items() if one is probe)


def rivals_now() -> dict[str, Any]:
    """What the installed rivals do, as rivals.json has it. What they print is not of interest."""
    found = {}
    logging.disable(logging.CRITICAL)
    for name, kind in installed().items():
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            found[name] = {"version": kind.version(), "setup": kind.setup, "rows": column(kind)}
    logging.disable(logging.NOTSET)
    return found


def page(ours: dict[str, str], kept: dict[str, Any]) -> str:
    """The page, as Markdown."""
    rivals: dict[str, Any] = kept["rivals"]
    names = " | ".join(f"{name} {said['version']}" for name, said in rivals.items())
    notes: list[str] = []

    def cell(said: str) -> str:
        word, _, why = said.partition(": ")
        if not why:
            return word
        if why not in notes:
            notes.append(why)
        return f"{word} ({notes.index(why) + 1})"

    columns = [ours, *(said["rows"] for said in rivals.values())]
    lines = [f"| {promise} | {' | '.join(cell(rows.get(promise, _NONE)) for rows in columns)} |" for promise in ROWS]
    setups = "\n".join(f"- {name}: {said['setup']}" for name, said in rivals.items())
    told = "\n".join(f"{n}. {why}" for n, why in enumerate(notes, 1))
    return f"""<!-- Written by tests/conformance/conformance.py: change the code, then run it. -->

# What the exact cache promises, beside others

Each row is a small program (`tests/conformance/probes.py`, `live_probes.py`) that is run against an origin on loopback which
counts what it is asked. The column of edgeclient is tried anew in every run of the tests; the others were tried on
{kept["date"]}, in Python {kept["python"]}, with openai {kept["openai"]}. Y: it does; N: it does not; {_NONE}: it has no such
thing.

|  | edgeclient | {names} |
| --- | --- | {" | ".join("---" for _ in rivals)} |
{chr(10).join(lines)}

What happened instead:

{told}

How they were set up:

- edgeclient: {Ours.setup}
{setups}

Rows about a stream that several read apply only where one request serves them: what asks once for each of them shares nothing
that could be held up.

What stands in no row: edgeclient replays a stored stream with the whole text in one event, and in the pieces in which it came
with `Cache(pace="recorded")`; and a stream that did not tell its usage answers streams only.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is stale")
    said = parser.parse_args()
    found = rivals_now()
    if found and not said.check:
        import openai

        kept = {
            "date": datetime.date.today().isoformat(), "python": sys.version.split()[0], "openai": openai.__version__,
            "rivals": {name: found[name] for name in RIVALS if name in found},
        }  # fmt: skip
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    text = page(column(Ours), json.loads(KEPT.read_text("utf-8")))
    if said.check:
        return int(PAGE.read_text("utf-8") != text)
    PAGE.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
