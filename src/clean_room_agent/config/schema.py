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
DEFAULT_KEPT_BLOBS = 2.0
DEFAULT_LOCK_WAIT_SECONDS = 10.0
ASK_THE_KERNEL = 0.0
DEFAULT_SERVED_TOKENS = 32_768
DEFAULT_PARALLEL_CALLS = 1
DEFAULT_CONNECT_SECONDS = 5.0
# A large prompt on a laptop is read for minutes before the first token comes.
DEFAULT_FIRST_TOKEN_SECONDS = 600.0
DEFAULT_IDLE_SECONDS = 60.0
DEFAULT_CALL_SECONDS = 1800.0
DEFAULT_RETRIES = 2
DEFAULT_OUTPUT_TOKENS = 4096
DEFAULT_TOP_P = 0.95
DEFAULT_TEMPERATURE = 0.2
DEFAULT_SEED = 1
GREEDY = 0.0
# As a stage's temperature: the one of its model.
OWN_TEMPERATURE = -1.0
DEFAULT_JUDGED_FILES = 40
DEFAULT_JUDGED_ITEMS = 80
DEFAULT_INSTRUCTION_BYTES = 32 * 1024
DEFAULT_ATTEMPTS = 3
DEFAULT_STEPS = 6
DEFAULT_ATTEMPT_TOKENS = 400_000
DEFAULT_ATTEMPT_SECONDS = 1800.0
DEFAULT_FORMAT_ERRORS = 3
DEFAULT_ENRICH_TOKENS = 200_000
DEFAULT_EMBED_BATCH = 32
DEFAULT_CHUNK_TOKENS = 128
DEFAULT_ITEM_CHUNKS = 1


