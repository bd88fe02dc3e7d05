"""Headings, tables and keys of documents and data are items that can be shown by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.retrieval.precision.units import Unit, cut_units
from clean_room_agent.store.curated_reader import CuratedReader
from tests.indexing.support import index
from tests.support.git import GitRepo

FILES = {
    "guide.md": "Intro.\n\n# Guide\n\nFirst.\n\n## Install\n\nRun it.\n\n```sh\n# no heading\n```\n"
    "\n## Use\n\nCall it.\n\n# Licence\n\nFree.\n",
    "a.toml": 'top = 1\n\n[tool.x]\n# why\nlines = 1\n\n[[bin]]\nname = "b"\n',
    "a.yaml": "name: ci\njobs:\n  build:\n    x: 1\n  test:\n    x: 2\n",
    "a.json": '{\n  "name": "x",\n  "scripts": {\n    "build": "tsc"\n  }\n}\n',
    "plain.md": "No heading here.\n",
}
UNITS = {
    "guide.md": {
        "Guide": (3, "# Guide\n\nFirst."),
        "Guide.Install": (7, "## Install\n\nRun it.\n\n```sh\n# no heading\n```"),
        "Guide.Use": (15, "## Use\n\nCall it."),
        "Licence": (19, "# Licence\n\nFree."),
    },
    "a.toml": {
        "top": (1, "top = 1"),
        "tool.x": (3, "[tool.x]\n# why\nlines = 1"),
        "bin": (7, '[[bin]]\nname = "b"'),
    },
    "a.yaml": {
        "name": (1, "name: ci"),
        "jobs": (2, "jobs:\n  build:\n    x: 1\n  test:\n    x: 2"),
    },
    "a.json": {
        "name": (2, '  "name": "x"'),
        "scripts": (3, '  "scripts": {\n    "build": "tsc"\n  }'),
    },
    "plain.md": {"": (1, "No heading here.")},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = GitRepo(tmp_path_factory.mktemp("sections") / "repo")
    repo.commit(FILES)
    index(repo.root)
    return repo.root


def units_of(root: Path, path: str) -> list[Unit]:
    with CuratedReader(root) as reader:
        file = reader.read_file(path)
        assert file is not None
        return cut_units(file, reader.read_definitions(file.file_pk), [], FILES[path].encode())


@pytest.mark.parametrize("path", UNITS)
def test_a_section_is_an_item_with_what_stands_under_it(root: Path, path: str) -> None:
    units = units_of(root, path)
    found = {unit.name: (unit.span.start_line, unit.content.decode().rstrip()) for unit in units}
    assert found == UNITS[path]


@pytest.mark.parametrize("path", UNITS)
def test_items_are_disjoint_in_order_and_whole_lines_are_told(root: Path, path: str) -> None:
    data = FILES[path].encode()
    end = 0
    for unit in units_of(root, path):
        assert unit.span.start_byte >= end
        end = unit.span.end_byte
        assert unit.content == data[unit.span.start_byte : end]
        assert unit.span.start_line == data[: unit.span.start_byte].count(b"\n") + 1
        lines = unit.content.rstrip().count(b"\n")
        assert 0 <= unit.span.end_line - unit.span.start_line - lines <= 1
