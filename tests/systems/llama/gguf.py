"""Writes a model with random weights that llama.cpp loads: two small layers that read and write bytes. Nothing is downloaded.

The format is GGUF 3 (ggml-org/ggml, docs/gguf.md). What it says is noise; how a server behaves around it is not.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONTEXT = 512
_WIDTH, _HEADS, _LAYERS, _INNER = 64, 4, 2, 128
_ALIGN = 32
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # kinds of tokens
_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9  # kinds of values
_FORMATS = {_U32: "<I", _I32: "<i", _F32: "<f"}


def write(path: Path) -> None:
    """Write the model, about half a megabyte; the same one each time."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{code:02X}>" for code in range(256)), "\u2581", *letters]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * 27]
    scores = [0.0] * 3 + [-1000.0] * 256 + [-float(n) for n in range(27)]
    told: list[tuple[str, int, Any]] = [
        ("general.architecture", _STRING, "llama"),
        ("general.name", _STRING, "noise"),
        ("llama.context_length", _U32, CONTEXT),
        ("llama.embedding_length", _U32, _WIDTH),
        ("llama.block_count", _U32, _LAYERS),
        ("llama.feed_forward_length", _U32, _INNER),
        ("llama.attention.head_count", _U32, _HEADS),
        ("llama.attention.head_count_kv", _U32, _HEADS),
        ("llama.attention.layer_norm_rms_epsilon", _F32, 1e-5),
        ("llama.rope.dimension_count", _U32, _WIDTH // _HEADS),
        ("llama.vocab_size", _U32, len(tokens)),
        ("tokenizer.ggml.model", _STRING, "llama"),
        ("tokenizer.ggml.tokens", _ARRAY, (_STRING, tokens)),
        ("tokenizer.ggml.scores", _ARRAY, (_F32, scores)),
        ("tokenizer.ggml.token_type", _ARRAY, (_I32, kinds)),
        ("tokenizer.ggml.bos_token_id", _U32, 1),
        ("tokenizer.ggml.eos_token_id", _U32, 2),
        ("tokenizer.ggml.unknown_token_id", _U32, 0),
        ("tokenizer.chat_template", _STRING, _TEMPLATE),
    ]
    tensors = _tensors(len(tokens))
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(told))]
    for name, kind, value in told:
        head += [_string(name), struct.pack("<I", kind), _value(kind, value)]
    offset = 0
    for name, shape, _ in tensors:
        head += [_string(name), struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)]
        offset += _padded(4 * _size(shape))
    body = b"".join(head)
    with path.open("wb") as file:
        file.write(body.ljust(_padded(len(body)), b"\0"))
        for _, _, data in tensors:
            file.write(data.ljust(_padded(len(data)), b"\0"))


def _tensors(vocabulary: int) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Name, shape (the innermost dimension first) and data of each."""
    rng = random.Random(0)

    def noise(name: str, *shape: int) -> tuple[str, tuple[int, ...], bytes]:
        return name, shape, array("f", [rng.gauss(0, 0.05) for _ in range(_size(shape))]).tobytes()

    def ones(name: str) -> tuple[str, tuple[int, ...], bytes]:
        return name, (_WIDTH,), array("f", [1.0] * _WIDTH).tobytes()

    found = [noise("token_embd.weight", _WIDTH, vocabulary), ones("output_norm.weight")]
    found.append(noise("output.weight", _WIDTH, vocabulary))
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        found += [ones(f"{block}{part}_norm.weight") for part in ("attn", "ffn")]
        found += [noise(f"{block}attn_{part}.weight", _WIDTH, _WIDTH) for part in ("q", "k", "v", "output")]
        found += [noise(f"{block}ffn_{part}.weight", _WIDTH, _INNER) for part in ("gate", "up")]
        found.append(noise(f"{block}ffn_down.weight", _INNER, _WIDTH))
    return found


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _string(value)
    if kind == _ARRAY:
        of, values = value
        return struct.pack("<IQ", of, len(values)) + b"".join(_value(of, one) for one in values)
    return struct.pack(_FORMATS[kind], value)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _padded(length: int) -> int:
    return -(-length // _ALIGN) * _ALIGN
