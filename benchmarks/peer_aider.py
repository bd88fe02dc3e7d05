"""Run by another interpreter: the repository map of Aider on the files of a list.

    git ls-files -z | AIDER_PYTHON benchmarks/peer_aider.py ROOT tags|map

Takes: a checkout, NUL-separated paths on stdin. Gives: one line of JSON. Does not know: the rest.
`tags` fills the cache of definitions and references, the part that an index can be compared with;
`map` also ranks them with nothing in the chat. No model is asked: the map is not rendered.
"""

import json
import os
import sys
import time
from pathlib import Path

from aider.repomap import RepoMap


class Quiet:
    """What the map asks of the chat around it."""

    def read_text(self, filename: str) -> str | None:
        try:
            return Path(filename).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def tool_output(self, *_words: str) -> None:
        """Nobody reads it."""

    tool_warning = tool_error = tool_output


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    listed = [os.fsdecode(raw) for raw in sys.stdin.buffer.read().split(b"\0") if raw]
    paths = [path for path in listed if (root / path).is_file()]
    started = time.process_time()
    peer = RepoMap(root=str(root), io=Quiet())
    definitions = references = files = 0
    for path in paths:
        tags = set(peer.get_tags(str(root / path), path))
        definitions += sum(tag.kind == "def" for tag in tags)
        references += sum(tag.kind == "ref" for tag in tags)
        files += bool(tags)
    counted = {"definitions": definitions, "references": references, "files": files}
    spent = {"tags_processor_s": round(time.process_time() - started, 3)}
    if sys.argv[2] == "map":
        started = time.process_time()
        ranked = peer.get_ranked_tags([], [str(root / path) for path in paths], set(), set())
        counted["ranked"] = len(ranked)
        spent["rank_processor_s"] = round(time.process_time() - started, 3)
    print(json.dumps({**counted, **spent}))


if __name__ == "__main__":
    main()
