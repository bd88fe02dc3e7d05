"""A tiny language model of our own making, for tests that need a real one: no download, no text.

Takes: a folder and a seed. Gives: a GGUF file (arch qwen2, under 1 MB, made in well under a
second), a LoRA adapter for it, and the `tokenizer.json` of the same vocabulary.
Does not know: any server.

The weights are random, with one thing planted: dimension 0 of every embedding is the same large
number, so column 0 of the output matrix is a bias per token. It makes the model write printable
ASCII and close what it opened, so that an answer bound to a schema ends after few tokens. The
adapter raises that bias for one word, which the model then writes over and over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

CONTEXT_TOKENS = 16384
HIDDEN = 64
FEED_FORWARD = 128
LAYERS = 2
HEADS = 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ADAPTER_WORD = "return"
ADAPTER_RANK = 4
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# What the template puts around a prompt of one message, and how many tokens that is.
TEMPLATE_PREFIX = "<|im_start|>user\n"
TEMPLATE_SUFFIX = "<|im_end|>\n<|im_start|>assistant\n"
TEMPLATE_TOKENS = 14
# How text falls apart before merges: as llama.cpp does it for `tokenizer.ggml.pre = qwen2`.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_WORDS = [
    "and",
    "as",
    "assert",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "False",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "None",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "True",
    "try",
    "while",
    "with",
    "yield",
    "self",
    "str",
    "int",
    "float",
    "bool",
    "dict",
    "list",
    "tuple",
    "set",
    "len",
    "range",
    "print",
    "open",
    "name",
    "value",
    "path",
    "file",
    "line",
    "text",
    "data",
    "item",
    "items",
    "key",
    "keys",
    "result",
    "results",
    "error",
    "message",
    "test",
    "tests",
    "index",
    "count",
    "start",
    "end",
    "type",
    "object",
    "append",
    "join",
    "split",
    "format",
    "isinstance",
    "property",
    "staticmethod",
    "super",
    "init",
    "main",
    "args",
    "kwargs",
    "string",
    "bytes",
    "number",
    "first",
    "last",
    "next",
    "function",
    "const",
    "let",
    "var",
    "new",
    "this",
    "export",
    "default",
    "async",
    "await",
    "public",
    "private",
    "static",
    "void",
    "struct",
    "fn",
    "mut",
    "impl",
    "use",
    "func",
    "package",
    "interface",
    "the",
    "that",
    "of",
    "to",
    "be",
    "no",
    "one",
    "when",
    "what",
    "each",
]
_PIECES = ('"""', "==", "!=", "<=", ">=", "->", "=>", "::", "//", "):\n", "()", "__", '":', "',")


@dataclass(frozen=True, slots=True)
class TinyModel:
    """Where the files lie."""

    gguf: Path
    adapter: Path
    tokenizer: Path


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    tokens: list[str]
    merges: list[tuple[str, str]]


def make(folder: Path, seed: int = 7) -> TinyModel:
    """Write all three files; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    made = TinyModel(folder / "tiny.gguf", folder / "tiny-lora.gguf", folder / "tokenizer.json")
    vocabulary = _vocabulary()
    _write_model(made.gguf, vocabulary, np.random.default_rng(seed))
    _write_adapter(made.adapter, vocabulary, np.random.default_rng(seed + 1))
    made.tokenizer.write_text(json.dumps(_tokenizer_json(vocabulary)), "utf-8")
    return made


def cached(base: Path) -> TinyModel:
    """The model under a folder of this test session, made at its first use."""
    folder = base / "tiny-model"
    made = TinyModel(folder / "tiny.gguf", folder / "tiny-lora.gguf", folder / "tokenizer.json")
    return made if made.tokenizer.is_file() else make(folder)


def letters() -> dict[int, str]:
    """Byte to printable letter: the alphabet of byte-level BPE."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + n) for n, b in enumerate(others)}


def _vocabulary() -> _Vocabulary:
    alphabet = letters()
    tokens = [alphabet[byte] for byte in range(256)]
    known = set(tokens)
    merges: list[tuple[str, str]] = []
    for piece in _pieces():
        spelled = [alphabet[byte] for byte in piece.encode()]
        left = spelled[0]
        for right in spelled[1:]:
            if left + right not in known:
                known.add(left + right)
                tokens.append(left + right)
                merges.append((left, right))
            left += right
    return _Vocabulary([*tokens, *SPECIAL], merges)


