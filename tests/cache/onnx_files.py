"""A real ONNX model and a real tokenizer, so small that a test makes them: a table of vectors, looked up by token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = [
    *(
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "how",
        "do",
        "i",
        "reset",
        "my",
        "password",
        "can",
        "the",
        "a",
        "recipe",
        "for",
        "soup",
    ),
    *("hello", "world", "cat", "dog"),
]
DIMENSIONS = 24


def tokenizer(path: Path) -> Path:
    """Words in lower case between [CLS] and [SEP]."""
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made.save(str(path))
    return path


def table(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(WORDS), DIMENSIONS)).astype(np.float32)


def model(
    path: Path, *, seed: int = 0, takes: tuple[str, ...] = ("input_ids", "attention_mask"), pooled: bool = False
) -> Path:
    """last_hidden_state = table[input_ids] * attention_mask, as the models of sentence-transformers name them."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in takes]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, None)
    steps = [helper.make_node("Gather", ["table", takes[0]], ["looked_up"])]
    if len(takes) > 1:
        steps += [
            helper.make_node("Cast", ["attention_mask"], ["as_float"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["as_float", "last"], ["mask"]),
            helper.make_node("Mul", ["looked_up", "mask"], ["masked"]),
        ]
    last = "masked" if len(takes) > 1 else "looked_up"
    reduce = [helper.make_node("ReduceMean", [last, "second"], ["last_hidden_state"], keepdims=0)]
    steps += reduce if pooled else [helper.make_node("Identity", [last], ["last_hidden_state"])]
    numbers = [
        numpy_helper.from_array(table(seed), "table"),
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
    ]
    graph = helper.make_graph(steps, "tiny", inputs, [output], numbers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(made, str(path))
    return path
