"""A commit's files in a directory of ours, read as if they were the checkout.

Takes: a repository, a commit, a place. Gives: the directory, and a `Repository` of it.
Does not know: what is read from it. Nothing here writes outside the place.

The place holds the plain files and, in our own directory inside, an index of the commit: so every
file counts as tracked, whatever an ignore file says, as it did when it was committed.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.ignore import OWN_DIRECTORY
from clean_room_agent.repo.worktree import export_tree

UNFINISHED = ".part"
_GIT = "git"


def export_commit(repository: Repository, commit: CommitId, place: Path) -> None:
    """Write the files of `commit` to `place`, anew; it is there whole or not at all.

    Raises:
        RepositoryError: an object is missing, the place cannot be written, or the commit ships a
            directory with the name of ours.
    """
    if any(path.split("/", 1)[0] == OWN_DIRECTORY for path in repository.tree(commit)):
        raise RepositoryError(
            f"the commit ships its own {OWN_DIRECTORY}, which is never trusted",
            where=f"commit {commit}",
        )
    part = place.with_name(place.name + UNFINISHED)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in (part, place):
            if old.is_symlink() or old.exists():
                shutil.rmtree(old)
        export_tree(repository, commit, part)
        part.chmod(0o700)
        index = part / OWN_DIRECTORY / _GIT / "index"
        index.parent.mkdir(mode=0o700, parents=True)
        filled = repository.shadow.run("read-tree", commit, extra={"GIT_INDEX_FILE": str(index)})
        filled.check("reading the commit's tree")
        part.rename(place)
    except OSError as error:
        raise RepositoryError(
            f"the commit cannot be laid out: {error.strerror}", where=str(place)
        ) from error


def open_export(repository: Repository, commit: CommitId, place: Path) -> Repository:
    """Return the repository as it was at `commit`, with its files at `place`."""
    own = place / OWN_DIRECTORY / _GIT
    layout = replace(repository.layout, root=place, git_dir=own, common_dir=own)
    return replace(
        repository,
        root=place,
        git_dir=own,
        common_dir=own,
        head=commit,
        branch="",
        layout=layout,
    )
