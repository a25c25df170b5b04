"""Entries as bytes that only the holder of a key can read: AES-256-GCM around what `wire` writes. Draws random nonces.

Version 1:  b"es", the version as one byte, the key's id (8 bytes, a digest of it), a random nonce (12 bytes), the ciphertext
with its tag (16 bytes). Authenticated with it: all that stands before the nonce, and the entry's cache key. So bytes that
were put under another cache key do not decrypt; that key stands for the request, the caller's credential and the namespace.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...settings.kinds import Encryption
from ...values import Entry
from . import wire
from .backend import Mishap

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
_BYTES = 32  # AES-256
_ID, _NONCE, _TAG = 8, 12, 16
_HEAD = len(wire.SEALED) + 1 + _ID
_ASK_AGAIN_S = 60.0  # how long a function's answer is taken for what it would say now
_FORMS = "give 32 random bytes, 'env:NAME' (a variable that holds them in base64 or hexadecimal), or a function"


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM


class Sealed:
    """A `Form` of entries: seals with the newest key, and unseals what any of the keys has sealed.

    A function that gives keys is asked at construction, and again when something is written after a minute: by the thread
    that writes, never by one that looks something up. One that fails is counted, and the keys stay as they were.
    """

    def __init__(self, said: Encryption, mishap: Mishap, clock: Callable[[], float] = time.monotonic) -> None:
        if importlib.util.find_spec("cryptography") is None:
            raise SettingsError(
                'cache.encryption is set, and the package cryptography is missing; pip install "edgeclient[encryption]"'
            )
        self._said = list(said) if isinstance(said, (list, tuple)) else [said]
        self._mishap, self._clock = mishap, clock
        self._keys, self._asked = _read(self._said), clock()

    def encode(self, entry: Entry) -> bytes:
        self._ask_again()
        newest = self._keys[0]
        head = wire.SEALED + bytes((VERSION,)) + newest.id
        nonce = os.urandom(_NONCE)
        sealed = newest.cipher.encrypt(nonce, wire.encode(entry), _authenticated(head, entry.key))
        return b"".join((head, nonce, sealed))

    def decode(self, key: str, data: bytes) -> Entry:
        """The entry that was sealed under this cache key. Raises what `wire.decode` raises, and nothing else."""
        return wire.decode(key, self._unsealed(key, data))

    def _unsealed(self, key: str, data: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if data.startswith(wire.CLEAR):
            raise wire.InClear("it is not sealed, and anybody may have put it there")
        if not data.startswith(wire.SEALED) or len(data) < _HEAD + _NONCE + _TAG:
            raise wire.Foreign(f"{len(data)} bytes that do not begin as a sealed entry does")
        if data[2] > VERSION:
            raise wire.Newer(f"sealed by version {data[2]}; this version reads up to {VERSION}")
        head, nonce, sealed = data[:_HEAD], data[_HEAD : _HEAD + _NONCE], data[_HEAD + _NONCE :]
        known = next((one for one in self._keys if one.id == head[-_ID:]), None)
        if known is None:
            raise wire.Unreadable(f"sealed with the key {head[-_ID:].hex()}, which is none of ours")
        try:
            return known.cipher.decrypt(nonce, sealed, _authenticated(head, key))
        except InvalidTag:
            raise wire.Damaged(f"{len(data)} bytes that are not what was sealed under this key") from None

    def _ask_again(self) -> None:
        if self._clock() - self._asked < _ASK_AGAIN_S or not any(map(callable, self._said)):
            return
        self._asked = self._clock()
        try:
            self._keys = _read(self._said)
        except Exception as error:  # a user's function may raise anything
            self._mishap("cache encryption keys", error)


def _authenticated(head: bytes, key: str) -> bytes:
    return head + key.encode("utf-8", "surrogatepass")  # the head has one length: no two pairs spell the same


def _read(said: Sequence[object]) -> tuple[_Key, ...]:
    """The keys, newest first. Raises SettingsError, without a word of what is secret."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    found = [secret for one in said for secret in _secrets(one)]
    if not found:
        raise SettingsError(f"cache.encryption names no key; {_FORMS}")
    return tuple([_Key(_id(secret), AESGCM(secret)) for secret in found])


def _id(secret: bytes) -> bytes:
    """Tells keys apart and tells nothing of them: they are random, and nobody finds one by its digest."""
    return hashlib.blake2b(secret, digest_size=_ID, person=b"edgeclient-seal").digest()


def _secrets(said: object) -> list[bytes]:
    if isinstance(said, str):
        return [_of_variable(said)]
    if isinstance(said, bytes):
        return [_checked(said, "cache.encryption")]
    assert callable(said)
    try:
        given = said()
    except Exception as error:
        raise SettingsError(
            f"cache.encryption: the function that gives the keys failed ({type(error).__name__})"
        ) from error
    given = given if isinstance(given, (list, tuple)) else [given]
    return [_checked(one, "cache.encryption: what the function gave") for one in given]


def _of_variable(said: str) -> bytes:
    name = said.removeprefix("env:")
    if name == said or not name:
        raise SettingsError(f"cache.encryption is a text of {len(said)} characters that is no word for a key; {_FORMS}")
    text = os.environ.get(name, "").strip()
    if not text:
        raise SettingsError(f"cache.encryption is {said!r}, but the variable {name} is not set or empty; set it")
    try:
        secret = bytes.fromhex(text) if len(text) == 2 * _BYTES else base64.b64decode(_standard(text), validate=True)
    except (ValueError, binascii.Error):
        raise SettingsError(f"cache.encryption: {name} is neither base64 nor hexadecimal; {_FORMS}") from None
    return _checked(secret, f"cache.encryption: {name}")


def _standard(text: str) -> str:
    return text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4)


def _checked(secret: object, what: str) -> bytes:
    if not isinstance(secret, bytes):
        raise SettingsError(f"{what} is a {type(secret).__name__}; {_FORMS}")
    if len(secret) != _BYTES:
        raise SettingsError(f"{what} is a key of {len(secret)} bytes; AES-256 takes {_BYTES}")
    return secret
