"""Say what part a file plays: source, test, documentation, configuration and so on.

Takes: a path and what the index says of it. Gives: a role name, `""` for source, and the rule.
Does not know: what a role costs. What `.gitattributes` says goes before every rule of ours.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clean_room_agent.repo.languages import is_code
from clean_room_agent.store.curated_reader import FileRow

_VENDORED = re.compile(
    r"(?:^|/)(?:_?vendor(?:ed)?|third[_-]?party|3rdparty|node_modules|extern(?:al)?s?"
    r"|bower_components|Pods|Carthage|cextern|site-packages|Godeps|\.yarn/(?:releases|plugins))/"
    r"|(?:^|/)(?:gradlew(?:\.bat)?|mvnw(?:\.cmd)?|jquery-[\d.]+\.js)$"
)
_EXAMPLE = re.compile(
    r"(?:^|/)(?:examples?|demos?|samples?|tutorials?|benchmarks?|galler(?:y|ies))/"
)
_DOCUMENTATION = re.compile(r"(?:^|/)(?:docs?|documentation|changelogs?|release_notes|whatsnew)/")
_GENERATED = re.compile(
    r"\.min\.(?:[mc]?js|css)$|\.lock$|(?:_pb2?(?:_grpc)?|[._]generated)\.\w+$|\.map$"
    r"|(?:^|/)_?parsetab\.py$|(?:^|/)(?:__generated__/|zz_generated\.)"
    r"|(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|go\.sum|dist/|_antlr/)"
    r"|-lock\.ya?ml$|\.lock\.json$|\.(?:g|Designer)\.cs$|\.pb\.(?:go|cc|h|c|rs|swift|validate\.go)$"
)
_CONFIGURATION = re.compile(
    r"\.(?:cfg|conf|ini|toml|ya?ml|json|env|properties|in)$"
    r"|(?:^|/)(?:Makefile|Dockerfile|Pipfile|Procfile|CODEOWNERS|\.[^/]*)$"
    r"|(?:^|/)(?:[^/]*requirements[^/]*\.txt|requirements/[^/]*)$"
)
# The farthest from a fix first; each is what `.gitattributes` calls `linguist-ROLE`.
_BY_PATH = {
    "vendored": _VENDORED, "generated": _GENERATED, "documentation": _DOCUMENTATION,
}  # fmt: skip
_TEST_SUPPORT = re.compile(
    r"(?:^|/)(?:tests?|__tests__|spec|testdata|fixtures)/|(?:^|/)conftest\.py$"
)


def role_of(file: FileRow) -> str:
    """The first role that applies, the farthest from a fix first."""
    return explain_role(file)[0]


def explain_role(file: FileRow) -> tuple[str, str]:
    """The role and the rule that gives it, in words."""
    return _explain(
        file.path, file.is_test, is_code(file.language), file.generated, file.attributes
    )


@lru_cache(maxsize=8_192)
def _explain(
    path: str, is_test: bool, is_code: bool, generated: str, attributes: str
) -> tuple[str, str]:
    words = attributes.split()
    for role, pattern in _BY_PATH.items():
        if role in words:
            return role, f".gitattributes says linguist-{role}"
        if f"-{role}" in words:
            continue
        if role == "generated" and generated:
            return role, f"its content: {generated}"
        if pattern.search(path):
            return role, "its path"
    return _other_role(path, is_test, is_code), "its path"


def _other_role(path: str, is_test: bool, is_code: bool) -> str:
    if is_test or _TEST_SUPPORT.search(path):
        return "test"
    if _EXAMPLE.search(path):
        return "example"
    if is_code:
        return ""
    return "configuration" if _CONFIGURATION.search(path) else "documentation"
