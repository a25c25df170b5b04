"""The names of what stands on a Redis or Valkey server. Pure.

An entry is `edgeclient:1:GENERATION:KEY`, with the server's own expiry; the 1 is the version of these names. The generation
is a word that stands under `edgeclient:1:generation`; a new word there makes all entries unreachable at once, and they expire
by themselves. It is a random word, not a number: if the server evicts it, the next one is new, and nothing that was cleared
comes back. What was made invalid is a set, `edgeclient:1:marks:GENERATION`. Where there is one the word under
`edgeclient:1:generation` is followed by a `!`, which is no part of it: if the server evicts the set, that is seen, and a new
generation begins. What is remembered of paths stands beside them, as `edgeclient:1:paths:NAME`, and is not cleared.
"""

from __future__ import annotations

PREFIX = "edgeclient:1:"
GENERATION = f"{PREFIX}generation"
FLAG = b"!"
PATHS = f"{PREFIX}paths:"  # no generation is spelled so: they are hexadecimal


def entry_name(generation: bytes | None, key: str) -> str:
    return f"{PREFIX}{(generation or b'').decode('latin-1')}:{key}"


def lease_name(name: str) -> str:
    """Of an entry of that name, which stands in braces: a cluster keeps both in the same slot."""
    return f"{PREFIX}lease:{{{name}}}"


def marks_name(said: bytes) -> str:
    return f"{PREFIX}marks:{said.rstrip(FLAG).decode('latin-1')}"


def bare(said: bytes | None) -> bytes | None:
    """The generation's word without what follows it."""
    return None if said is None else said.rstrip(FLAG)
