"""The semantic cache behind both SDKs: shadow, serving, notes, reports, complaints, and embedders that fail."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from canned import answer_to
from recording import Fault, Seen, on_the_wire
from talking import FORMS, Net, ask

import edgeclient
from edgeclient import SettingsError
from edgeclient.settings import Cache

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

ASKED = "How do I reset my password?"
EQUAL = "  how do i reset my password "
ALIKE = "What do I do to reset my password?"
OTHER = "How do I delete my account?"


def edge(net: Net, **said: Any) -> Any:
    """An edge that takes high risks: what is alike is served before anything was learned."""
    asked = {"semantic": "serve", "max_wrong_rate": 0.2, "audit_rate": 0.0, **said}
    return net.edge("fra", cache=Cache("semantic", **asked))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("question", [EQUAL, ALIKE])
async def test_what_asks_the_same_gets_the_same_answer(net: Net, form: str, question: str) -> None:
    made = edge(net)
    client = net.client(made)
    first = await ask(client, "plain", ASKED)
    second = await ask(client, form, question)
    assert second.text == first.text and net.seen() == {"fra": 1}
    match = second.notes.match
    assert second.notes.cache == "hit" and match.tier == ("equal" if question == EQUAL else "semantic")
    assert match.budget == 0.2 and 0 <= match.risk <= 0.2 and 0.5 < match.similarity <= 1.001
    assert f"detail={match.tier}" in str(edgeclient.noting.headers(second.notes))
    assert made.status().counts["semantic hits"] == 1
    if form == "plain":
        assert type(second.answer) is type(first.answer) and second.answer.id != first.answer.id


@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_a_stream_teaches_as_a_whole_answer_does(net: Net, form: str) -> None:
    client = net.client(edge(net))
    await ask(client, form, ASKED)
    assert (await ask(client, form, ALIKE)).notes.match is not None and net.seen() == {"fra": 1}


async def test_shadow_asks_the_model_and_says_what_it_would_have_saved(net: Net) -> None:
    made = edge(net, semantic="shadow")
    client = net.client(made)
    for question in (ASKED, EQUAL, ALIKE, OTHER):
        assert (await ask(client, "plain", question)).notes.cache == "miss"
    assert net.seen() == {"fra": 4}
    report = made.semantic.report()
    assert (report.lookups, report.equal, report.chosen, report.compared, report.wrong) == (4, 1, 1, 1, 0)
    assert report.saved_share == 0.5 and report.wrong_share == 0.0
    assert not report.enough and report.missing == 11  # three in a fifth, less the four


async def test_a_word_decides_for_one_call(net: Net) -> None:
    client = net.client(edge(net, semantic="shadow"))
    await ask(client, "plain", ASKED)
    served = await ask(client, "plain", ALIKE, extra_headers={"Edge-Semantic": "serve"})
    assert served.notes.match is not None and net.seen() == {"fra": 1}
    assert net.endpoints["fra"].seen[0].header("edge-semantic") is None
    other = net.client(edge(net))
    await ask(other, "plain", ASKED)
    assert (await ask(other, "plain", ALIKE, extra_headers={"Edge-Semantic": "off"})).notes.cache == "miss"
    assert (await ask(other, "plain", EQUAL, extra_headers={"Edge-Semantic": "perhaps"})).notes.match is not None


async def test_nothing_else_may_differ(net: Net) -> None:
    client = net.client(edge(net))
    await ask(client, "plain", ASKED)
    named = "gpt-4o-mini" if net.sdk == "openai" else "claude-other"
    other = {"temperature": 0.1} if net.sdk == "openai" else {"system": "Be brief."}
    for more in ({"model": named}, other, {"max_tokens": 65}, {"metadata": {"user_id": "1"}}):
        assert (await ask(client, "plain", ALIKE, **more)).notes.match is None
    somebody_else = client.with_options(api_key="sk-somebody-else")
    assert (await ask(somebody_else, "plain", ALIKE)).notes.match is None
    assert (await ask(client, "plain", ALIKE)).notes.match is not None


async def test_a_complaint_evicts_and_blocks(net: Net) -> None:
    made = edge(net)
    client = net.client(made)
    await ask(client, "plain", ASKED)
    served = await ask(client, "plain", ALIKE)
    assert made.semantic.wrong(served.answer) and not made.semantic.wrong(served.answer)
    assert (await ask(client, "plain", ALIKE)).notes.cache == "miss"
    assert (await ask(client, "plain", ASKED)).notes.match is not None or net.seen() == {"fra": 3}
    assert not made.semantic.wrong((await ask(client, "plain", OTHER)).answer)
    assert made.semantic.report().wrong == 1


async def test_explain_sends_nothing_and_tells_why(net: Net) -> None:
    made = edge(net)
    client = net.client(made)
    await ask(client, "plain", ASKED)
    (near,) = made.semantic.explain("How do I reset my 2 passwords?")
    assert near.guards and near.score is None and not near.would_serve and near.prompt == ""
    (near,) = made.semantic.explain(ALIKE, prompts=True)
    assert near.would_serve and near.prompt == ASKED and near.risk <= near.limit
    assert net.seen() == {"fra": 1} and made.semantic.report().lookups == 1


async def test_a_wrong_candidate_is_a_label_and_an_example(net: Net) -> None:
    """Where the model's answers differ, shadow says so."""
    said = iter(("one day", "never at all, except in 1999", "what else"))

    def answer(seen: Seen) -> list[bytes]:
        made = answer_to(seen.method, seen.path, seen.target, seen.body, next(said))
        return [on_the_wire(made)]

    net.endpoints["fra"].always = Fault(answer, keep=True)
    made = edge(net, semantic="shadow")
    client = net.client(made)
    await ask(client, "plain", ASKED)
    await ask(client, "plain", ALIKE)
    report = made.semantic.report()
    assert (report.chosen, report.compared, report.wrong) == (1, 1, 1) and len(report.examples) == 1


