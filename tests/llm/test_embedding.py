"""A real embedding model in this process: checked, loaded offline, cut to fit; or a typed error.

The tests of a loaded model need the extra `embed` (make test-train); folders are checked without.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.embedding import (
    MODULES,
    PACKAGED,
    find_folder,
    open_embedder,
    require_embedding,
)
from clean_room_agent.llm.embedding_folder import check_folder
from tests.support import tiny_embedder
from tests.support.journey import Journey, new_journey

IS_INSTALLED = all(importlib.util.find_spec(name) for name in (*MODULES, PACKAGED))
needs_extra = pytest.mark.skipif(
    not IS_INSTALLED, reason="the extra `embed` is not installed; make test-train brings it"
)
without_extra = pytest.mark.skipif(
    IS_INSTALLED, reason="the extra `embed` is installed; what is told without it is seen elsewhere"
)


# Without the extra


@without_extra
def test_a_verb_says_at_its_start_which_extra_is_missing(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    for words in (
        ["index", "-c", "embed.enabled=true"],
        ["context", "pay", "-c", "embed.enabled=true"],
        ["ask", "where is money split?", "--at", "HEAD", "-c", "embed.enabled=true"],
    ):
        done = journey.cra(*words)
        assert done.code == 3, done.stderr
        assert "which is not installed" in done.stderr
        assert "pip install 'clean-room-agent[embed]'" in done.stderr
        assert not (journey.root / ".clean_room" / "curated.sqlite").exists()
    assert journey.cra("doctor", "-c", "embed.enabled=true").code == 1
    assert journey.cra("index").code == 0
    assert not (journey.root / ".clean_room" / "vectors.sqlite").exists()


def test_off_needs_nothing() -> None:
    require_embedding(EmbedConfig(model="/nowhere"))


# Folders


def _safetensors(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that passes the check; no library would load it."""
    made = tmp_path / "model"
    (made / "1_Pooling").mkdir(parents=True)
    (made / "1_Pooling" / "config.json").write_text("{}")
    (made / "config.json").write_text('{"model_type": "bert"}')
    (made / "data_config.json").write_text("[1, 2]")
    (made / "modules.json").write_text(
        json.dumps([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}])
    )
    _safetensors(made / "model.safetensors")
    return made


def test_a_folder_is_named_by_its_bytes(folder: Path) -> None:
    first = check_folder(folder)
    assert first.folder == folder
    assert check_folder(folder).digest == first.digest
    (folder / "config.json").write_text('{"model_type": "bart"}')
    assert check_folder(folder).digest != first.digest


def _plant(name: str) -> Callable[[Path], None]:
    return lambda folder: tiny_embedder.plant_module(folder, name)


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pickle": (_write("pytorch_model.bin", ""), "formats that can run code"),
    "a pickle in a part": (_write("1_Pooling/pytorch_model.bin", ""), "formats that can run code"),
    "a Python file": (_write("modeling.py", ""), "formats that can run code"),
    "code of its own": (_write("config.json", '{"auto_map": {"AutoModel": "x.Y"}}'), "auto_map"),
    "a module of another package": (_plant("evil.Module"), "code to import"),
    "a name that begins alike": (_plant("sentence_transformers_evil.X"), "code to import"),
    "no list of modules": (_write("modules.json", "{}"), "lists no modules"),
    "a place outside": (
        _write("modules.json", '[{"path": "../x", "type": "sentence_transformers.models.Dense"}]'),
        "outside the folder",
    ),
    "no JSON": (_write("modules.json", "["), "holds no JSON"),
    "forged weights": (_write("model.safetensors", "12345678"), "reaches past its end"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
    "no list of modules at all": (lambda folder: (folder / "modules.json").unlink(), "no modules"),
}


@pytest.mark.reliability(102)
def test_a_linked_folder_hides_nothing_from_the_check(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "pytorch_model.bin").write_bytes(b"")
    link = folder / "2_Dense"
    link.symlink_to(outside, target_is_directory=True)
    with pytest.raises(ConfigError, match="a link to a folder"):
        check_folder(folder)
    # Why it is refused: a library opens the pickle by its path, and no walk of the folder meets it.
    assert (link / "pytorch_model.bin").is_file()
    assert "pytorch_model.bin" not in {path.name for path in folder.rglob("*")}
    # A link to a file is met, and checked as any file.
    link.unlink()
    (folder / "weights.bin").symlink_to(outside / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="formats that can run code"):
        check_folder(folder)


@pytest.mark.reliability(102)
@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_run_or_is_no_model_is_refused(
    folder: Path, change: Callable[[Path], object], message: str
) -> None:
    check_folder(folder)
    change(folder)
    with pytest.raises(ConfigError, match=message) as caught:
        check_folder(folder)
    assert str(folder) in caught.value.where


def test_a_path_that_depends_on_where_one_is_is_refused(folder: Path) -> None:
    assert find_folder(str(folder)) == folder
    with pytest.raises(ConfigError, match="not absolute"):
        find_folder("model")


# With the extra


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_embedder.make(tmp_path_factory.mktemp("tiny") / "model")


def _config(folder: Path, **settings: object) -> EmbedConfig:
    return EmbedConfig(enabled=True, model=str(folder), **settings)


