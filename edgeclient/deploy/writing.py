"""Copies a project out of the package into a folder. Reads the package's data, writes files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EdgeError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class DeployError(EdgeError):
    """A project cannot be written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Project:
    """One kind of PoP of one's own."""

    name: str
    what: str
    command: str  # the vendor's own, that brings it to the edge
    shared: Mapping[str, str] = field(default_factory=dict)  # file of the project -> file in `projects/shared/`


PROJECTS: Mapping[str, Project] = {
    project.name: project
    for project in (
        Project("workers", "Cloudflare Workers: no build step", "npx wrangler deploy", {"pop.js": "pop.js"}),
        Project("fastly", "Fastly Compute: JavaScript", "fastly compute publish", {"src/pop.js": "pop.js"}),
        Project("fly", "Fly.io: nginx in the regions that you name", "fly deploy"),
        Project("lambda-edge", "AWS CloudFront with a Lambda@Edge function", "sh deploy.sh"),
    )
}


def write(name: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Write a project; the files written. A folder that has anything in it is left alone, unless `force`.

    With `force` the project's own files are written over, and all others stay. Raises DeployError.
    """
    if name not in PROJECTS:
        raise DeployError(f"there is no project {name!r}; known: {', '.join(PROJECTS)}")
    contents = dict(_contents(_projects() / name))
    for relative, shared in PROJECTS[name].shared.items():
        contents[relative] = (_projects() / "shared" / shared).read_bytes()
    try:
        if folder.exists() and not folder.is_dir():
            raise DeployError(f"{folder} is a file; name a folder that is empty or not there yet")
        if not force and folder.is_dir() and any(folder.iterdir()):
            raise DeployError(f"{folder} is not empty; name another folder, or write over it with --force")
        written = []
        for relative, content in contents.items():
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            written.append(target)
    except OSError as error:
        raise DeployError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
    return written


def _projects() -> Traversable:
    return files("edgeclient.deploy") / "projects"


def _contents(folder: Traversable, below: str = "") -> Iterator[tuple[str, bytes]]:
    """All files of a project by their path in it."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _contents(entry, f"{below}{entry.name}/")
        elif entry.is_file():
            yield f"{below}{entry.name}", entry.read_bytes()