class Failing:
    """An embedder that does what a test says."""

    name, fingerprint, dimensions, quick, budget_s, leading = "failing", "failing-1", 3, 10_000, 0.025, 0

    def __init__(self, does: Any) -> None:
        self.embed = does

    @property
    def judge(self) -> Any:
        from edgeclient.cache.embedders import embedder

        return embedder("none")


def _raises(texts: Any) -> Any:
    raise RuntimeError("no vectors today")


RUBBISH = {
    "raises": _raises,
    "not finite": lambda texts: [[float("nan")] * 3 for _ in texts],
    "other dimensions": lambda texts: [[1.0, 0.0] for _ in texts],
    "constant": lambda texts: [[1.0] * 3 for _ in texts],
    "nothing": lambda texts: [],
}


@pytest.mark.parametrize("how", RUBBISH)
async def test_a_broken_embedder_costs_nothing_but_the_hit(net: Net, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeclient import semantics

    monkeypatch.setattr(semantics, "embedder", lambda name: Failing(RUBBISH[how]))
    made = edge(net)
    client = net.client(made)
    for question in (ASKED, ALIKE):
        assert (await ask(client, "plain", question)).notes.cache == "miss"
    assert net.seen() == {"fra": 2} and sum(made.status().mishaps.values()) == 2


async def test_an_embedder_that_hangs_is_not_waited_for(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeclient import semantics

    over = threading.Event()

    def hangs(texts: Any) -> Any:
        over.wait(20)
        return [[1.0, 0.0, 0.0] for _ in texts]

    failing = Failing(hangs)
    failing.quick = 0  # type: ignore[misc]
    monkeypatch.setattr(semantics, "embedder", lambda name: failing)
    made = edge(net)
    try:
        assert (await ask(net.client(made), "plain", ASKED)).notes.cache == "miss"
        assert made.status().mishaps == {"semantic embedding timeout": 1}
    finally:
        over.set()


async def test_a_cleared_cache_knows_no_prompt_any_more(net: Net) -> None:
    made = edge(net)
    client = net.client(made)
    await ask(client, "plain", ASKED)
    served = await ask(client, "plain", ALIKE)
    made.clear_cache()
    assert made.semantic.explain(ASKED) == () and not made.semantic.wrong(served.answer)
    assert (await ask(client, "plain", ALIKE)).notes.cache == "miss"


async def test_a_short_life_leaves_what_it_learned(net: Net, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'answers.db'}"
    with edge(net, store=store, budget_s=5.0, semantic="shadow") as first:
        for question in (ASKED, ALIKE):
            await ask(net.client(first), "plain", question)
    with edge(net, store=store, budget_s=5.0, semantic="shadow") as second:
        client = net.client(second)
        for question in (OTHER, OTHER + " please, at once"):  # the first comparison hears of it
            await ask(client, "plain", question)
        second.semantic.report()
        kept = second.semantic._edge.semantic.exchange(None)
    assert len({row[1] for row in kept["labels"]}) == 2  # of two processes
    assert first.status().mishaps == second.status().mishaps == {}


async def test_an_entry_of_another_process_is_found_once_it_was_asked_for(net: Net, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'answers.db'}"
    with edge(net, store=store, budget_s=5.0) as first:
        await ask(net.client(first), "plain", ASKED)
    with edge(net, store=store, budget_s=5.0) as second:
        client = net.client(second)
        exact = await ask(client, "plain", ASKED)
        assert exact.notes.cache == "hit" and exact.notes.match is None
        second.semantic.report()  # waits for what is done beside the calls
        assert (await ask(client, "plain", ALIKE)).notes.match is not None
    assert net.seen() == {"fra": 1}


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("way_name", ["threads"])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"max_wrong_rate": 0}, "max_wrong_rate"),
        ({"max_wrong_rate": 0.21}, "max_wrong_rate"),
        ({"semantic": "yes"}, "semantic"),
        ({"embedder": "word2vec"}, "word2vec"),
        ({"audit_rate": 1.1}, "audit_rate"),
    ],
)
async def test_settings_that_make_no_sense(net: Net, said: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        net.edge("fra", cache={"mode": "semantic", **said})


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("way_name", ["threads"])
async def test_an_edge_without_it_says_so(net: Net) -> None:
    with pytest.raises(SettingsError, match="semantic cache is off"):
        net.edge("fra", cache="exact").semantic.report()


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_model_file_of_ones_own_finds_candidates(net: Net, tmp_path: Path) -> None:
    import onnx_files

    onnx_files.model(tmp_path / "model.onnx")
    onnx_files.tokenizer(tmp_path / "tokenizer.json")
    made = edge(net, embedder=f"onnx:{tmp_path}", semantic="shadow")
    client = net.client(made)
    for question in (ASKED, EQUAL):
        await ask(client, "plain", question)
    assert made.semantic._edge.semantic.fingerprint.startswith("onnx")
    assert made.semantic.report().lookups + sum(made.status().mishaps.values()) == 2


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("way_name", ["threads"])
async def test_a_folder_without_a_model_is_said(net: Net, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no tokenizer"):
        edge(net, embedder=f"onnx:{tmp_path}")
    with pytest.raises(SettingsError, match="onnx:FOLDER"):
        edge(net, embedder=5)


@pytest.mark.parametrize("question", ["", "🧭", "x" * 30_000, "\u200b\u200b", "नमस्ते दुनिया"])
async def test_odd_prompts_are_calls_like_others(net: Net, question: str) -> None:
    made = edge(net)
    client = net.client(made)
    for _ in range(2):
        assert (await ask(client, "plain", question)).text == "hello from fra"
    assert (await ask(client, "plain", question + "!?")).notes.cache in ("miss", "hit")
    assert made.status().mishaps.keys() <= {"semantic embedding timeout"}  # of the long one, on a busy machine
