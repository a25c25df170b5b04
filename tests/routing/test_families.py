"""Families of models: the data file, spellings, likeness between systems, ambiguous names."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeclient.routing import families
from edgeclient.routing.catalogue import kind_of
from edgeclient.routing.families import Ambiguous, Family, Likeness, find, name_at

DATA: dict[str, Any] = families.read()
SAME, KIN, OTHER = Likeness.SAME_WEIGHTS, Likeness.SAME_FAMILY, Likeness.SUBSTITUTE
ALL_IDS = [
    (family["name"], system, name)
    for family in DATA["families"]
    for system, names in family["ids"].items()
    for name in names
]

SPELLINGS = {
    "llama-3.1-8b-instruct": [
        "llama-3.1-8b-instruct", "LLAMA-3.1-8B-Instruct", " llama-3.1-8b ", "meta-llama/Llama-3.1-8B-Instruct",
        "@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/meta/llama-3.1-8b-instruct-awq",
        "workers-ai/@cf/meta/llama-3.1-8b-instruct",
        "meta/llama-3.1-8b", "llama3.1:8b", "llama-3.1-8b-instant", "llama3.1-8b",
        "openrouter/meta-llama/llama-3.1-8b-instruct",
        "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "accounts/fireworks/models/llama-v3p1-8b-instruct",
        "meta.llama3-1-8b-instruct-v1:0", "us.meta.llama3-1-8b-instruct-v1:0", "meta/llama-3.1-8b-instruct-maas",
    ],
    "llama-3.3-70b-instruct": [
        "llama-3.3-70b", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3.3-70b-versatile", "Llama-3.3-70B-Instruct",
        "accounts/fireworks/models/llama-v3p3-70b-instruct",
    ],
    "llama-4-scout-17b-16e-instruct": ["meta/llama-4-scout", "llama4:scout", "meta.llama4-scout-17b-instruct-v1:0"],
    "llama-3.2-1b-instruct": ["llama3.2:1b", "us.meta.llama3-2-1b-instruct-v1:0"],
    "mistral-7b-instruct": ["mistral:7b", "@cf/mistral/mistral-7b-instruct-v0.1", "mistral.mistral-7b-instruct-v0:2"],
    "mistral-small-3.x-24b-instruct": [
        "@cf/mistralai/mistral-small-3.1-24b-instruct", "mistral-small3.1:24b", "mistral-small-2503",
    ],
    "ministral-8b": ["mistral/ministral-8b", "mistral.ministral-3-8b-instruct"],
    "qwen3-30b-a3b": ["@cf/qwen/qwen3-30b-a3b-fp8", "alibaba/qwen-3-30b", "qwen3:30b", "Qwen/Qwen3-30B-A3B"],
    "qwen3-32b": ["qwen/qwen3-32b", "qwen-3-32b", "qwen.qwen3-32b-v1:0"],
    "qwen3.8-27b": ["@cf/qwen/qwen3.8-27b", "qwen-3.8-27b"],
    "gpt-oss-20b": ["@cf/openai/gpt-oss-20b", "openai/gpt-oss-20b", "gpt-oss:20b", "openai.gpt-oss-20b-1:0"],
    "gpt-oss-120b": ["gpt-oss-120b", "accounts/fireworks/models/gpt-oss-120b"],
    "gemma-4-26b-a4b-it": ["google/gemma-4-26b-a4b-it"],
    "bge-m3": ["@cf/baai/bge-m3", "BAAI/bge-m3", "bge-m3"],
    "nomic-embed-text-v1.5": ["nomic-embed-text", "nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text:v1.5"],
    "qwen3-embedding-0.6b": ["qwen3-embedding:0.6b"],
    "gpt-4o": ["gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06", "openrouter/openai/gpt-4o"],
    "gpt-6-luna": ["gpt-6-luna", "us.openai.gpt-6-luna"],
    "claude-sonnet-4": [
        "claude-sonnet-4", "claude-sonnet-4-0", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4",
        "anthropic.claude-sonnet-4-20250514-v1:0", "eu.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4@20250514",
    ],
    "claude-sonnet-4.5": ["claude-sonnet-4-5", "anthropic/claude-sonnet-4.5", "anthropic.claude-sonnet-4-5"],
    "claude-sonnet-5.5": ["claude-sonnet-5-5"],
    "gemini-2.5-pro": ["gemini-2.5-pro", "google/gemini-2.5-pro", "google-ai-studio/gemini-2.5-pro"],
}  # fmt: skip
CASES = [(spelling, family) for family, spellings in SPELLINGS.items() for spelling in spellings]


def test_there_are_enough_spellings() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize(("spelling", "name"), CASES, ids=ascii)
def test_a_spelling_tells_the_family(spelling: str, name: str) -> None:
    found = find(spelling)
    assert isinstance(found, Family), found
    assert found.name == name


@pytest.mark.parametrize("ambiguous", DATA["ambiguous"], ids=lambda one: one["name"])
def test_a_name_with_several_meanings_is_reported_with_them(ambiguous: dict[str, Any]) -> None:
    found = find(ambiguous["name"].upper())
    assert found == Ambiguous(ambiguous["name"], tuple(ambiguous["meanings"])) and len(ambiguous["meanings"]) > 1
    assert name_at(ambiguous["name"], "workers-ai") == found
    assert all(isinstance(find(meaning), Family) for meaning in ambiguous["meanings"])


def test_no_system_has_an_ambiguous_name() -> None:
    ids = {name["id"].lower() for _, _, name in ALL_IDS}
    assert not ids & {one["name"] for one in DATA["ambiguous"]}


def test_a_spelling_of_two_families_is_ambiguous() -> None:
    one, other = families.families()[:2]
    same = families.Name("shared-name", SAME)
    made = [Family(f.name, f.kind, None, {"groq": (same,)}) for f in (one, other)]
    index = families._index(tuple(made), {f.name: () for f in made})
    assert index["shared-name"] == Ambiguous("shared-name", (one.name, other.name))


@pytest.mark.parametrize("name", ["", "my-deployment", "ft:gpt-4o:me::1", "gpt-4", "llama", "\ud800"])
def test_what_nobody_knows_is_none(name: str) -> None:
    assert find(name) is None and name_at(name, "openai") is None


@given(st.text() | st.sampled_from([n["id"] for _, _, n in ALL_IDS]).map(lambda name: f"x/{name}:"))
@example("ft:")
def test_no_name_makes_it_raise(name: str) -> None:
    find(name)
    name_at(name, "workers-ai")


@pytest.mark.parametrize(
    ("model", "system", "expected"),
    [
        ("llama-3.3-70b-instruct", "deepinfra", ("meta-llama/Llama-3.3-70B-Instruct", SAME)),
        ("llama-3.3-70b-instruct", "workers-ai", ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", KIN)),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "deepinfra", ("meta-llama/Llama-3.3-70B-Instruct", KIN)),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "workers-ai", ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", SAME)),
        ("llama3.3:70b", "groq", ("llama-3.3-70b-versatile", KIN)),
        ("@cf/meta/llama-3.1-8b-instruct-awq", "workers-ai", ("@cf/meta/llama-3.1-8b-instruct-awq", SAME)),
        ("llama3.1:8b", "workers-ai", ("@cf/meta/llama-3.1-8b-instruct-fp8", KIN)),
        ("mistralai/Mistral-7B-Instruct-v0.3", "bedrock", ("mistral.mistral-7b-instruct-v0:2", OTHER)),
        ("mistral.mistral-7b-instruct-v0:2", "together", ("mistralai/Mistral-7B-Instruct-v0.3", OTHER)),
        ("gpt-oss-20b", "groq", ("openai/gpt-oss-20b", SAME)),
        ("claude-sonnet-4", "vertex", ("claude-sonnet-4@20250514", SAME)),
        ("claude-sonnet-4.5", "vercel", ("anthropic/claude-sonnet-4.5", SAME)),
        ("gpt-4o-2024-08-06", "vercel", ("openai/gpt-4o", KIN)),
        ("us.meta.llama3-1-8b-instruct-v1:0", "deepinfra", ("meta-llama/Meta-Llama-3.1-8B-Instruct", KIN)),
        ("us.meta.llama3-3-70b-instruct-v1:0", "deepinfra", ("meta-llama/Llama-3.3-70B-Instruct", KIN)),
        ("gpt-4o", "sagemaker", None),
        ("gpt-4o", "no-such-system", None),
    ],
)  # fmt: skip
def test_a_name_elsewhere_and_how_alike_it_is(model: str, system: str, expected: object) -> None:
    assert name_at(model, system) == expected


# -- the data file


def test_the_file_says_where_it_comes_from() -> None:
    about = DATA["about"]
    assert all(about[part] for part in ("what", "as_of", "sources", "licence", "alike", "order", "price"))
    assert families.systems() == tuple(DATA["systems"]) and len(set(DATA["systems"])) == len(DATA["systems"])


def test_each_id_is_unique_at_its_system() -> None:
    ids = [(system, name["id"].lower()) for _, system, name in ALL_IDS]
    assert len(ids) == len(set(ids))
    assert {system for system, _ in ids} <= set(DATA["systems"])


@pytest.mark.parametrize("family", families.families(), ids=lambda family: family.name)
def test_a_family_is_consistent(family: Family) -> None:
    for name in family.all_names():
        found = find(name.id)
        assert isinstance(found, Family)
        assert found is family and kind_of(name.id) is family.kind
        assert name.context is None or name.context > 0
        if re.search(r"fp8|awq|turbo|int8|q4", name.id, re.IGNORECASE):
            assert name.likeness is not SAME, "a quantised build has other weights"
        if family.hf and name.likeness is SAME:
            assert name.id.rpartition("/")[2].lower() == family.hf.rpartition("/")[2].lower()
    assert find(family.name) is family and (family.hf is None or find(family.hf) is family)
    assert family.embedding is None or family.embedding.dimension > 0
    assert list(family.contexts()) == sorted({n.context for n in family.all_names() if n.context})


def test_foundation_and_small_are_as_the_project_says() -> None:
    kinds = {family.name: family.kind.value for family in families.families()}
    assert {kinds[name] for name in kinds if name.startswith(("gpt-4", "gpt-6", "claude", "gemini"))} == {"foundation"}
    small = ("llama", "mistral", "ministral", "qwen", "gpt-oss", "bge", "nomic", "gemma")
    assert {kinds[name] for name in kinds if name.startswith(small)} == {"small"}


@pytest.mark.parametrize("entry", DATA["lifecycle"], ids=lambda entry: f"{entry['provider']}-{entry['models'][0]}")
def test_an_end_has_a_date_and_a_source(entry: dict[str, Any]) -> None:
    date.fromisoformat(entry["date"])
    assert entry["sources"] and all(entry["sources"]) and entry["models"]
    assert entry["provider"] in DATA["systems"]
    assert entry["replacement"] is None or entry["replacement"] not in entry["models"]


def test_no_name_ends_twice_at_one_provider() -> None:
    ends = [(entry["provider"], model.lower()) for entry in DATA["lifecycle"] for model in entry["models"]]
    assert len(ends) == len(set(ends))


def test_an_end_that_counts_wherever_the_name_is_served_is_an_end_everywhere() -> None:
    """Else the name's end at one host would be told to callers of another one, where it lives on."""
    passing_on = {"cloudflare-gateway", "vercel", "openrouter"}
    ended = {(entry["provider"], model.lower()) for entry in DATA["lifecycle"] for model in entry["models"]}
    holders: dict[str, set[str]] = {}
    for _, system, name in ALL_IDS:
        holders.setdefault(name["id"].lower(), set()).add(system)
    for entry in DATA["lifecycle"]:
        for model in map(str.lower, [] if entry.get("shared") else entry["models"]):
            living = {s for s in holders.get(model, set()) - passing_on if (s, model) not in ended}
            assert not living, f"{model} ends at {entry['provider']}, but not at {living}: say shared"


def test_what_replaces_a_name_lives_longer() -> None:
    ends = {(e["provider"], model): e["date"] for e in DATA["lifecycle"] for model in e["models"]}
    for entry in DATA["lifecycle"]:
        assert ends.get((entry["provider"], entry["replacement"]), "9999") > entry["date"]
