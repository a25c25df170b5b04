"""`edgeclient deploy`: writes a project that puts the proxy logic at the edge, and says how to bring it there."""

from __future__ import annotations

from pathlib import Path

from .. import deploy


def run(name: str, folder: Path, *, force: bool) -> int:
    """Write the project; the exit status. Raises DeployError when it cannot be written."""
    written = deploy.write(name, folder, force=force)
    for path in written:
        print(f"wrote {path}")
    print(
        f"\nNow read {folder / 'README.md'}, set the secrets it names, and run there:  {deploy.PROJECTS[name].command}"
    )
    return 0
