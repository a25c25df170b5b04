"""A prompt taken apart: what makes two prompts equal, and what is found in one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache import reading as reading_module
from edgeclient.cache.lexicon import lexicon, stem
from edgeclient.cache.reading import LONGEST, grams, normal, packed, read, unpacked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I cancel?", "how do i  cancel"),
        ("Please tell me a joke.", "tell me a joke"),
        ("Hi, could you please explain DNS? Thanks in advance!", "explain dns"),
        ("Can you list the planets, please?", "list the planets"),
        ("what’s up", "What's up?"),
        ("... and then?!", "and then"),
        ("Cancel it now!!!", "cancel it now"),
    ],
)
def test_case_space_courtesy_and_the_end_do_not_matter(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Say 'Yes'", "Say 'yes'"),
        ("What is myVar?", "What is MyVar?"),
        ("list *.c", "list *.C"),
        ("1.5 liters", "15 liters"),
        ("C++ please", "C please"),
        ("no thanks to him", "no to him"),
        ("pay the bill", "pay the\u200b bill"),
        ("paypal", "p\u0430ypal"),
        ("what is .5 times 3", "what is 5 times 3"),
        (".5 times 3", "5 times 3"),
        ("What is 5!", "What is 5?"),
        ("compute (n+1)!", "compute (n+1)"),
        ("how do I say please", "how do I say thanks"),
        ("what is French for thanks", "what is French for please"),
        ("run `a  b`", "run `a b`"),
        ("why does it fail\nif x:\n    y\n    z", "why does it fail\nif x:\n    y\nz"),
    ],
)
def test_what_may_matter_is_kept(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_what_is_found_in_a_prompt() -> None:
    found = read('Don\'t convert 12 km and 1,500.50 from Paris to Rome with `to_miles`; say "Well done", not 3k')
    assert found is not None
    assert found.numbers == {"12": 1, "1500.5": 1, "3000": 1}
    assert found.quoted == {"well done"}
    assert found.code == {"to_miles"}
    assert {"paris", "rome"} <= found.names
    assert found.kinds == {"unit": {"km", "miles"}, "place": {"paris", "rome"}}
    assert found.roles["rome"] == {"dst"}
    assert found.negations == 2
    assert not found.foreign


PARTS = [
    ("Send money to another bank", {"bank": {"dst"}}),
    ("get coins out of the old machine", {"old": {"src"}, "machin": {"src"}}),
    ("convert dollars to francs", {"franc": {"dst"}}),
    ("a reply to my boss's email", {"email": {"dst"}}),
    ("from bank to bank", {"bank": {"src", "dst"}}),
    ("how to pay, ways to pay the bill", {}),
    ("it failed due to rain", {}),
    ("call me before the match of the year", {"match": {"bef"}}),
]


@pytest.mark.parametrize(("text", "parts"), PARTS)
def test_words_play_the_part_that_the_word_in_front_gives_them(text: str, parts: dict[str, set[str]]) -> None:
    found = read(text)
    assert found is not None
    assert found.parts == parts


def test_of_a_pair_of_opposites_one_side_is_noted_and_both_are_not() -> None:
    one, both = read("increase it"), read("increase or decrease it")
    assert one is not None
    assert both is not None
    assert len(one.sides) == 1
    assert both.sides == {}


def test_uncertain_words_are_of_a_kind_only_with_a_capital() -> None:
    small, capital = read("how do I go there"), read("how do I do that in Go")
    assert small is not None
    assert capital is not None
    assert small.kinds == {}
    assert capital.kinds == {"tech": {"go"}}


def test_capitals_of_a_headline_are_no_names() -> None:
    found = read("How To Build Your Own House Today")
    assert found is not None
    assert not found.names


def test_a_prompt_that_is_too_long_has_no_reading() -> None:
    assert read("a " * (LONGEST // 2)) is not None
    assert read("a " * (LONGEST // 2) + "b") is None


@pytest.mark.parametrize(
    "piece", ["a", " ", "'", "thanks ", "please ", "_a", "a@", "/", "1,000", '"a', "-", "A", "é", "\n"]
)
def test_reading_ends_whatever_is_repeated(piece: str) -> None:
    """A pattern that tries again from each place would take hours here."""
    assert read((piece * LONGEST)[:LONGEST]) is not None or not piece.strip()


@given(st.text(max_size=200))
def test_normalising_twice_is_normalising_once_for_words(text: str) -> None:
    assert normal(text) == normal(f"  {text}  ")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_a_word_has_one_stem(word: str) -> None:
    assert stem(word) == stem(word)
    assert len(stem(word)) <= len(word) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("walking", "walks"), ("cities", "city"), ("optimise", "optimize"), ("colour", "color"), ("shopping", "shopped")],
)
def test_forms_of_a_word_share_their_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_the_lists_are_lower_case_and_synonyms_go_both_ways() -> None:
    lex = lexicon()
    words = {*lex.small, *lex.negations, *lex.numbers, *lex.opposites, *lex.kinds, *lex.uncertain}
    assert all(word == word.lower() for word in words)
    assert all((other, one) in lex.synonyms for one, other in lex.synonyms)


PACKED = [
    "How do I fly from Berlin to Paris on 3 May for 200 dollars?",
    "replace 'a b' by \"c\" in main.py, not in `other_file.csv`: 3 + 4 = 7",
    "",
    "🙂 \ud800 привет",
]


@pytest.mark.parametrize("text", PACKED)
def test_a_reading_comes_back_from_its_bytes(text: str) -> None:
    reading = read(text)
    assert reading is not None
    assert unpacked(packed(reading)) == reading


@given(st.text(max_size=200))
def test_any_reading_comes_back_from_its_bytes(text: str) -> None:
    reading = read(text)
    assert reading is not None
    assert unpacked(packed(reading)) == reading


def test_the_bytes_of_a_reading_are_few() -> None:
    reading = read(PACKED[0])
    assert reading is not None
    assert len(packed(reading)) < 700


@pytest.mark.parametrize(("text", "count"), [("", 1), ("abc", 1), ("abcd", 1), ("ABCDE", 2), ("ab, cd!", 2)])
def test_grams_are_groups_of_four_characters(text: str, count: int) -> None:
    assert len(grams(text)) == count


@given(st.text(alphabet="aB1`@/\\_.($#*-~:x Éé\"'“”«»+=<−", max_size=40))
def test_the_looks_for_signs_never_miss_what_the_patterns_find(text: str) -> None:
    plain = unicodedata.normalize("NFC", text).replace("’", "'")
    if reading_module._CODE.search(plain):
        assert reading_module._CODE_HINT.search(plain)
    if reading_module._QUOTED.search(plain):
        assert not reading_module._QUOTE_HINT.isdisjoint(plain)
    if reading_module._FORMULA.search(plain):
        assert not reading_module._SIGN_HINT.isdisjoint(plain)
