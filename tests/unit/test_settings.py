"""Settings: three sources, one form, and errors that name source, field, value and remedy, and never a secret."""

from __future__ import annotations

import dataclasses
import os
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from edgeclient import Edge, SettingsError
from edgeclient.settings import SETTINGS, Cache, Cascade, Endpoint, Hedge, Key, Model, Settings, load
from edgeclient.values import Route

from .answers import cases

FRA, BOM = "https://fra.example.com/v1", "https://bom.example.com/v1"
Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Nothing set, an empty working directory, and a function that writes its `edgeclient.toml`."""
    for variable in [name for name in os.environ if name.startswith("EDGECLIENT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "edgeclient.toml"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    return write


@pytest.mark.parametrize("case", cases("settings"), ids=lambda case: case["name"])
def test_a_mistake_is_explained(case: dict[str, Any], write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in case.get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    if "file" in case:
        write(case["file"])
    with pytest.raises(SettingsError) as raised:
        load(case.get("arguments", {}))
    said = str(raised.value)
    assert [part for part in case["says"] if part not in said] == [], said
    if "secret" in case:
        assert case["secret"] not in said
        assert case["secret"] not in "".join(traceback.format_exception(raised.value))  # nor in pydantic's error


def test_an_async_key_function_is_refused() -> None:
    async def key() -> str:
        return "secret"

    with pytest.raises(SettingsError, match=r"argument key: key is an async function; give a plain one"):
        load({"endpoints": [FRA], "key": key})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "edgeclient.toml").mkdir()
    with pytest.raises(SettingsError, match=r"edgeclient\.toml: cannot be read .*; mend its rights or remove it"):
        load({})


def test_a_named_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CONFIG", "/nowhere/mine.toml")
    with pytest.raises(SettingsError, match=r"/nowhere/mine\.toml: cannot be read"):
        load({})


# -- where they come from


def test_without_anything_nothing_is_active() -> None:
    settings, endpoints = load({})
    assert endpoints == () and not settings.active and settings == Settings()


@pytest.mark.parametrize(
    "arguments",
    [
        {"cache": "exact"},
        {"notes": True},
        {"endpoints": [FRA], "key": "none"},
        {"aliases": {"a": "b"}},
        {"retired": "raise"},
        {"models": {"mine": {}}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_makes_an_edge_active(arguments: dict[str, Any]) -> None:
    assert load(arguments)[0].active
    assert not load({"cache": "off", "max_attempts": 5, "retired": "warn"})[0].active
    assert not load({"retired": "ignore"})[0].active


def test_arguments_before_variables_before_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("max_attempts = 2\nconnect_s = 2.0\ntotal_s = 2.0")
    monkeypatch.setenv("EDGECLIENT_MAX_ATTEMPTS", "4")
    monkeypatch.setenv("EDGECLIENT_CONNECT_S", "4")
    settings, _ = load({"max_attempts": 6})
    assert (settings.max_attempts, settings.connect_s, settings.total_s) == (6, 4.0, 2.0)


def test_the_file_is_found_upward(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("max_attempts = 2")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load({})[0].max_attempts == 2
    (tmp_path / "a" / "edgeclient.toml").write_text("max_attempts = 3")
    assert load({})[0].max_attempts == 3  # the nearest


def test_the_variable_names_another_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("max_attempts = 2")
    (tmp_path / "other.toml").write_text("max_attempts = 3")
    monkeypatch.setenv("EDGECLIENT_CONFIG", str(tmp_path / "other.toml"))
    assert load({})[0].max_attempts == 3


# -- the forms of the words


def _named(endpoints: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [(endpoint.name, endpoint.url) for endpoint in endpoints]


@pytest.mark.parametrize(
    "said",
    [
        [FRA, BOM],
        (FRA, BOM),
        [{"url": FRA}, {"url": BOM}],
        [Endpoint(FRA), {"url": BOM}],
        [f"{FRA}/", BOM],
    ],
    ids=["URLs", "tuple", "tables", "mixed", "slash"],
)
def test_the_forms_of_endpoints_as_arguments(said: Any) -> None:
    assert _named(load({"endpoints": said, "key": "none"})[1]) == [("fra.example.com", FRA), ("bom.example.com", BOM)]


@pytest.mark.parametrize(
    "said",
    [f"{FRA},{BOM}", f" {FRA} , {BOM} ,", f'["{FRA}", "{BOM}"]', f'[{{"url": "{FRA}"}}, "{BOM}"]'],
    ids=["commas", "blanks", "JSON", "JSON tables"],
)
def test_the_forms_of_endpoints_as_a_variable(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_ENDPOINTS", said)
    monkeypatch.setenv("EDGECLIENT_KEY", "none")
    assert _named(load({})[1]) == [("fra.example.com", FRA), ("bom.example.com", BOM)]


@pytest.mark.parametrize(
    "said",
    [
        f'[endpoints.fra]\nurl = "{FRA}"\n[endpoints.bom]\nurl = "{BOM}"',
        f'[[endpoints]]\nname = "fra"\nurl = "{FRA}"\n[[endpoints]]\nname = "bom"\nurl = "{BOM}"',
        f'[endpoints]\nfra = {{ url = "{FRA}" }}\nbom = {{ url = "{BOM}" }}',
    ],
    ids=["table of tables", "list of tables", "inline tables"],
)
def test_the_forms_of_endpoints_in_toml(said: str, write: Write) -> None:
    write('key = "none"\n' + said)
    assert _named(load({})[1]) == [("fra", FRA), ("bom", BOM)]


@pytest.mark.parametrize(
    ("said", "mode", "ttl_s"),
    [
        ("exact", "exact", 3600.0),
        ("off", "off", 3600.0),
        ({"mode": "exact", "ttl_s": 60}, "exact", 60.0),
        (Cache("semantic", ttl_s=5.0), "semantic", 5.0),
    ],
)
def test_the_forms_of_the_cache(said: Any, mode: str, ttl_s: float) -> None:
    cache = load({"cache": said})[0].cache
    assert (cache.mode, cache.ttl_s) == (mode, ttl_s)


@pytest.mark.parametrize("said", ["exact", '{"mode": "exact"}'])
def test_the_forms_of_the_cache_as_a_variable(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", said)
    assert load({})[0].cache.mode == "exact"


@pytest.mark.parametrize(("said", "expected"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_truth_as_a_variable(said: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_NOTES", said)
    assert load({})[0].notes is expected


@pytest.mark.parametrize(
    ("said", "resolved"),
    [(None, None), (["a"], {"a": "a"}), (("a",), {"a": "a"}), ({"a": "@cf/a"}, {"a": "@cf/a"}), ([], {})],
)
def test_the_forms_of_models(said: Any, resolved: Any) -> None:
    assert load({"endpoints": [Endpoint(FRA, key="none", models=said)]})[1][0].models == resolved


@pytest.mark.parametrize("day", ["2027-01-31", "'2027-01-31'"], ids=["a date of TOML", "a text"])
def test_what_is_said_of_a_model(day: str, write: Write) -> None:
    write(f'[models.mine]\nkind = "small"\nfamily = "bge-m3"\ncontext = 8192\nends = {day}\nreplacement = "new"')
    expected = Model("small", "bge-m3", 8192, date(2027, 1, 31), "new")
    assert load({})[0].models == {"mine": expected}
    assert load({"models": {"mine": expected}})[0].models == {"mine": expected}


def test_a_wrong_model_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match=r"Model: kind: .*'tiny'"):
        Model(kind="tiny")  # type: ignore[arg-type]


@pytest.mark.parametrize(("said", "expected"), [(None, None), ("off", None), (0.5, 0.5), ("3", 3.0)])
def test_the_forms_of_a_dead_path(said: Any, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"dead_path_s": said})[0].dead_path_s == expected
    if isinstance(said, str):
        monkeypatch.setenv("EDGECLIENT_DEAD_PATH_S", said)
        assert load({})[0].dead_path_s == expected


def test_routes_that_an_endpoint_serves() -> None:
    endpoints = [Endpoint(FRA, key="none", route="inference"), Endpoint(BOM, key="none", models=["b"])]
    settings, resolved = load({"endpoints": endpoints, "routes": {"a": "inference", "b": "gateway", "c": "direct"}})
    assert settings.routes == {"a": "inference", "b": "gateway", "c": "direct"}
    assert [endpoint.route for endpoint in resolved] == [Route.INFERENCE, None]


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        ([FRA, BOM], ["fra.example.com", "bom.example.com"]),
        ([FRA, f"{FRA}/two"], [FRA, f"{FRA}/two"]),
        (["http://h:1/v1", "http://h:2/v1"], ["h:1", "h:2"]),
    ],
)
def test_an_endpoint_without_a_name_is_called_by_its_host_or_its_url(urls: list[str], names: list[str]) -> None:
    assert [endpoint.name for endpoint in load({"endpoints": urls, "key": "none"})[1]] == names


def test_a_probe_path_begins_with_a_slash() -> None:
    said = [Endpoint(FRA, key="none", probe="health"), Endpoint(BOM, key="none")]
    assert [endpoint.probe for endpoint in load({"endpoints": said})[1]] == ["/health", "/"]


# -- keys


def _key(said: Any, **endpoint: Any) -> Key:
    resolved = load({"endpoints": [{"url": FRA, **endpoint}], **({} if said is None else {"key": said})})[1][0].key
    assert isinstance(resolved, Key)
    return resolved


def test_a_key_is_read_from_its_variable_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRA_KEY", "one")
    key = _key("env:FRA_KEY")
    assert key.read() == "one" and not key.passes_through
    monkeypatch.setenv("FRA_KEY", "two")
    assert key.read() == "two"
    monkeypatch.delenv("FRA_KEY")
    assert key.read() == ""


@pytest.mark.parametrize(("said", "passes"), [("passthrough", True), ("none", False)])
def test_the_words_for_keys(said: str, passes: bool) -> None:
    assert _key(said).passes_through is passes and _key(said).read() == ""


def test_a_function_is_asked_for_the_key() -> None:
    assert _key(lambda: "secret").read() == "secret"


def test_an_endpoints_own_key_comes_first() -> None:
    assert _key("passthrough", key="none").said == "none"
    assert _key(None, key="passthrough").passes_through


def test_a_key_never_shows_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRA_KEY", "sk-live-4711")
    settings, endpoints = load({"endpoints": [FRA], "key": "env:FRA_KEY"})
    shown = f"{settings} {settings!r} {endpoints} {endpoints!r} {endpoints[0].key}"
    assert "sk-live-4711" not in shown and "env:FRA_KEY" in shown


# -- what they are


@pytest.mark.parametrize("made", [Settings(), Cache(), Endpoint(FRA)], ids=lambda made: type(made).__name__)
def test_settings_are_frozen(made: Any) -> None:
    for field in dataclasses.fields(made):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, None)


def test_every_setting_is_described() -> None:
    assert list(SETTINGS) == [field.name for field in dataclasses.fields(Settings)]


def test_regions_limit_where_calls_go() -> None:
    endpoints = [
        Endpoint("https://fra.example.com/v1", key="none", region="EU"),
        Endpoint("https://nyc.example.com/v1", key="none", region="us"),
    ]
    edge = Edge(endpoints=endpoints, allow_regions=["eu"])
    assert [e.name for e in edge.policies.candidates.of("openai", "gpt-4o", Route.GATEWAY)] == ["fra.example.com"]
    assert edge.policies.candidates.origin == "never"
    assert Edge(endpoints=endpoints, allow_regions=["eu", "origin"]).policies.candidates.origin == "last"
    with pytest.raises(
        SettingsError, match=r"argument allow_regions: allow_regions is de, .* \(their regions: EU, us\)"
    ):
        Edge(endpoints=endpoints, allow_regions=["de"])


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_is_a_number_above_zero(weight: float) -> None:
    with pytest.raises(SettingsError, match="Endpoint: weight"):
        Endpoint("https://fra.example.com/v1", weight=weight)


@pytest.mark.parametrize(
    ("said", "expected"), [("on", Hedge()), (True, Hedge()), ("off", None), (False, None), ({"share": 0.1}, Hedge(0.1))]
)
def test_hedging_is_said_in_a_word_or_a_table(said: object, expected: object) -> None:
    assert Edge(hedge=said).settings.hedge == expected


@pytest.mark.parametrize("said", [{"share": 0}, {"share": 0.3}, {"central_an_hour": -1}, "always", {"shares": 0.1}])
def test_odd_hedging_is_refused(said: object) -> None:
    with pytest.raises(SettingsError, match=r"argument hedge: hedge|unknown setting hedge\.shares"):
        Edge(hedge=said)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"hedge": "always"}, "give 'off', 'on', or a table"),
        ({"cache": True}, "give 'off', 'exact', 'semantic', or a table"),
        ({"dead_path_s": "never"}, "or 'off'"),
        ({"keep_warm": "lots"}, "give a number from 0 to 10, true or false"),
    ],
)
def test_an_error_names_the_words_that_a_setting_takes(said: dict[str, object], wanted: str) -> None:
    ((name, value),) = said.items()
    with pytest.raises(SettingsError, match=f"argument {name}: {name}: .*{wanted}.*got {value!r}"):
        Edge(**said)


def test_a_cascade_reads_the_same_from_everywhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"first": "llama", "min_chars": 3, "matches": "^a", "json": True}
    expected = {"gpt-4o": Cascade("llama", 3, None, "^a", True)}
    monkeypatch.setenv("EDGECLIENT_ENDPOINTS", FRA)
    monkeypatch.setenv("EDGECLIENT_KEY", "none")
    assert load({"cascade": {"gpt-4o": said}})[0].cascade == expected
    assert load({"cascade": {"gpt-4o": Cascade(**said)}})[0].cascade == expected  # type: ignore[arg-type]
    write('[cascade."gpt-4o"]\nfirst = "llama"\nmin_chars = 3\nmatches = "^a"\njson = true')
    assert load({})[0].cascade == expected
    monkeypatch.setenv("EDGECLIENT_CASCADE", '{"gpt-4o": {"first": "llama", "max_chars": 9}}')
    assert load({})[0].cascade == {"gpt-4o": Cascade("llama", max_chars=9)}


def test_a_cascade_says_its_mistakes_when_it_is_made() -> None:
    with pytest.raises(SettingsError, match=r"Cascade: matches: .*no regular expression"):
        Cascade("llama", matches="*")


def test_a_cascades_check_may_not_be_async() -> None:
    async def check(text: str) -> bool:
        return True

    with pytest.raises(SettingsError, match=r"cascade\.gpt-4o\.check is an async function"):
        load({"endpoints": [FRA], "key": "none", "cascade": {"gpt-4o": Cascade("llama", check=check)}})


def test_a_cascades_schema_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {
        "endpoints": [FRA],
        "key": "none",
        "cascade": {"gpt-4o": {"first": "llama", "schema": True}},
    }
    assert load(said)[0].cascade["gpt-4o"].schema
    monkeypatch.setattr("edgeclient.settings.resolving.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"cascade\.gpt-4o\.schema needs the package jsonschema; install"):
        load(said)


@pytest.mark.parametrize(
    ("field", "value"),
    [("min_logprob", 0.1), ("min_logprob", float("nan")), ("within_s", 0), ("within_s", float("inf"))],
)
def test_a_cascades_limits_have_limits(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"Cascade: {field}: "):
        Cascade("llama", **{field: value})  # type: ignore[arg-type]


def test_an_endpoint_that_names_the_first_model_serves_it_whatever_its_route() -> None:
    named = Endpoint(FRA, route="gateway", models=["llama"])
    assert load({"endpoints": [named], "key": "none", "cascade": {"gpt-4o": Cascade("llama", 1)}})[0].cascade


@pytest.mark.parametrize(
    "said",
    [
        {"endpoints": "https://me:s3cr3t@fra.example.com/v1"},
        {"endpoints": ["https://me:s3cr3t@fra.example.com/v1?x=1"], "key": "none"},
        {"endpoints": ["ftp://me:s3cr3t@fra.example.com/v1"], "key": "none"},
        {"origins": ["https://me:s3cr3t@fra.example.com/v1#x"]},
    ],
)
def test_no_error_shows_a_password_of_an_address(said: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        load(said)
    assert "fra.example.com" in str(error.value) and "s3cr3t" not in str(error.value)
