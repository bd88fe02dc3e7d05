"""Say from a path what part a file plays: source, test, documentation, configuration and so on.

Takes: a path and what the index says of it. Gives: a role name, `""` for source. Does not know:
what a role costs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clean_room_agent.repo.languages import is_code
from clean_room_agent.store.curated_reader import FileRow

_VENDORED = re.compile(
    r"(?:^|/)(?:_?vendor(?:ed)?|third_party|node_modules|extern(?:al)?s?|bower_components"
    r"|Pods|Carthage|cextern)/"
)
_EXAMPLE = re.compile(
    r"(?:^|/)(?:examples?|demos?|samples?|tutorials?|benchmarks?|galler(?:y|ies))/"
)
_DOCUMENTATION = re.compile(r"(?:^|/)(?:docs?|documentation|changelogs?|release_notes|whatsnew)/")
_GENERATED = re.compile(
    r"\.min\.(?:js|css)$|\.lock$|(?:_pb2(?:_grpc)?|\.generated)\.\w+$|(?:^|/)_?parsetab\.py$"
    r"|(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|go\.sum|dist/|_antlr/)"
    r"|-lock\.ya?ml$|\.lock\.json$|\.(?:g|Designer)\.cs$|\.pb\.(?:go|cc|h)$"
)
_CONFIGURATION = re.compile(
    r"\.(?:cfg|conf|ini|toml|ya?ml|json|env|properties|in)$"
    r"|(?:^|/)(?:Makefile|Dockerfile|Pipfile|Procfile|CODEOWNERS|\.[^/]*)$"
    r"|(?:^|/)(?:[^/]*requirements[^/]*\.txt|requirements/[^/]*)$"
)
_TEST_SUPPORT = re.compile(
    r"(?:^|/)(?:tests?|__tests__|spec|testdata|fixtures)/|(?:^|/)conftest\.py$"
)


def role_of(file: FileRow) -> str:
    """The first role that applies, the farthest from a fix first."""
    return _role(file.path, file.is_test, is_code(file.language))


@lru_cache(maxsize=8_192)
def _role(path: str, is_test: bool, is_code: bool) -> str:
    if _VENDORED.search(path):
        return "vendored"
    if _GENERATED.search(path):
        return "generated"
    if _DOCUMENTATION.search(path):
        return "documentation"
    if is_test or _TEST_SUPPORT.search(path):
        return "test"
    if _EXAMPLE.search(path):
        return "example"
    if is_code:
        return ""
    return "configuration" if _CONFIGURATION.search(path) else "documentation"
