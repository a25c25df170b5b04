"""`edgeclient deploy`: what is written, and what is never written over."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgeclient import deploy
from edgeclient.cli import main

if sys.version_info >= (3, 11):
    import tomllib as toml
else:
    import tomli as toml

ALL = sorted(deploy.PROJECTS)


@pytest.mark.parametrize("name", ALL)
def test_a_project_is_written_and_named(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", name, "new/pop"]) == 0
    said = capsys.readouterr().out
    written = [path for path in Path("new/pop").rglob("*") if path.is_file()]
    assert {f"wrote {path}" for path in written} == {line for line in said.splitlines() if line.startswith("wrote ")}
    assert deploy.PROJECTS[name].command in said
    assert not [path for path in written if "__pycache__" in path.parts]


@pytest.mark.parametrize("name", ALL)
def test_the_readme_says_how_to_deploy_use_and_forget(name: str) -> None:
    deploy.write(name, Path("pop"))
    text = Path("pop/README.md").read_text("utf-8")
    assert deploy.PROJECTS[name].command in text
    assert [f"## {title}" in text for title in ("Deploy", "Use", "What is kept", "Forget")] == [True] * 4
    for named in re.findall(r"`([\w-]+\.(?:js|toml|conf|py|sh|yaml|json|template))`", text):
        assert named == "edgeclient.toml" or Path("pop", named).exists(), named


def test_every_project_that_the_command_knows_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["deploy", "--help"])
    listed = re.search(r"\{([\w,-]+)\}", capsys.readouterr().out)
    assert listed is not None and sorted(listed[1].split(",")) == ALL


def test_a_folder_with_something_in_it_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pop").mkdir()
    Path("pop/wrangler.toml").write_text("mine")
    assert main(["deploy", "workers", "pop"]) == 2
    assert "pop is not empty; name another folder, or write over it with --force" in capsys.readouterr().err
    assert [path.name for path in Path("pop").iterdir()] == ["wrangler.toml"]
    assert Path("pop/wrangler.toml").read_text() == "mine"


def test_force_writes_over_its_own_files_and_no_others() -> None:
    Path("pop").mkdir()
    Path("pop/wrangler.toml").write_text("mine")
    Path("pop/notes.txt").write_text("mine too")
    assert main(["deploy", "workers", "pop", "--force"]) == 0
    assert "edge-pop" in Path("pop/wrangler.toml").read_text()
    assert Path("pop/notes.txt").read_text() == "mine too"


def test_an_empty_folder_and_the_current_one_will_do() -> None:
    assert main(["deploy", "workers", "."]) == 0
    assert Path("worker.js").exists()


def test_what_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main(["deploy", "workers", "file"]) == 2
    assert "file is a file; name a folder that is empty or not there yet" in capsys.readouterr().err
    assert main(["deploy", "workers", "file/below"]) == 2
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_an_unknown_project_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["deploy", "heroku", "pop"])
    assert left.value.code == 2 and "invalid choice: 'heroku'" in capsys.readouterr().err
    with pytest.raises(deploy.DeployError, match="there is no project 'heroku'; known: "):
        deploy.write("heroku", Path("pop"))


@pytest.mark.parametrize("name", ALL)
def test_its_settings_can_be_read(name: str) -> None:
    deploy.write(name, Path("pop"))
    for path in Path("pop").iterdir():
        if path.suffix == ".toml":
            assert toml.loads(path.read_text("utf-8"))
        elif path.suffix == ".json":
            assert json.loads(path.read_text("utf-8"))
        elif path.suffix == ".sh":
            subprocess.run(["sh", "-n", str(path)], check=True)