def _pieces() -> Iterator[str]:
    yield from (" " * width for width in (4, 8, 12))
    yield "\n\n"
    yield from _PIECES
    for word in _WORDS:
        yield from (word, " " + word)


def _bias(vocabulary: _Vocabulary) -> NDArray[np.float32]:
    """How much each token is liked whatever came before."""
    at = {token: number for number, token in enumerate(vocabulary.tokens)}
    blank = {letters()[32], letters()[10]}
    bias = np.array(
        [-8.0 if set(token) <= blank else -1.0 for token in vocabulary.tokens], np.float32
    )
    bias[:256] = -12.0
    for byte in range(33, 127):
        bias[at[letters()[byte]]] = -1.0
    for token, liked in (('"', 6.0), ("}", 3.0), ("]", 3.0), (",", 1.0), ("\\", -12.0)):
        bias[at[token]] = liked
    for token in SPECIAL:
        bias[at[token]] = -20.0
    bias[at["<|im_end|>"]] = 3.0
    return bias


def _matrix(draw: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    return (draw.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)


def _write_model(path: Path, vocabulary: _Vocabulary, draw: np.random.Generator) -> None:
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer, vocabulary)
    for name, tensor in _tensors(vocabulary, draw):
        writer.add_tensor(name, tensor)
    _finish(writer)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: _Vocabulary) -> None:
    at = {token: number for number, token in enumerate(vocabulary.tokens)}
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL
        for token in vocabulary.tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{left} {right}" for left, right in vocabulary.merges])
    writer.add_eos_token_id(at["<|im_end|>"])
    writer.add_pad_token_id(at["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _tensors(
    vocabulary: _Vocabulary, draw: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    size = len(vocabulary.tokens)
    ones = np.ones(HIDDEN, np.float32)
    embedding = draw.standard_normal((size, HIDDEN)).astype(np.float32)
    embedding[:, 0] = np.sqrt(HIDDEN)
    output = _matrix(draw, size, HIDDEN)
    # The last norm leaves about sqrt(HIDDEN / 2) in dimension 0 of every position.
    output[:, 0] = _bias(vocabulary) / np.sqrt(HIDDEN / 2)
    yield "token_embd.weight", embedding
    yield "output_norm.weight", ones
    yield "output.weight", output
    shapes = {"attn_q": HIDDEN, "attn_k": HIDDEN, "attn_v": HIDDEN, "attn_output": HIDDEN}
    for layer in range(LAYERS):
        for name, rows in (shapes | {"ffn_gate": FEED_FORWARD, "ffn_up": FEED_FORWARD}).items():
            yield f"blk.{layer}.{name}.weight", _quiet(_matrix(draw, rows, HIDDEN), name)
        yield f"blk.{layer}.ffn_down.weight", _quiet(_matrix(draw, HIDDEN, FEED_FORWARD), "down")
        for name in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{layer}.{name}.bias", np.zeros(HIDDEN, np.float32)
        yield f"blk.{layer}.attn_norm.weight", ones
        yield f"blk.{layer}.ffn_norm.weight", ones


def _quiet(matrix: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Keep a layer from writing to dimension 0, which carries the bias."""
    if name in ("attn_output", "down"):
        matrix[0] = 0.0
    return matrix


def _write_adapter(path: Path, vocabulary: _Vocabulary, draw: np.random.Generator) -> None:
    """A LoRA on the output matrix that makes one word the likeliest after anything."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(ADAPTER_RANK))
    down = draw.standard_normal((ADAPTER_RANK, HIDDEN)).astype(np.float32) * 0.01
    up = draw.standard_normal((len(vocabulary.tokens), ADAPTER_RANK)).astype(np.float32) * 0.01
    down[0, 0] = 1.0
    up[vocabulary.tokens.index(ADAPTER_WORD), 0] = 10.0
    writer.add_tensor("output.weight.lora_a", down)
    writer.add_tensor("output.weight.lora_b", up)
    _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tokenizer_json(vocabulary: _Vocabulary) -> dict[str, object]:
    """The same vocabulary as the `tokenizers` package reads it."""
    first = len(vocabulary.tokens) - len(SPECIAL)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    split = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": first + n, "content": token, "special": True, **flags}
            for n, token in enumerate(SPECIAL)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [split, {**bytewise, "use_regex": False}],
        },
        "post_processor": None,
        "decoder": {**bytewise, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: n for n, token in enumerate(vocabulary.tokens[:first])},
            "merges": [list(pair) for pair in vocabulary.merges],
        },
    }
