"""The command `edgeclient`: reads the command line and starts what it asks for. One clear line and status 2 for bad input."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import EdgeError

if TYPE_CHECKING:
    from .show import Show

__all__ = ["main"]

_EPILOG = """\
edgeclient demo                          the demonstration on this machine, under a minute, no key needed
edgeclient demo --live                   a few questions with your own settings and keys; asks before it spends
edgeclient probe                         where your endpoints are, measured now; no key is sent, nothing is spent
edgeclient models gpt-4o                 what is known of a model: where it runs, under which names, when it ends
edgeclient cache verify                  whether all answers in your file or on your server can be read
edgeclient systems                       the products that an endpoint may be named after
edgeclient deploy workers my-pop         a project that makes a PoP of your own: tokens, cache, forwarding at the edge
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. 0: done, 1: a call failed or a name is unknown, 2: cannot be done, 130: Ctrl-C,
    141: whoever read the output has left."""
    arguments = _parser().parse_args(argv)
    from ..lab import LabError

    commands = {
        "cache": _cache,
        "demo": _demo,
        "deploy": _deploy,
        "models": _models,
        "probe": _probe,
        "systems": _systems,
    }
    try:
        status = commands[arguments.command](arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # else the interpreter says it once more at its end
        return 141
    except (EdgeError, LabError, _CannotError) as error:
        print(f"edgeclient: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("edgeclient: stopped; everything that was started is closed", file=sys.stderr)
        return 130


class _CannotError(Exception):
    """What was asked cannot be done; the message says why and what to do."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgeclient",
        description="The OpenAI and Anthropic clients, edge-aware by one changed import.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edgeclient {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_demo, _add_probe, _add_models, _add_cache, _add_systems, _add_deploy):
        add(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="show what the library does: PoPs, cache, failover, numbers side by side",
        description=(
            "Asks customers' questions through both SDKs over an emulated edge (4 PoPs, a far origin), kills the nearest "
            "PoP half-way, and compares with the plain SDKs. Nothing leaves the machine, no key is needed."
        ),
    )
    demo.add_argument("--plain", action="store_true", help="plain lines; the default when the output is no terminal")
    demo.add_argument("--json", action="store_true", help="nothing but one JSON object at the end")
    demo.add_argument(
        "--mode", choices=("auto", "tun", "loopback"), default="auto", help="how delays are emulated (default: auto)"
    )
    demo.add_argument("--questions", type=_count, metavar="N", help="how many are asked (default: 300; 20 with --live)")
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="draws other questions (default: 1)")
    demo.add_argument(
        "--out", type=Path, default=Path("edgeclient-demo.svg"), metavar="FILE", help="where the picture goes"
    )
    live = demo.add_argument_group("with your own settings and keys (costs money)")
    live.add_argument("--live", action="store_true", help="use your settings, OPENAI_API_KEY and ANTHROPIC_API_KEY")
    live.add_argument("--yes", action="store_true", help="do not ask before spending")
    live.add_argument(
        "--price-per-mtok", type=_price, metavar="PRICE", help="your price of a million tokens, for the estimate"
    )
    live.add_argument("--openai-model", default="gpt-6-luna", metavar="NAME", help="default: gpt-6-luna")
    live.add_argument(
        "--anthropic-model", default="claude-sonnet-4-6", metavar="NAME", help="default: claude-sonnet-4-6"
    )


