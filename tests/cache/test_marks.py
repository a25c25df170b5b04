"""What was made invalid is gone, and nothing else: marks against a plain search, however they are kept, heard and dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import entry

from edgeclient.cache import marks as module
from edgeclient.cache.marks import EVERYTHING, Mark, Marks, Subject, added, read
from edgeclient.values import Entry

WORDS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.builds(
    Subject,
    key=st.none() | WORDS,
    namespace=st.none() | WORDS | st.just(""),
    model=st.none() | WORDS,
    tag=st.none() | WORDS,
)
MARKS = st.builds(Mark, subject=SUBJECTS, at=st.integers(0, 20).map(float))
ENTRIES = st.builds(
    lambda key, namespace, model, named, tags, at: replace(
        entry(key), namespace=namespace, model=model, named=named, tags=tuple(tags), stored_at=float(at)
    ),
    *[WORDS, WORDS | st.just(""), WORDS | st.just(""), WORDS | st.just("")],
    st.lists(WORDS, max_size=2),
    st.integers(0, 20),
)


def searched(marks: list[Mark], one: Entry) -> bool:
    return any(one.stored_at <= mark.at and mark.subject.fits(one) for mark in marks)


def fits(subject: Subject, one: Entry) -> bool:
    """The same in other words: each thing that is said has to be true of the entry."""
    said = {name: value for name, value in subject._asdict().items() if value is not None}
    own = {"key": {one.key, one.named} - {""}, "namespace": {one.namespace}, "tag": set(one.tags)}
    own["model"] = {one.model} if one.model else {"a", "b", "c"}
    return all(value in own[name] for name, value in said.items())


@given(subject=SUBJECTS, one=ENTRIES)
def test_an_entry_fits_when_all_that_is_said_is_true_of_it(subject: Subject, one: Entry) -> None:
    assert subject.fits(one) is fits(subject, one)


@given(said=st.lists(MARKS, max_size=8), one=ENTRIES, cut=st.integers(0, 8))
def test_marks_say_what_a_search_would(said: list[Mark], one: Entry, cut: int) -> None:
    marks = Marks()
    for part in (said[:cut], said[cut:], said):  # heard a part at a time, and again
        marks.hear([mark.spelled() for mark in part])
    assert marks.gone(one) is searched(said, one)


@given(mark=MARKS)
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert read(mark.spelled()) == mark


@pytest.mark.parametrize("text", ['["a",null,null,null,"b",7]', '[null,null,{"like":"gpt-*"},null,7.0]', "[7]"])
def test_a_mark_of_a_newer_version_means_everything(text: str) -> None:
    assert read(text) == Mark(EVERYTHING, 7.0)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", "7", '["a"]', "[" * 9000])
def test_what_is_no_mark_means_nothing(text: str) -> None:
    marks = Marks()
    marks.hear([text])
    assert not marks.gone(entry(stored_at=0.0))


@given(said=st.lists(MARKS, max_size=30), entries=st.lists(ENTRIES, max_size=10))
def test_a_store_keeps_no_more_than_so_many_and_nothing_comes_back(said: list[Mark], entries: list[Entry]) -> None:
    kept: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST", 5)
        for mark in said:
            new, dropped = added(mark, kept)
            kept = (kept | set(new)) - set(dropped)
            assert len(kept) <= 5
    marks = Marks()
    marks.hear(sorted(kept))
    assert all(marks.gone(one) for one in entries if searched(said, one))
    if len(said) <= 4:
        assert not any(marks.gone(one) for one in entries if not searched(said, one))


def test_those_that_all_cover_take_no_memory() -> None:
    marks = Marks()
    marks.hear([Mark(Subject(tag=str(n)), 1.0).spelled() for n in range(1000)])
    marks.hear([Mark(EVERYTHING, 2.0).spelled()])
    assert len(marks._at) == 1
