"""What a repository's own `.gitattributes` say of its files: generated, vendored, documentation.

Takes: a `Repository`, its paths. Gives: words by path. Does not know: what follows from them.

Git itself judges, in a private tree that holds nothing but those files, so there is no second
implementation to differ. Only files in the working tree count, so the index of one checkout is
the same wherever it is made. Without the word `linguist-` in any of them no process is started.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.files import MAX_FILE_BYTES
from clean_room_agent.repo.git import Repository

_FILE = ".gitattributes"
_PREFIX = b"linguist-"
_ROLES = ("generated", "vendored", "documentation")
# How git spells a value: an attribute set, one that is denied. Others say nothing of a role.
_SIGNS = {b"set": "", b"true": "", b"unset": "-", b"false": "-"}


def read_linguist(repository: Repository, paths: Sequence[str]) -> dict[str, str]:
    """Give the roles that `.gitattributes` state, by path; `-generated` where one is denied.

    Raises:
        RepositoryError: git cannot judge them.
    """
    rules = _read_rules(repository, [p for p in paths if p.rpartition("/")[2] == _FILE])
    if not any(_PREFIX in rule for rule in rules.values()):
        return {}
    with tempfile.TemporaryDirectory(prefix="cra-attributes-") as scratch:
        for place, rule in rules.items():
            copy = Path(scratch, place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(rule)
        asked = repository.shadow.run(
            "check-attr",
            "--stdin",
            "-z",
            *(os.fsdecode(_PREFIX) + role for role in _ROLES),
            # The leading `./` keeps a name that starts with a colon from being read as magic.
            input_bytes=b"".join(b"./%s\0" % os.fsencode(path) for path in paths),
            extra={"GIT_WORK_TREE": scratch},
        )
    if asked.returncode != 0:
        words = asked.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(f"git cannot judge {_FILE}: {words}", where=str(repository.root))
    return _words_by_path(asked.stdout)


def _read_rules(repository: Repository, places: Sequence[str]) -> dict[str, bytes]:
    rules = {}
    for place in places:
        # One that went since the scan is a change that the next scan sees.
        with contextlib.suppress(RepositoryError):
            rules[place] = repository.read_file(place, limit_bytes=MAX_FILE_BYTES)
    return rules


def _words_by_path(answer: bytes) -> dict[str, str]:
    """Read `path, attribute, value` triples, each ended by a zero byte."""
    parts = answer.split(b"\0")
    found: dict[str, str] = {}
    for path, attribute, value in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if value in _SIGNS:
            word = _SIGNS[value] + attribute.removeprefix(_PREFIX).decode("ascii")
            name = os.fsdecode(path.removeprefix(b"./"))
            found[name] = f"{found[name]} {word}" if name in found else word
    return found