def _add_probe(commands: Any) -> None:
    probe = commands.add_parser(
        "probe",
        help="measure where the endpoints are",
        description="Measures the round-trip time to each endpoint by TCP connects (or unpaid GETs, where the settings say "
        "so), asks which PoP answers by one unpaid GET, and prints the nearest first. No key is sent and nothing is spent.",
    )
    probe.add_argument(
        "urls", nargs="*", metavar="URL", help="what to measure (default: the endpoints of your settings)"
    )
    probe.add_argument("--rounds", type=_count, default=3, metavar="N", help="rounds of three samples (default: 3)")
    probe.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def _add_models(commands: Any) -> None:
    models = commands.add_parser(
        "models",
        help="show what is known of models",
        description="Lists the families of models: their kind, the systems where they run, their context in tokens, the "
        "announced ends. With a NAME: its kind and why, its names per system and how alike the weights are, its end. "
        "What your settings say comes first. Nothing is sent.",
    )
    models.add_argument("name", nargs="?", metavar="NAME", help="a model, in any spelling")
    models.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _add_cache(commands: Any) -> None:
    cache = commands.add_parser(
        "cache",
        help="show what a file or a server with answers holds, and whether it is well",
        description="Says how many answers are kept in the file or on the server that your settings name, and their bytes. "
        "With `verify` it says of each kind how many: the status is 1 when one is damaged, foreign, in clear, of a newer "
        "version, or sealed with an unknown key. Prompts and answers are never shown.",
    )
    cache.add_argument("action", nargs="?", choices=("verify",), help="read each answer, and say of which kind it is")
    cache.add_argument(
        "--store",
        default="",
        metavar="URL",
        help="look there instead: sqlite:PATH, redis://HOST, postgresql://HOST/DATABASE",
    )
    cache.add_argument(
        "--delete",
        action="store_true",
        help="with `verify`: remove what is damaged, foreign, or in clear and should not be",
    )
    cache.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _add_systems(commands: Any) -> None:
    systems = commands.add_parser(
        "systems",
        help="show the products that an endpoint may be named after",
        description="Lists the products that may stand in `endpoints` by name, with an example each. With a NAME: its key, "
        "its options, what it speaks and what it lacks, and the vendor's pages. Nothing is sent.",
    )
    systems.add_argument("name", nargs="?", default="", metavar="NAME", help="one product")
    systems.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _add_deploy(commands: Any) -> None:
    deploy = commands.add_parser(
        "deploy",
        help="write a project that makes a PoP of your own",
        description="Writes a ready project into DIR: at the edge it checks a token, answers what it has answered before and "
        "passes the rest on, as it streams, with a provider's key that clients never see. Its README has the vendor's own "
        "command that deploys it. Nothing is sent.",
    )
    deploy.add_argument("project", choices=("workers", "fastly", "fly", "lambda-edge"), help="whose edge it is for")
    deploy.add_argument(
        "folder", type=Path, metavar="DIR", help="where it goes: a folder that is empty or not there yet"
    )
    deploy.add_argument(
        "--force", action="store_true", help="write over the project's files in a folder that is not empty"
    )


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if not 1 <= count <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return count


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no price; give the cost of a million tokens, as in 2.50")
    return price


def _probe(arguments: argparse.Namespace) -> int:
    from . import probing

    return probing.run(arguments.urls, arguments.rounds, as_json=arguments.json)


def _models(arguments: argparse.Namespace) -> int:
    from . import models

    return models.run(arguments.name, as_json=arguments.json)


def _cache(arguments: argparse.Namespace) -> int:
    from . import caching

    if arguments.delete and not arguments.action:
        raise _CannotError("--delete is for `edgeclient cache verify`")
    return caching.run(arguments.store, verify=bool(arguments.action), delete=arguments.delete, as_json=arguments.json)


def _systems(arguments: argparse.Namespace) -> int:
    from . import systems

    return systems.run(arguments.name, as_json=arguments.json)


def _demo(arguments: argparse.Namespace) -> int:
    _check_out(arguments.out)
    show = _show(arguments)
    if arguments.live:
        from . import live

        return live.run(live.Options.read(arguments), show)
    show.say(f"edgeclient {__version__}, the demonstration: under a minute; Ctrl-C ends it cleanly.")
    from . import demo  # imports both SDKs, which takes a moment

    return demo.run(demo.Options(arguments.mode, arguments.questions or 300, arguments.seed, arguments.out), show)


def _check_out(out: Path) -> None:
    """Says before the run, not after it, that the picture cannot be written."""
    if not out.parent.is_dir():
        raise _CannotError(f"--out {out}: there is no folder {out.parent}; make it or give another")
    if out.is_dir() or not os.access(out if out.exists() else out.parent, os.W_OK):
        raise _CannotError(f"--out {out}: cannot be written there; give another file with --out")


def _show(arguments: argparse.Namespace) -> Show:
    from .show import JsonShow, PlainShow

    if arguments.json:
        return JsonShow()
    if arguments.plain or not sys.stdout.isatty():
        return PlainShow()
    try:
        from .rich_show import RichShow
    except ImportError:
        raise _CannotError("the live display needs rich: pip install 'edgeclient[cli]', or say --plain") from None
    return RichShow()


def _deploy(arguments: argparse.Namespace) -> int:
    from . import deploying

    return deploying.run(arguments.project, arguments.folder, force=arguments.force)