@needs_extra
def test_vectors_are_of_length_one_and_the_same_again(tiny: Path) -> None:
    embedder = open_embedder(_config(tiny))
    assert open_embedder(_config(tiny)) is embedder
    texts = ["money share", "share money", "zebra animal stripe"]
    vectors = embedder.embed(texts, 2)
    assert vectors.shape == (3, tiny_embedder.HIDDEN)
    assert (vectors**2).sum(axis=1) == pytest.approx([1.0] * 3, abs=1e-5)
    assert (embedder.embed(texts, 2) == vectors).all()
    near = vectors @ vectors.T
    assert near[0, 1] > near[0, 2]
    # In another batch the last digits may differ, and no more.
    assert embedder.embed(texts[:1], 1)[0] == pytest.approx(vectors[0], abs=1e-5)
    assert embedder.embed([], 2).shape == (0, tiny_embedder.HIDDEN)


@needs_extra
def test_another_precision_is_another_key_and_nearly_the_same_vector(tiny: Path) -> None:
    exact, rough = open_embedder(_config(tiny)), open_embedder(_config(tiny, precision="bfloat16"))
    assert exact.key != rough.key
    both = exact.embed(["money share"], 1)[0] @ rough.embed(["money share"], 1)[0]
    assert both > 0.999


@needs_extra
def test_how_much_of_a_text_fits_is_counted_by_the_models_own_tokenizer(tiny: Path) -> None:
    embedder = open_embedder(_config(tiny))
    text = "money share total people coins"
    # The model frames a text by two tokens of its own.
    assert [text[:end] for end in embedder.fit([text, text], 5)] == ["money share total "] * 2
    assert embedder.fit([text, ""], 40) == [len(text), 0]
    assert embedder.fit(["m\udcffn " + text], 40) == [len(text) + 4]
    with pytest.raises(ConfigError, match="no room"):
        embedder.fit([text], 2)
    long = "money " * 100
    start = long[: embedder.fit([long], 1000)[0]]
    assert 0 < len(start) < len(long)
    assert embedder.embed([start, "m\udcffn"], 2).shape[0] == 2
    with pytest.raises(ConfigError, match=f"passes the window of {tiny_embedder.WINDOW}"):
        embedder.embed([long], 1)


@needs_extra
def test_calls_from_threads_take_turns(tiny: Path) -> None:
    embedder = open_embedder(_config(tiny))
    texts = [f"money {word}" for word in ("share", "total", "people", "coins")] * 4
    alone = [embedder.embed([text], 1)[0] for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: embedder.embed([text], 1)[0], texts))
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


@needs_extra
def test_a_folder_that_passes_the_check_and_is_no_model_is_a_typed_error(folder: Path) -> None:
    embedder = open_embedder(_config(folder))
    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        embedder.embed(["text"], 1)
    assert caught.value.where == str(folder)


@needs_extra
def test_the_model_that_the_extra_brings_reads_code_offline() -> None:
    embedder = open_embedder(EmbedConfig(enabled=True))
    code = "def bar(done, total):\n    return '#' * done + '-' * (total - done)"
    vectors = embedder.embed(["how far a long task is", code, "the price of apples"], 3)
    assert vectors.shape == (3, 384)
    assert os.environ["HF_HUB_OFFLINE"] == "1"


@needs_extra
@pytest.mark.reliability(102)
def test_the_control_a_library_that_trusts_the_folder_runs_what_is_listed(
    tiny: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    marker = tmp_path / "it-ran"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    tiny_embedder.plant_module(folder, "evil.Module")
    with pytest.raises(ConfigError, match="code to import"):
        open_embedder(_config(folder))
    assert not marker.exists()
    program = (
        "import sys; from sentence_transformers import SentenceTransformer\n"
        "SentenceTransformer(sys.argv[1], device='cpu', trust_remote_code=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env=environment, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert marker.exists()


FILES = {
    "money.py": "def share(total, people):\n    return total // people\n",
    "zoo.py": "def stripe(animal):\n    return zebra(animal)\n",
    "tests/test_money.py": "from money import share\n\ndef test_it():\n    assert share(4, 2)\n",
}


@needs_extra
def test_the_whole_way_index_search_why_and_gc(tiny: Path, tmp_path: Path) -> None:
    journey = new_journey(tmp_path, FILES)
    journey.ok("init", "--offline")
    config = journey.root / ".clean_room" / "config.toml"
    text = config.read_text("utf-8")
    # The file holds every section as it is by default; these two lines set ours.
    at = text.index("[embed]")
    end = text.index("\n", at) + 1
    config.write_text(f'{text[:end]}enabled = true\nmodel = "{tiny}"\n{text[end:]}', "utf-8")
    first = journey.ok("index")["embedded"]
    assert (first["blobs"], first["chunks"]) == (2, 2)
    assert "embedded 0 files, 0 chunks" in journey.cra("index").stdout
    context = journey.ok("context", "the stripes of a zebra animal")
    why = journey.cra("why", "zoo.py", "--task", context["task_id"]).stdout
    assert "embed.cosine" in why
    _change_and_collect(journey)


def _change_and_collect(journey: Journey) -> None:
    journey.commit({"zoo.py": "def lion(animal):\n    return animal\n"})
    assert journey.ok("index")["embedded"]["stored_blobs"] == 3
    # The index keeps the old content for other branches, until it is told to drop that too.
    (vectors,) = [row for row in journey.ok("gc")["leftovers"] if row["kind"] == "vectors"]
    assert "1 content" in vectors["result"]
    assert [r for r in journey.ok("gc")["leftovers"] if r["kind"] == "vectors"] == []
    answer = journey.ok("ask", "where is the zebra animal?", "--at", "HEAD~1")
    assert answer["task_id"]
    assert not list((journey.root / ".clean_room" / "at").rglob("vectors.sqlite"))
