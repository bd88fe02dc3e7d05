"""Every expected failure, named for what the operator does next.

Takes: nothing. Gives: one tree of exceptions, each with the exit code of `cra help exit-codes`.
Does not know: how an error is printed (`cli`), or what is an outcome rather than an error: a
failing test is a `Validation`, an omitted file is a `Decision`.

    CraError                1   what failed, where, and what to do next
    ├── NotSolvedError      1   the task ended without a verified patch
    ├── UsageError          2   the command line or the task is wrong
    ├── ConfigError         3   a config file or value is wrong
    ├── RepositoryError     2   no usable git repository
    ├── BudgetError         5   a token, time or candidate limit was reached
    ├── StoreError          6   a database is corrupt, foreign or newer
    │   ├── StoreBusyError  6   another process holds the write lock
    │   └── VectorError     6   a vector is not one of this store
    ├── ModelCallError      4   a model server did not answer as it must
    ├── EditError           1   an edit was refused; nothing was written
    ├── SandboxError        7   no enforcing sandbox, or it failed to start
    ├── TamperedError       8   the verdict cannot be trusted
    ├── WatchError          1   the system does not tell of changes to files
    └── ShellError          1   a child process could not run or overran its limit
"""

from __future__ import annotations

from typing import ClassVar

# Ended from outside: Ctrl-C and SIGTERM are no errors of ours.
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


class CraError(Exception):
    """An expected failure: `message` says what, `where` names the place, `hint` the next step."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"at {self.where}")
        if self.hint:
            parts.append(f"next: {self.hint}")
        return "; ".join(parts)


class NotSolvedError(CraError):
    """The task ended without a verified patch."""

    code = "not_solved"


class UsageError(CraError):
    """The command line, or the task it names, cannot be carried out as given."""

    exit_code = 2
    code = "usage"


class RepositoryError(CraError):
    """There is no git repository here that can be read safely."""

    exit_code = 2
    code = "repository"


class ConfigError(CraError):
    """A configuration file or value is missing, unknown or wrong."""

    exit_code = 3
    code = "config"


class BudgetError(CraError):
    """A declared limit on tokens, seconds or candidates was reached."""

    exit_code = 5
    code = "budget"


class ModelCallError(CraError):
    """A model or its server is away, hung, broken or cut the prompt; every try is in the log."""

    exit_code = 4
    code = "model"


class StoreError(CraError):
    """A database is corrupt, foreign, newer than this program, or cannot be written."""

    exit_code = 6
    code = "store"


class StoreBusyError(StoreError):
    """Another process holds the write lock; the message names its pid and since when."""

    code = "store_busy"


class VectorError(StoreError):
    """A vector has another dimension than its store, is zero or not finite, or is damaged."""

    code = "vectors"


class EditError(CraError):
    """An edit was refused before anything was written; the tree is as it was."""

    code = "edit"


class SandboxError(CraError):
    """No backend can enforce the sandbox here, or the sandbox failed to start."""

    exit_code = 7
    code = "sandbox"


class TamperedError(CraError):
    """The code under test interfered with its oracle; the verdict cannot be trusted."""

    exit_code = 8
    code = "tampered"


class WatchError(CraError):
    """The system cannot tell of changes to files: a limit is reached, or a folder is closed."""

    code = "watch"


class ShellError(CraError):
    """A child process could not be started, failed, or overran its limit."""

    code = "shell"
