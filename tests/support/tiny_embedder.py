"""A tiny embedding model of our own making: a random BERT saved as sentence-transformers does.

Takes: a folder and a seed. Gives: the folder of a model that real code loads, under 1 MB.
Does not know: meaning; but the embedding of a word decides most of a short text's vector, so texts
that share words are nearer than others. Needs the extra `embed`.
"""

from __future__ import annotations

import json
from pathlib import Path

HIDDEN = 32
WINDOW = 64
_WORDS = (
    "def class return self import from if else for in not and or the a of to is none true false "
    "money share total people coins purse pay bank token text parse cut lexer print show tree "
    "value item file path name zebra stripe animal order price sum tax"
)


def make(folder: Path, seed: int = 3) -> Path:
    """Write the model; the same seed gives the same bytes."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Normalize,
        Pooling,
        Transformer,
    )
    from transformers import BertConfig, BertModel, BertTokenizerFast

    parts = folder.with_name(f"{folder.name}-parts")
    parts.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        *letters,
        *(f"##{letter}" for letter in letters),
        *dict.fromkeys(word for word in _WORDS.split() if len(word) > 1),
    ]
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=WINDOW,
    )
    BertModel(config).eval().save_pretrained(parts, safe_serialization=True)
    (parts / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    BertTokenizerFast(str(parts / "vocab.txt"), model_max_length=WINDOW).save_pretrained(parts)
    transformer = Transformer(str(parts), max_seq_length=WINDOW)
    modules = [transformer, Pooling(HIDDEN, "mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), safe_serialization=True)
    return folder


def plant_module(folder: Path, name: str) -> None:
    """Let the list of modules name a class of its own, as a hostile folder would."""
    place = folder / "modules.json"
    modules = json.loads(place.read_text("utf-8"))
    modules.append({"idx": len(modules), "name": "x", "path": "", "type": name})
    place.write_text(json.dumps(modules), "utf-8")