class FieldClass(StrEnum):
    """How a missing value is treated."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    SUPPLEMENTARY = "supplementary"


def required(doc: str) -> Any:
    """Declare a field that must be set."""
    return field(metadata={"class": FieldClass.REQUIRED, "doc": doc})


def optional(default: object, doc: str, *, minimum: float | None = None) -> Any:
    """Declare a field with a documented default; a number is above 0, or at least `minimum`."""
    metadata = {"class": FieldClass.OPTIONAL, "doc": doc, "minimum": minimum}
    return field(default=default, metadata=metadata)


def supplementary(default: object, doc: str) -> Any:
    """Declare a field that nothing depends on."""
    return field(default=default, metadata={"class": FieldClass.SUPPLEMENTARY, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """Which model judges and writes. `none` is the declared model-free mode."""

    backend: str = required(
        '"none" (no model: ranked cuts and fix templates), "ollama", "vllm", "openai", '
        '"llamacpp", "gguf", "hf"'
    )
    base_url: str = optional("", 'where it is served; "" = http://127.0.0.1:11434 for ollama')
    context_tokens: int = optional(
        DEFAULT_SERVED_TOKENS, "the window asked of the server; a smaller served one is an error"
    )
    parallel: int = optional(DEFAULT_PARALLEL_CALLS, "calls in flight at once")
    connect_seconds: float = optional(DEFAULT_CONNECT_SECONDS, "to reach the server")
    first_token_seconds: float = optional(
        DEFAULT_FIRST_TOKEN_SECONDS, "from sending a prompt to the first token"
    )
    idle_seconds: float = optional(DEFAULT_IDLE_SECONDS, "between two tokens")
    total_seconds: float = optional(DEFAULT_CALL_SECONDS, "for one whole call")
    retries: int = optional(
        DEFAULT_RETRIES, "further tries after a passing fault (0 = none)", minimum=0
    )
    allowed_hosts: tuple[str, ...] = supplementary(
        (), "hosts besides this machine that may be sent code"
    )
    consent: tuple[str, ...] = supplementary(
        (), "those of them that this repository may be sent to; only in its own config.toml"
    )
    api_key_variable: str = supplementary(
        "", "environment variable that holds the server's key; never the key itself"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleConfig:
    """One of the two models."""

    model: str = optional("", "the model's name at the server, or a path for gguf and hf")
    tokenizer: str = supplementary("", 'path of its tokenizer.json, for exact counts; "" = learned')
    temperature: float = optional(DEFAULT_TEMPERATURE, "0 = greedy", minimum=0)
    top_p: float = optional(DEFAULT_TOP_P, "share of the probability mass that is drawn from")
    seed: int = optional(DEFAULT_SEED, "of the first attempt; each further one adds 1", minimum=0)
    max_output_tokens: int = optional(
        DEFAULT_OUTPUT_TOKENS, "tokens of one answer, set aside in the window"
    )
    think: bool = optional(False, "let a thinking model think before it answers")
    edit_format: str = optional(
        "blocks", 'how it writes edits: "blocks" (search/replace) or "symbols" (small models)'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingConfig(RoleConfig):
    """The model that writes code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningConfig(RoleConfig):
    """The model that judges, plans and answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesConfig:
    """Which of the two models each stage asks: "coding" or "reasoning"."""

    analysis: str = optional("reasoning", "what the task names")
    scope: str = optional("reasoning", "which files are shown")
    precision: str = optional("reasoning", "which symbols are shown")
    reprioritise: str = optional("reasoning", "what is dropped when the room is full")
    plan: str = optional("reasoning", "the steps of a change")
    implement: str = optional("coding", "the edit")
    reflect: str = optional("reasoning", "why an attempt is stuck")
    tests: str = optional("coding", "tests that tell patches apart")
    select: str = optional("reasoning", "which patch is the answer")
    ask: str = optional("reasoning", "an answer with citations")
    enrich: str = optional("reasoning", "what a file is for")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptersConfig:
    """Which LoRA adapter a stage adds to its model; "" = none."""

    analysis: str = optional("", "adapter name at the server, or a path for gguf and hf")
    scope: str = optional("", "as above")
    precision: str = optional("", "as above")
    reprioritise: str = optional("", "as above")
    plan: str = optional("", "as above")
    implement: str = optional("", "as above")
    reflect: str = optional("", "as above")
    tests: str = optional("", "as above")
    select: str = optional("", "as above")
    ask: str = optional("", "as above")
    enrich: str = optional("", "as above")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperaturesConfig:
    """Which temperature a stage uses instead of its model's; -1 = its model's."""

    analysis: float = optional(GREEDY, "judgments are greedy", minimum=OWN_TEMPERATURE)
    scope: float = optional(GREEDY, "as above", minimum=OWN_TEMPERATURE)
    precision: float = optional(GREEDY, "as above", minimum=OWN_TEMPERATURE)
    reprioritise: float = optional(GREEDY, "as above", minimum=OWN_TEMPERATURE)
    plan: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)
    implement: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)
    reflect: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)
    tests: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)
    select: float = optional(GREEDY, "greedy", minimum=OWN_TEMPERATURE)
    ask: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)
    enrich: float = optional(OWN_TEMPERATURE, "the model's own", minimum=OWN_TEMPERATURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsConfig:
    """How a model tries to solve a task, and when it stops."""

    generators: tuple[str, ...] = optional(
        ("llm", "templates"), 'in this order: "llm", "templates"; without a model only templates'
    )
    attempts: int = optional(DEFAULT_ATTEMPTS, "attempts of the model, each with its own seed")
    steps: int = optional(DEFAULT_STEPS, "edits tried in one attempt")
    tokens: int = optional(DEFAULT_ATTEMPT_TOKENS, "tokens of all attempts, prompts included")
    seconds: float = optional(DEFAULT_ATTEMPT_SECONDS, "wall-clock seconds of all attempts")
    format_errors: int = optional(DEFAULT_FORMAT_ERRORS, "unusable answers in a row of one attempt")
    plan: bool = optional(False, "write a plan first when none is given")
    selector: str = optional("tests", 'which patch is the answer: "tests", "majority" or "model"')


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichConfig:
    """How much `cra enrich` may spend."""

    tokens: int = optional(DEFAULT_ENRICH_TOKENS, "tokens of one run, prompts included")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """How large the room is."""

    context_tokens: int = optional(
        DEFAULT_CONTEXT_TOKENS, "tokens of one context package, framing counted"
    )
    judged_files: int = optional(
        DEFAULT_JUDGED_FILES, "files a model judges, best score first; the rest is not shown"
    )
    judged_items: int = optional(
        DEFAULT_JUDGED_ITEMS, "symbols a model judges, best score first; the rest is not shown"
    )
    instruction_bytes: int = optional(
        DEFAULT_INSTRUCTION_BYTES, "a larger AGENTS.md is left out whole"
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
    watch_poll_seconds: float = optional(
        ASK_THE_KERNEL,
        "`cra index --watch` looks this often (0 = the kernel tells it; not on network shares)",
        minimum=0,
    )
    kept_blobs: float = optional(
        DEFAULT_KEPT_BLOBS,
        "contents of other branches and commits that stay parsed, for each one of the tree",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Embeddings as one more signal for the ranking of files (extra `embed`); they never judge."""

    enabled: bool = optional(False, "embed new code in `cra index` and each task before its search")
    model: str = optional(
        "",
        "absolute path of a sentence-transformers folder in safetensors; "
        '"" = all-MiniLM-L6-v2, which the extra brings; nothing is downloaded',
    )
    batch: int = optional(DEFAULT_EMBED_BATCH, "chunks that go through the model together")
    chunk_tokens: int = optional(
        DEFAULT_CHUNK_TOKENS, "tokens of one chunk at most, its name counted"
    )
    item_chunks: int = optional(
        DEFAULT_ITEM_CHUNKS,
        "chunks of one function, class outline or header, from its start; the rest is not embedded",
    )
    precision: str = optional(
        "float32", '"float32", or "bfloat16": faster where the processor has it, a little off'
    )
    all_files: bool = optional(
        False, "embed tests, documentation, configuration, vendored and generated files too"
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
    coding: CodingConfig = CodingConfig()
    reasoning: ReasoningConfig = ReasoningConfig()
    stages: StagesConfig = StagesConfig()
    adapters: AdaptersConfig = AdaptersConfig()
    temperatures: TemperaturesConfig = TemperaturesConfig()
    attempts: AttemptsConfig = AttemptsConfig()
    enrich: EnrichConfig = EnrichConfig()
    budget: BudgetConfig = BudgetConfig()
    tests: TestsConfig = TestsConfig()
    solve: SolveConfig = SolveConfig()
    sandbox: SandboxConfig = SandboxConfig()
    index: IndexConfig = IndexConfig()
    embed: EmbedConfig = EmbedConfig()
    store: StoreConfig = StoreConfig()


SECTIONS: dict[str, type] = {
    "models": ModelsConfig,
    "coding": CodingConfig,
    "reasoning": ReasoningConfig,
    "stages": StagesConfig,
    "adapters": AdaptersConfig,
    "temperatures": TemperaturesConfig,
    "attempts": AttemptsConfig,
    "enrich": EnrichConfig,
    "budget": BudgetConfig,
    "tests": TestsConfig,
    "solve": SolveConfig,
    "sandbox": SandboxConfig,
    "index": IndexConfig,
    "embed": EmbedConfig,
    "store": StoreConfig,
}
# What is decided for one repository: no user's file, environment or `-c` may say it.
REPOSITORY_ONLY = frozenset({"models.consent"})
ALLOWED_VALUES: dict[str, tuple[str, ...]] = {
    "models.backend": ("none", "ollama", "vllm", "openai", "llamacpp", "gguf", "hf"),
    "attempts.selector": ("tests", "majority", "model"),
    "coding.edit_format": ("blocks", "symbols"),
    "reasoning.edit_format": ("blocks", "symbols"),
    **{f"stages.{entry.name}": ("coding", "reasoning") for entry in fields(StagesConfig)},
    "sandbox.backend": ("auto", "namespaces", "bubblewrap"),
    "embed.precision": ("float32", "bfloat16"),
}


def all_fields() -> dict[str, Field[Any]]:
    """Return every field by its dotted key, in template order."""
    return {f"{s}.{f.name}": f for s, section in SECTIONS.items() for f in fields(section)}


__all__ = ["SECTIONS", "Config", "FieldClass", "all_fields"]
