"""One repository as facts and read-only questions, every one answered through our shadow.

Takes: a path. Gives: `Repository`. Does not know: indexes, tasks, databases. Nothing here writes
into the user's repository or runs anything that it names; see `shadow` for how, and `worktree`
for the only calls that open the real git directory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import BlobId, CommitFact, CommitId
from clean_room_agent.repo import listing, objects
from clean_room_agent.repo.diff import make_diff
from clean_room_agent.repo.history import read_history
from clean_room_agent.repo.ignore import OWN_DIRECTORY
from clean_room_agent.repo.layout import Layout, find_layout
from clean_room_agent.repo.listing import ListedPath
from clean_room_agent.repo.objects import OBJECT_ID, TreeEntry
from clean_room_agent.repo.refs import read_head, read_ref
from clean_room_agent.repo.shadow import Shadow
from clean_room_agent.repo.working import dirty_paths, read_working_file

_REVISION = re.compile(r"(?P<name>[^~^:@{\s\\?*\[\0-\x1f]+)(?P<steps>(?:[~^]\d*)*)")
_REF_PLACES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}")


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout and its objects. `head` is None on an unborn branch, `branch` empty if detached.

    `head` and `branch` are as they were at opening; open again to see a new commit.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    object_format: str
    head: CommitId | None
    branch: str
    is_shallow: bool
    is_partial: bool
    layout: Layout = field(repr=False)
    shadow: Shadow = field(repr=False)

    def list_paths(self) -> list[ListedPath]:
        """List tracked and untracked, not ignored paths, sorted; links and submodules too.

        `.git`, `.clean_room` and what `.craignore` names are left out. `mode` is the index's.
        """
        return listing.list_paths(self.layout, self.shadow)

    def list_ignored(self) -> list[str]:
        """List what git ignores: files, and folders that stand for everything in them."""
        return listing.list_ignored(self.layout, self.shadow)

    def tree(self, commit: CommitId) -> dict[str, TreeEntry]:
        """Return every path of a commit with its mode and object id."""
        return objects.read_tree(self.shadow, commit)

    def read_blobs(self, blob_ids: Collection[BlobId]) -> dict[BlobId, bytes]:
        """Read blobs by id; never fetched from elsewhere.

        Raises:
            RepositoryError: some are missing; the message names them.
        """
        return dict(objects.read_blobs(self.shadow, blob_ids))

    def history(self, since: CommitId | None = None) -> Iterator[CommitFact]:
        """Yield the commits reachable from HEAD and not from `since`, newest first."""
        if self.head is None:
            return iter(())
        return read_history(self.shadow, self.head, since, similar_renames=not self.is_partial)

    def is_ancestor(self, ancestor: CommitId, descendant: CommitId) -> bool:
        """Whether `ancestor` is reachable; False too when it is no longer in the repository."""
        return objects.is_ancestor(self.shadow, ancestor, descendant)

    def resolve(self, revision: str) -> CommitId:
        """Return the commit that a name, a hash or either with `~n` and `^n` stands for.

        Raises:
            RepositoryError: there is no such commit, or the form is not one of these.
        """
        match = _REVISION.fullmatch(revision)
        if match is None or revision.startswith("-"):
            raise RepositoryError(
                f"not a revision that can be resolved: {revision!r}",
                hint="name a branch, a tag or a commit hash, with ~n or ^n if need be",
            )
        target = self._ref(match["name"]) or match["name"]
        found = objects.peel_to_commit(self.shadow, target + match["steps"])
        if found is None:
            raise RepositoryError(f"no commit is named {revision!r}", where=str(self.root))
        return found

    def hash_bytes(self, data: bytes) -> BlobId:
        """Return the id git gives a blob of `data`, without a git process."""
        return objects.hash_blob(data, self.object_format)

    def read_file(self, path: str, *, limit_bytes: int) -> bytes:
        """Read a file of the working tree without following any link on the way.

        Raises:
            RepositoryError: it is absent, no regular file, too large or beyond a link.
        """
        return read_working_file(self.root, path, limit_bytes=limit_bytes)

    def dirty_paths(self, commit: CommitId) -> list[str]:
        """List the paths whose working bytes, type or executable bit differ from `commit`.

        Deleted paths and untracked, not ignored ones are among them. Bytes are compared as they
        lie on disk, so a checkout with line-end conversion or LFS counts as different.
        """
        return dirty_paths(self.root, self.tree(commit), self._all_paths(), self.object_format)

    def diff(
        self,
        before: Mapping[str, bytes],
        after: Mapping[str, bytes],
        *,
        modes_before: Mapping[str, str] | None = None,
        modes_after: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the git-style unified diff between two sets of files; see `diff.make_diff`."""
        first = modes_before or {}
        second = first if modes_after is None else modes_after
        return make_diff(self.shadow, before, after, modes_before=first, modes_after=second)

    def _all_paths(self) -> list[str]:
        every = listing.list_all(self.layout, self.shadow)
        return [listed.path for listed in every if listed.mode != listing.MODE_UNLISTED]

    def _ref(self, name: str) -> str | None:
        if OBJECT_ID.fullmatch(name):
            return name
        for place in _REF_PLACES:
            full = place.format(name)
            if full == "HEAD" or full.startswith("refs/"):
                found = read_ref(self.layout, full) if full != "HEAD" else self.head
                if found is not None:
                    return found
        return None


def open_repository(path: Path, *, shadow: Path | None = None) -> Repository:
    """Find and open the repository that holds `path`; starts no process inside it.

    `shadow` is where our git directory may lie (made when first needed); by default
    `.clean_room/shadow.git` in the top level.

    Raises:
        RepositoryError: there is none, it is bare, or it cannot be used safely.
    """
    layout = find_layout(path)
    head = read_head(layout)
    place = shadow or layout.root / OWN_DIRECTORY / "shadow.git"
    object_dir = layout.common_dir / "objects"
    mirror = Shadow(place.absolute(), object_dir, layout.object_format, layout.shallow)
    commit = None
    if head.object_id is not None:
        commit = CommitId(head.object_id)
    return Repository(
        root=layout.root,
        git_dir=layout.git_dir,
        common_dir=layout.common_dir,
        object_format=layout.object_format,
        head=commit,
        branch=head.ref.removeprefix("refs/heads/"),
        is_shallow=bool(layout.shallow),
        is_partial=layout.is_partial,
        layout=layout,
        shadow=mirror,
    )
