"""The models of one run: their transport, what the server says of them, and their counters.

Takes: a router, an open transport, what earlier calls counted. Gives: `ModelRoom`.
Does not know: calls, prompts, or the log.

Everything here is asked of a server once and then held for the run, so that budgets do not move
while a task is worked on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.errors import ConfigError, ModelCallError
from clean_room_agent.llm.counters import (
    CalibratedCounter,
    Observation,
    ServerCounter,
    TokenizerCounter,
    learn_factor,
)
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.wire import ServedModel, Transport, TransportError
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.calls import ModelChoice, ReplyStatus

ReadCounts = Callable[[str], tuple[Observation, ...]]
# The least that a prompt of any stage needs: its words, a task, a little code.
MIN_PROMPT_TOKENS = 2_000
CountOverride = Callable[[ModelChoice], TokenCounter | None]


@dataclass
class ModelRoom:
    """What a run knows of its models; one backend serves a whole configuration.

    `read_counts` gives what servers counted for a model before; `recorded_counter` is the counter
    of a logged run that is run again.
    """

    router: Router
    transport: Transport
    read_counts: ReadCounts
    recorded_counter: CountOverride | None = None
    _served: dict[str, ServedModel] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)
    _counters: dict[str, TokenCounter] = field(default_factory=dict)
    _digests: dict[tuple[str, str], str] = field(default_factory=dict)

    def served(self, choice: ModelChoice) -> ServedModel:
        """Return what the server says of a model, asked once.

        Raises:
            ConfigError: the server does not have it, or serves a smaller window than configured.
            ModelCallError: the server cannot be reached.
        """
        if choice.model not in self._served:
            self._served[choice.model] = self._describe(choice)
        return self._served[choice.model]

    def served_tokens(self, choice: ModelChoice) -> int:
        """Return the window that a call of this model has: what is asked, never more than served.

        Raises:
            ConfigError: the server serves less than the configuration counts on.
        """
        served = self.served(choice).context_tokens
        if served is not None and served < choice.context_tokens:
            raise ConfigError(
                f"{choice.model} is served with a window of {served:,} tokens, "
                f"models.context_tokens asks for {choice.context_tokens:,}",
                where=choice.base_url or choice.backend,
                hint=f"set models.context_tokens = {served}, or serve a larger window",
            )
        return choice.context_tokens

    def require(self, choice: ModelChoice) -> None:
        """Check that a model is served as it is configured.

        Raises:
            ConfigError: it is not there, its window is smaller, or its adapter is not served.
            ModelCallError: the server cannot be reached.
        """
        self.served_tokens(choice)
        if fault := missing_adapter(choice, self.served(choice)):
            raise ConfigError(
                fault,
                where=choice.base_url or choice.backend,
                hint="serve it, or change [adapters]; see `cra models`",
            )

    def newly_served(self, choice: ModelChoice) -> ServedModel | None:
        """Return what the server says, the first time it is asked for."""
        served = self.served(choice)
        if choice.model in self._noted:
            return None
        self._noted.add(choice.model)
        return served

    def digest_changed(self, choice: ModelChoice, digest: str) -> str:
        """Return the digest that answered before where another one answers now, else ""."""
        if not digest:
            return ""
        before = self._digests.setdefault((choice.model, choice.adapter), digest)
        self._digests[choice.model, choice.adapter] = digest
        return before if before != digest else ""

    def counter(self, choice: ModelChoice) -> TokenCounter:
        """Return the model's counter: exact where a tokenizer is at hand, else calibrated."""
        if choice.model not in self._counters:
            recorded = self.recorded_counter(choice) if self.recorded_counter else None
            self._counters[choice.model] = recorded or self._choose_counter(choice)
        return self._counters[choice.model]

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    def _choose_counter(self, choice: ModelChoice) -> TokenCounter:
        if choice.tokenizer:
            return TokenizerCounter(Path(choice.tokenizer))
        if self._count_by_server(choice, "token") is not None:
            return ServerCounter(lambda text: self._require_count(choice, text), choice.model)
        return CalibratedCounter(learn_factor(self.read_counts(choice.model)))

    def _require_count(self, choice: ModelChoice, text: str) -> int:
        counted = self._count_by_server(choice, text)
        if counted is None:
            raise ModelCallError("the server stopped counting tokens", where=choice.base_url)
        return counted

    def _count_by_server(self, choice: ModelChoice, text: str) -> int | None:
        try:
            return self.transport.count_tokens(choice.model, text)
        except TransportError as error:
            raise _unreachable(choice, error) from error

    def _describe(self, choice: ModelChoice) -> ServedModel:
        try:
            return self.transport.describe(choice.model)
        except TransportError as error:
            if error.status is ReplyStatus.UNKNOWN_MODEL:
                raise ConfigError(
                    error.message,
                    where=choice.base_url or choice.backend,
                    hint=f"fetch it, or change [{choice.role}] model; see `cra models`",
                ) from error
            raise _unreachable(choice, error) from error


def narrow(choice: ModelChoice) -> str:
    """Say that a window cannot hold an answer beside a prompt; "" where it can."""
    output = choice.sampling.max_output_tokens
    if choice.context_tokens > output + MIN_PROMPT_TOKENS:
        return ""
    return (
        f"models.context_tokens = {choice.context_tokens} cannot hold an answer of "
        f"{choice.role}.max_output_tokens = {output} and a prompt of {MIN_PROMPT_TOKENS:,} tokens"
    )


def refuse_narrow(choice: ModelChoice) -> None:
    """Raise where a window cannot hold an answer beside a prompt. Raises: ConfigError."""
    if fault := narrow(choice):
        raise ConfigError(
            fault,
            where=f"stage {choice.stage}",
            hint=f"raise models.context_tokens, or lower {choice.role}.max_output_tokens",
        )


def missing_adapter(choice: ModelChoice, served: ServedModel) -> str:
    """Say that a server has other adapters only; "" where it has it, or does not tell."""
    if choice.adapter and served.adapters and choice.adapter not in served.adapters:
        return f"the adapter {choice.adapter} is not served; there are {', '.join(served.adapters)}"
    return ""


def _unreachable(choice: ModelChoice, error: TransportError) -> ModelCallError:
    return ModelCallError(
        f"the model server cannot be used ({error.status}): {error.message}",
        where=choice.base_url or choice.backend,
        hint="start it, then run this again or `cra resume`; `cra doctor` checks it",
    )
