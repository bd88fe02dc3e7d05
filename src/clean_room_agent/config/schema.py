"""Every configuration field, its class, its default, and what it means.

Takes: nothing. Gives: frozen sections that rooms receive one at a time, never the whole.
Does not know: files, environment variables, precedence; see `load`.

Each field is Required (no default: missing is an error), Optional (a documented default in a named
constant) or Supplementary (nothing breaks without it). A test fails on an unclassified field.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from typing import Any

DEFAULT_CONTEXT_TOKENS = 32_768
DEFAULT_SOLVE_SECONDS = 60.0
DEFAULT_MAX_CANDIDATES = 100_000
DEFAULT_TIE_BREAK_SECONDS = 3.0
DEFAULT_TRACE_SECONDS = 60.0
DEFAULT_TEST_SECONDS = 600.0
DEFAULT_ONE_TEST_SECONDS = 10.0
DEFAULT_MEMORY_MIB = 4096
DEFAULT_PROCESSES = 256
DEFAULT_WORKSPACE_MIB = 1024
DEFAULT_MAX_FILE_BYTES = 2 * 1024**2
DEFAULT_LOCK_WAIT_SECONDS = 10.0


class FieldClass(StrEnum):
    """How a missing value is treated."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    SUPPLEMENTARY = "supplementary"


def required(doc: str) -> Any:
    """Declare a field that must be set."""
    return field(metadata={"class": FieldClass.REQUIRED, "doc": doc})


def optional(default: object, doc: str) -> Any:
    """Declare a field with a documented default."""
    return field(default=default, metadata={"class": FieldClass.OPTIONAL, "doc": doc})


def supplementary(default: object, doc: str) -> Any:
    """Declare a field that nothing depends on."""
    return field(default=default, metadata={"class": FieldClass.SUPPLEMENTARY, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """Which model judges and writes. `none` is the declared model-free mode."""

    backend: str = required('"none": judges are ranked cuts, edits come from fix templates')


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """How large the room is."""

    context_tokens: int = optional(
        DEFAULT_CONTEXT_TOKENS, "tokens of one context package, framing counted"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsConfig:
    """How the repository's tests are run."""

    __test__ = False

    command: str = optional("", 'test command of `cra solve` without --test; "" = detect pytest')


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveConfig:
    """Where the search for a patch stops."""

    seconds: float = optional(DEFAULT_SOLVE_SECONDS, "wall-clock seconds of the candidate search")
    max_candidates: int = optional(DEFAULT_MAX_CANDIDATES, "candidates tried at most")
    tie_break_seconds: float = optional(
        DEFAULT_TIE_BREAK_SECONDS, "seconds spent on further plausible patches after the first"
    )
    trace_seconds: float = optional(
        DEFAULT_TRACE_SECONDS, "seconds spent tracing tests for fault localisation"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Bounds of every run of repository code."""

    backend: str = optional("auto", '"auto", "namespaces" or "bubblewrap"')
    test_seconds: float = optional(DEFAULT_TEST_SECONDS, "wall-clock seconds of one whole test run")
    one_test_seconds: float = optional(
        DEFAULT_ONE_TEST_SECONDS, "processor seconds after which a single test counts as endless"
    )
    memory_mib: int = optional(DEFAULT_MEMORY_MIB, "memory of all processes of one run, MiB")
    processes: int = optional(DEFAULT_PROCESSES, "processes and threads of one run")
    workspace_mib: int = optional(DEFAULT_WORKSPACE_MIB, "what one run may write, MiB")
    read_only: tuple[str, ...] = supplementary(
        (), "further absolute paths that tests may read (compilers, data)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """What the index reads."""

    max_file_bytes: int = optional(
        DEFAULT_MAX_FILE_BYTES, "larger files are listed with a reason, not parsed"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """How the databases are shared with other processes."""

    lock_wait_seconds: float = optional(
        DEFAULT_LOCK_WAIT_SECONDS, "how long a writer waits for another before it says busy"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The effective configuration of one run."""

    models: ModelsConfig
    budget: BudgetConfig = BudgetConfig()
    tests: TestsConfig = TestsConfig()
    solve: SolveConfig = SolveConfig()
    sandbox: SandboxConfig = SandboxConfig()
    index: IndexConfig = IndexConfig()
    store: StoreConfig = StoreConfig()


SECTIONS: dict[str, type] = {
    "models": ModelsConfig,
    "budget": BudgetConfig,
    "tests": TestsConfig,
    "solve": SolveConfig,
    "sandbox": SandboxConfig,
    "index": IndexConfig,
    "store": StoreConfig,
}
ALLOWED_VALUES: dict[str, tuple[str, ...]] = {
    "models.backend": ("none",),
    "sandbox.backend": ("auto", "namespaces", "bubblewrap"),
}


def all_fields() -> dict[str, Field[Any]]:
    """Return every field by its dotted key, in template order."""
    return {f"{s}.{f.name}": f for s, section in SECTIONS.items() for f in fields(section)}


__all__ = ["SECTIONS", "Config", "FieldClass", "all_fields"]
