"""The harness's own logic: what counts as lost, allowed, reached. The suites themselves are run by `run.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import compare  # noqa: E402
import run  # noqa: E402
import runner  # noqa: E402
import suites  # noqa: E402
import venvs  # noqa: E402
from compare import Outcome  # noqa: E402

PASS, FAIL, SKIP = Outcome("passed"), Outcome("failed"), Outcome("skipped")


@pytest.mark.parametrize("result", ["failed", "error", "skipped", "xpassed"])
def test_a_test_that_no_longer_passes_is_lost(result):
    assert compare.lost({"t": PASS}, {"t": Outcome(result)}) == {"t": Outcome(result)}


def test_a_test_that_no_longer_runs_is_lost():
    assert compare.lost({"t": PASS}, {}) == {"t": Outcome("missing")}


def test_what_the_vanilla_sdk_fails_cannot_be_lost():
    assert compare.lost({"a": FAIL, "b": SKIP}, {"a": FAIL, "b": FAIL}) == {}


def test_an_expected_failure_passes():
    assert compare.lost({"a": Outcome("xfailed")}, {"a": FAIL}) == {"a": FAIL}
    assert compare.lost({"a": PASS}, {"a": Outcome("xfailed")}) == {}


def test_ids_are_those_of_the_vanilla_sdk():
    document = {
        "renamed": {"EdgeOpenAI": "OpenAI"},
        "outcomes": {
            "tests/test_a.py::test_EdgeOpenAI[EdgeOpenAI-x]": ["passed"],
            "tests/test_a.py::test_b[AsyncEdgeOpenAI]": ["passed"],
            "tests/test_a.py::test_c": ["passed"],
        },
    }
    assert list(compare.read(document)) == [
        "tests/test_a.py::test_EdgeOpenAI[OpenAI-x]",
        "tests/test_a.py::test_b[AsyncEdgeOpenAI]",  # another class, with a name of its own
        "tests/test_a.py::test_c",
    ]


def test_a_kept_baseline_reads_back_as_it_was():
    outcomes = {"t": Outcome("failed", 0.5, "E why", 4, 3, 2, 1)}
    assert compare.read(json.loads(json.dumps(compare.write(outcomes)))) == outcomes


def test_an_allow_list_has_comments_and_cases_with_a_number_sign():
    text = "# why\n\n  tests/a.py::t[#1]  # because\ntests/b.py::*\n"
    assert compare.patterns(text) == ["tests/a.py::t[#1]", "tests/b.py::*"]


@pytest.mark.parametrize(
    ("pattern", "test", "covered"),
    [
        ("tests/a.py::t", "tests/a.py::t", True),
        ("tests/a.py::t", "tests/a.py::t[x]", True),
        ("tests/a.py::t[x]", "tests/a.py::t[x]", True),
        ("tests/a.py::t[x]", "tests/a.py::t[y]", False),
        ("tests/a.py::t_*", "tests/a.py::t_more[x]", True),
        ("tests/a.py::t", "tests/a.py::t_more", False),
        ("tests/a.py::T*", "tests/a.py::t", False),
    ],
)
def test_an_allow_list_covers_a_test_or_all_its_cases(pattern, test, covered):
    assert compare.allowed([test], [pattern]) == ({test} if covered else set())


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_an_allow_list_names_tests_and_never_whole_files(package):
    for pattern in compare.patterns((HERE / f"allow_{package}.txt").read_text("utf-8")):
        assert pattern.startswith("tests/")
        assert "::" in pattern


def test_reach_counts_tests_that_sent_through_an_sdk_client():
    ours = {
        "through": Outcome("passed", sent=2, asked=1, hooked=1, piped=0),
        "around": Outcome("passed", sent=1, asked=1),
        "token": Outcome("passed", sent=1, asked=0),  # a bare HTTP client fetched a token
        "silent": Outcome("passed", sent=0, asked=1),  # failed before it sent
        "not passing": Outcome("passed", sent=1, asked=1),
    }
    reach = compare.reach({"through", "around", "token", "silent", "gone"}, ours, "hooked")
    assert (reach.through, reach.around, reach.share) == ({"through"}, {"around"}, 0.5)
    assert compare.reach(ours, ours, "piped").share == 0.0


def test_a_suite_that_sends_nothing_shows_nothing():
    assert compare.reach({"t"}, {"t": PASS}, "hooked").share == 0.0


def test_a_failure_is_told_by_its_last_exception():
    why = ">   x\nE   ValueError: first\nE   httpx.ReadError: last\nE    +  where x\nfile.py:3: AssertionError"
    assert compare.reason(Outcome("failed", why=why)) == "httpx.ReadError: last"
    assert compare.reason(Outcome("failed", why="E   odd\nE   Use -v to get more diff")) == "Use -v to get more diff"
    assert compare.reason(Outcome("missing")) == "missing"


@pytest.mark.parametrize(
    ("allowed", "around", "least", "good"),
    [
        ({"t"}, set(), 0.99, True),
        (set(), set(), 0.99, False),  # lost, and not allowed
        ({"t"}, {"u"}, 0.99, False),  # 1 of 2 went around us
        ({"t"}, {"u"}, 0.0, True),
    ],
)
def test_ci_goes_on_only_when_nothing_is_lost_and_the_reach_is_high(allowed, around, least, good):
    verdict = run.Verdict(
        vanilla={"t": PASS, "u": PASS},
        ours={"t": FAIL, "u": PASS},
        vanilla_s=1.0,
        ours_s=1.0,
        lost={"t": FAIL},
        allowed=frozenset(allowed),
        flaky=frozenset(),
        reach=compare.Reach(frozenset({"v"}), frozenset(around)),
        least_reach=least,
        wire=None,
    )
    assert verdict.good is good


def test_a_settings_file_above_the_tests_is_refused(tmp_path):
    sdist = tmp_path / "work" / "openai-1"
    run._refuse_settings_file(sdist)
    (tmp_path / "edgeclient.toml").touch()
    with pytest.raises(runner.SetupProblem, match=r"edgeclient\.toml would apply"):
        run._refuse_settings_file(sdist)


def test_the_wire_is_compared_by_kinds_of_request():
    one, other = {"m": "GET", "t": "/a?x=1", "d": "1"}, {"m": "GET", "t": "/a?x=1", "d": "2"}
    assert compare.wire([one, one], [one]) == compare.Wire(1, (), ())
    assert compare.wire([one], [other]) == compare.Wire(0, ("GET /a",), ("GET /a",))


def test_the_quick_set_is_what_this_version_has_of_it(tmp_path):
    (tmp_path / "tests" / "lib").mkdir(parents=True)
    (tmp_path / "tests" / "test_client.py").touch()
    assert suites.targets("openai", tmp_path, "quick") == ["tests/test_client.py"]
    assert suites.targets("openai", tmp_path, "full") == ["tests"]


def test_the_tests_see_none_of_our_settings_but_those_of_the_run(monkeypatch, tmp_path):
    outside = ("EDGECLIENT_CACHE", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "https_proxy", "PYTEST_ADDOPTS")
    for name in outside:
        monkeypatch.setenv(name, "x")
    swap = runner.Swap("m", variables=(("EDGECLIENT_NOTES", "true"),))
    environment = runner.Suite("openai", tmp_path, 1, 1.0)._environment(swap, 1, tmp_path / "out")
    assert not set(outside) & environment.keys()
    assert environment["EDGECLIENT_NOTES"] == "true"


def test_missing_packages_are_named_with_the_command(monkeypatch):
    monkeypatch.setitem(suites.NEEDS, "openai", {"json": "json", "no_such.thing": "no-such[thing]"})
    with pytest.raises(runner.SetupProblem, match=r"pip install 'no-such\[thing\]'$"):
        runner.check_needs("openai")


def test_an_environment_is_made_again_when_its_pins_change():
    wanted = venvs._wanted(["a==1", "b==2"], library=False)
    assert wanted == venvs._wanted(["b==2", "a==1"], library=False)
    assert wanted != venvs._wanted(["a==1"], library=False)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(runner.SetupProblem, match="not empty"):
        venvs._make(tmp_path, tmp_path / "bin" / "python")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_every_need_is_in_the_requirements():
    listed = (HERE / "requirements.txt").read_text("utf-8")
    for needs in suites.NEEDS.values():
        for requirement in needs.values():
            name, _, extra = requirement.partition("[")
            line = next((line for line in listed.splitlines() if line.startswith(name.split("==")[0])), "")
            assert line, requirement
            assert extra.partition("]")[0] in line, requirement
