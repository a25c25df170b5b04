"""Characters that the guards know, and those that they leave alone."""

from __future__ import annotations

import pytest

from edgeclient.cache.letters import foreign


@pytest.mark.parametrize(
    "text",
    [
        "How do I cancel?\n\tNow.",
        "¿Cómo está el señor Müller-Łukasiewicz?",
        "“Yes” – he said… 20 °C, 5 × 3 ≤ 16, 10 €",
        "thanks 😀 ❤️ 👩🏽‍🚀 🏳️‍🌈 🇮🇳",
    ],
)
def test_latin_letters_signs_and_emoji_are_known(text: str) -> None:
    assert not foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "p\u0430ypal", "wie geht\u017f", "p\u0251ssword", "\uff41dmin", "\U0001d41admin", "привет",
        "你好", "مرحبا",  # letters
        "can\u00adcel", "can\u200dcel", "can\ufe0fcel", "a\u202eb", "a\u0000b", "a\u001fb",
        "a\u007fb", "a\u2800b", "a\U000e0041",  # unseen
        "😀\ufe0f\u200d", "😀\ufe0f\ufe0f", "😀\u200d\u200d😀",  # parts of emoji that make none
        "10 m²", "½ cup", "paypal\u2024com", "a \u2260 b", "1 \u2044 2", "e\u0320",
    ],
)  # fmt: skip
def test_what_looks_like_something_else_or_like_nothing_is_foreign(text: str) -> None:
    assert foreign(text)
