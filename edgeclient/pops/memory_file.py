"""Reads and writes one small file: keeps a document from one process to the next, for this user on this machine.

The file is in the user's cache directory, and only its owner can read it. Writers take no lock: each renames a new file into
its place, so that the last one wins and nobody sees half a file.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

FILE = "paths.json"


class FileShelf:
    """A `memory.Shelf` in the user's cache directory: one file for all networks."""

    far = False

    def read(self, name: str, most: int) -> bytes | None:
        """What the file says. Raises OSError where it cannot be read."""
        try:
            return _text(cache_folder() / FILE, most)
        except FileNotFoundError:
            return None

    def write(self, name: str, document: bytes, keep_s: float) -> None:
        """Put a new file into the place of the old one. Raises OSError."""
        _replace(cache_folder(), document)


def cache_folder() -> Path:
    """Where this user's programs keep what they can do without. Raises OSError where there is no such place."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    else:
        usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
        said = os.environ.get("XDG_CACHE_HOME", "")
        base = said if os.path.isabs(said) else os.path.expanduser(usual)
    if not os.path.isabs(base):
        raise OSError("this user has no cache directory")
    return Path(base, "edgeclient")


def _text(file: Path, most: int) -> bytes:
    """The first bytes of a file, if it is one; opening a pipe or a device in its place does not block."""
    number = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"{file} is no regular file")
        with open(number, "rb", closefd=False) as opened:
            return opened.read(most)
    finally:
        os.close(number)


def _replace(folder: Path, text: bytes) -> None:
    """Put a new file, which only its owner can read, into the place of the old one, at once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=folder)  # 0600
    try:
        with open(number, "wb") as opened:
            opened.write(text)
        os.replace(name, folder / FILE)
    except BaseException:
        os.unlink(name)
        raise
