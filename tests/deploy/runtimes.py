"""Fetches the real runtimes that tests of `edgeclient deploy` and of systems run, into `.cache/runtimes/`, once per version.

`python tests/deploy/runtimes.py` is what `./dev test` runs. Nothing is installed into the system and no service is started:
Debian's nginx is only unpacked. What cannot be had is said, and its tests are skipped (in CI that is a failure).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2] / ".cache" / "runtimes"
WORKERD = "1.20261117.1"
LAMBDA = "4.2.2"
LLAMA_CPP = "2026.10.11549"  # of xllamacpp, whose wheels carry llama.cpp's server
_CPU = {"x86_64": "64", "aarch64": "arm64", "arm64": "arm64", "amd64": "64"}.get(platform.machine().lower(), "64")


def workerd() -> Path:
    """Where Cloudflare's runtime is, if it is there."""
    modules = ROOT / f"workerd-{WORKERD}" / "node_modules" / "@cloudflare"
    return modules / f"workerd-{platform.system().lower()}-{_CPU}" / "bin" / "workerd"


def nginx() -> Path:
    """Where nginx is, if it is there: the system's own, or the one unpacked here."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return Path(found) if found else ROOT / "nginx" / "usr" / "sbin" / "nginx"


def awslambdaric() -> Path:
    """The folder with AWS's runtime client for this Python, if it is there."""
    return ROOT / f"awslambdaric-{LAMBDA}-{sys.implementation.cache_tag}"


def xllamacpp() -> Path:
    """The folder with llama.cpp's server, as a module of Python, if it is there."""
    return ROOT / f"xllamacpp-{LLAMA_CPP}"


def _fetch_awslambdaric() -> None:
    _pip("awslambdaric", f"awslambdaric=={LAMBDA}", awslambdaric())


def _fetch_xllamacpp() -> None:
    _pip("xllamacpp", f"xllamacpp=={LLAMA_CPP}", xllamacpp())


def _pip(name: str, wanted: str, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", name]
    _run(*pip, "--target", str(folder), wanted)


def _fetch_workerd() -> None:
    folder = ROOT / f"workerd-{WORKERD}"
    folder.mkdir(parents=True, exist_ok=True)
    _run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", f"workerd@{WORKERD}")


def _fetch_nginx() -> None:
    folder = ROOT / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    _sure_of_lists()
    _run("apt-get", "-q", "download", "nginx", cwd=folder)
    for package in folder.glob("nginx_*.deb"):
        _run("dpkg", "-x", str(package), str(folder))
        package.unlink()
    try:
        _run(str(nginx()), "-v")
    except subprocess.CalledProcessError:  # a slim image without the libraries that nearly every Debian has
        _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", "libpcre2-8-0", "zlib1g", "libssl3")


def _sure_of_lists() -> None:
    """A fresh image knows no packages; only root may ask for the lists."""
    known = subprocess.run(["apt-cache", "show", "nginx"], capture_output=True, check=False)
    if known.returncode != 0:
        _run("apt-get", "-qq", "update")


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)


def main() -> int:
    """Fetch what is missing; always 0, as the tests say what they lack."""
    wanted: list[tuple[str, Callable[[], Path], Callable[[], None]]] = [
        (f"workerd {WORKERD} (by npm)", workerd, _fetch_workerd),
        (f"awslambdaric {LAMBDA} (by pip)", awslambdaric, _fetch_awslambdaric),
        (f"llama.cpp in xllamacpp {LLAMA_CPP} (by pip, 34 MB)", xllamacpp, _fetch_xllamacpp),
        ("nginx (Debian's package, unpacked)", nginx, _fetch_nginx),
    ]
    for what, where, fetch in wanted:
        if where().exists():
            continue
        print(f"fetching {what} (once) ...", file=sys.stderr)
        try:
            fetch()
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", b"") or b""
            print(f"{what} could not be had: {error} {said.decode(errors='replace')[-300:]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
