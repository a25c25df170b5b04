"""Which characters the guards and the verifier know: Latin letters and what one writes with them. Pure.

Of others they would judge what they cannot read: letters of other alphabets, many of which look like Latin ones, and
characters that nobody sees but a model reads.
"""

from __future__ import annotations

import re
import unicodedata

_PLAIN = re.compile(r"[\t-\r -~]*")
_PICTURE = "[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_JOINED = re.compile(f"(?<={_PICTURE})\ufe0f?(?:\u200d(?={_PICTURE}))?")  # what makes one emoji of several
_ODD = frozenset("ıſ\u2800¹²³¼½¾")  # look like i, s, a space; powers and fractions, which are no numbers to the guards
_KNOWN = frozenset("…•†‡‰′″×÷≤≥−→")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn"})
_ALIKE = frozenset({"No", "Nl", "Pc", "Pe", "Po", "Ps", "Sm"})  # signs of other scripts, many like ASCII's


def foreign(text: str) -> bool:
    """True when there is a character in it that we do not know."""
    if _PLAIN.fullmatch(text):
        return False
    return any(map(_is_odd, set(_JOINED.sub("", text))))


def _is_odd(char: str) -> bool:
    if char in _KNOWN or "\t" <= char <= "\r":
        return False
    kind = unicodedata.category(char)
    if char in _ODD or kind in _UNSEEN:
        return True
    return (char > "ɏ" and char.isalpha()) or (char > "¿" and kind in _ALIKE)
