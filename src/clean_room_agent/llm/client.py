"""Ask models: check the budget, log, call, log, answer. Every call of the program passes here.

Takes: `Call`s (a stage, a prompt as fragments, perhaps a schema). Gives: `Reply`s.
Does not know: what a stage asks for, or what an answer means (`answers` parses).

A request and its fragments are durable before anything is sent; each try's reply is durable before
anything reads it. Calls run in threads, at most `models.parallel` at once; the log is written by
the caller's thread alone. Only passing faults are tried again, each try with a row of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from clean_room_agent.errors import BudgetError, ConfigError, ModelCallError
from clean_room_agent.llm.counters import least_count
from clean_room_agent.llm.rooms import ModelRoom, refuse_narrow
from clean_room_agent.llm.tries import Tried, is_passing, try_call
from clean_room_agent.llm.wire import Timeouts, WireRequest
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.calls import (
    CallStage,
    ModelChoice,
    ModelReply,
    ModelRequest,
    Prompt,
    ReplyStatus,
)
from clean_room_agent.records.log import Event
from clean_room_agent.records.task import RunId, TaskId
from clean_room_agent.store.raw import RawLog, new_id

# What a chat template and the server's own tokens may add to a prompt.
TEMPLATE_TOKENS = 64
# The stage, how many calls of its batch have ended, how many there are.
CallProgress = Callable[[CallStage, int, int], None]


@dataclass(frozen=True, slots=True)
class Call:
    """What a stage asks. `seed_offset` is the number of the attempt, from 0."""

    stage: CallStage
    prompt: Prompt
    schema: Mapping[str, object] | None = None
    task_id: TaskId | None = None
    seed_offset: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as text. `complete` is False where the output limit cut it."""

    request_id: str
    text: str
    complete: bool
    prompt_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Usage:
    """What the calls of this process cost so far; tokens are the server's where it counts."""

    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    by_stage: dict[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


@dataclass(slots=True)
class _Calls:
    """One batch under way: its tries as they end, then None for each call that is over."""

    done: queue.SimpleQueue[tuple[int, Tried | None]] = field(default_factory=queue.SimpleQueue)
    cancel: threading.Event = field(default_factory=threading.Event)
    begun: list[int] = field(default_factory=list)
    over: int = 0


class ModelClient:
    """Calls the models of one configuration for one run. Belongs to one thread.

    `progress` is called as a batch starts and as each call of it ends.
    """

    progress: CallProgress | None = None

    def __init__(self, room: ModelRoom, raw: RawLog, run_id: RunId) -> None:
        self.room = room
        self.usage = Usage()
        self._raw = raw
        self._run_id = run_id

    def counter(self, stage: CallStage) -> TokenCounter:
        """Return the counter of the stage's model, the same for the whole run."""
        return self.room.counter(self.room.router.choose(stage))

    def choice(self, stage: CallStage) -> ModelChoice:
        """Return what the router answers for a stage."""
        return self.room.router.choose(stage)

    def prompt_tokens(self, stage: CallStage) -> int:
        """Return how many tokens a prompt of this stage may have: window less answer."""
        choice = self.room.router.choose(stage)
        served = self.room.served_tokens(choice)
        return served - choice.sampling.max_output_tokens - TEMPLATE_TOKENS

    def require(self, stages: Sequence[CallStage]) -> None:
        """Check that each stage's model can be used as configured; nothing is generated.

        What the configuration alone decides comes first, so that no server is asked in vain.

        Raises:
            ConfigError: a model is missing or unknown, or a window is too small.
            ModelCallError: a server cannot be reached.
        """
        choices = [self.room.router.choose(stage) for stage in stages]
        for choice in choices:
            refuse_narrow(choice)
        for choice in choices:
            self.room.require(choice)

    def ask(self, call: Call) -> Reply:
        """Ask once. Raises: ModelCallError, BudgetError, ConfigError."""
        return self.ask_many([call])[0]

    def ask_many(self, calls: Sequence[Call]) -> list[Reply]:
        """Ask several at once, keeping `models.parallel` of them in flight; answers in order.

        Raises:
            BudgetError: a prompt does not fit in the served window; nothing was sent.
            ModelCallError: a call failed for good; the others were finished and logged first.
        """
        if not calls:
            return []
        requests = [self._request(call) for call in calls]
        self._raw.append_requests(requests)
        self._refuse_too_large(requests)
        outcomes = self._run(requests)
        for request, tried in zip(requests, outcomes, strict=True):
            if tried.status is not ReplyStatus.OK:
                raise call_error(request, tried)
        return [_reply(r, t) for r, t in zip(requests, outcomes, strict=True)]

    def close(self) -> None:
        """Give connections and loaded models back."""
        self.room.close()

    def _request(self, call: Call) -> ModelRequest:
        choice = self.room.router.choose(call.stage, seed_offset=call.seed_offset)
        self._note_served(choice)
        return ModelRequest(
            request_id=new_id("q"),
            run_id=self._run_id,
            task_id=call.task_id,
            choice=choice,
            prompt=call.prompt,
            schema=call.schema,
            tokens=sum(fragment.tokens for fragment in call.prompt.fragments),
            counter=self.room.counter(choice).name,
        )

    def _note_served(self, choice: ModelChoice) -> None:
        """Log once per run what the server says of a model; a changed digest is a warning."""
        served = self.room.newly_served(choice)
        if served is not None:
            data = {"backend": choice.backend, "base_url": choice.base_url, "served": served}
            self._raw.append_event(Event(self._run_id, "model.served", data))

    def _refuse_too_large(self, requests: Sequence[ModelRequest]) -> None:
        for request in requests:
            room = self.prompt_tokens(request.choice.stage)
            if request.tokens > room:
                message = f"refused before sending: {request.tokens:,} tokens, room for {room:,}"
                self._raw.append_reply(_failed(request.request_id, 1, ReplyStatus.CONTEXT, message))
                raise BudgetError(
                    f"a prompt of {request.tokens:,} tokens does not fit: the window leaves "
                    f"{room:,} beside the answer",
                    where=f"stage {request.choice.stage}, request {request.request_id}",
                    hint="lower budget.context_tokens, or serve a larger window and raise "
                    "models.context_tokens",
                )

    def _run(self, requests: Sequence[ModelRequest]) -> list[Tried]:
        """Run every call; log each try as it ends. Interrupted, it cancels and logs first."""
        calls = _Calls()
        last: dict[int, Tried] = {}
        running: list[Future[None]] = []
        with self._pool(len(requests)) as pool:
            try:
                self._tell(requests, last)
                for index, request in enumerate(requests):
                    running.append(pool.submit(self._call, index, request, calls))
                self._drain(calls, len(requests), requests, last)
            except BaseException:
                calls.cancel.set()
                # What has not begun by now makes no call. One that has may be in no list of the
                # pool's, if the interruption came while its thread was started.
                self._drain(calls, len(calls.begun), requests, last)
                raise
        for future in running:
            future.result()
        return [last[index] for index in range(len(requests))]

    def _drain(
        self,
        calls: _Calls,
        awaited: int,
        requests: Sequence[ModelRequest],
        last: dict[int, Tried],
    ) -> None:
        """Log the tries as they end, until `awaited` calls are over."""
        while calls.over < awaited:
            try:
                index, tried = calls.done.get(timeout=0.1)
            except queue.Empty:
                continue
            if tried is None:
                calls.over += 1
                continue
            last[index] = tried
            self._log(requests[index], tried)
            self._tell(requests, last)

    def _tell(self, requests: Sequence[ModelRequest], last: Mapping[int, Tried]) -> None:
        """Say how many calls of a batch have ended; its calls are of one stage."""
        tries = self.room.router.config.models.retries + 1
        ended = sum(not is_passing(t.status) or t.number >= tries for t in last.values())
        if self.progress is not None:
            self.progress(requests[0].choice.stage, ended, len(requests))

    def _call(self, index: int, request: ModelRequest, calls: _Calls) -> None:
        """Run in a worker: try until it succeeds, fails for good, or the tries are used up."""
        calls.begun.append(index)
        try:
            if not calls.cancel.is_set():
                self._try(index, request, calls)
        finally:
            calls.done.put((index, None))

    def _try(self, index: int, request: ModelRequest, calls: _Calls) -> None:
        models = self.room.router.config.models
        wire = _wire_request(request, self._timeouts())
        for number in range(1, models.retries + 2):
            tried = _judged(request, try_call(self.room.transport, wire, calls.cancel, number))
            calls.done.put((index, tried))
            if not is_passing(tried.status) or calls.cancel.is_set():
                return
            if number <= models.retries:
                calls.cancel.wait(tried.wait_seconds)

    def _timeouts(self) -> Timeouts:
        models = self.room.router.config.models
        return Timeouts(
            models.connect_seconds,
            models.first_token_seconds,
            models.idle_seconds,
            models.total_seconds,
        )

    def _log(self, request: ModelRequest, tried: Tried) -> None:
        reply = tried.as_reply(request.request_id)
        self._raw.append_reply(reply)
        self.usage.calls += 1
        self.usage.prompt_tokens += reply.prompt_tokens or request.tokens
        self.usage.output_tokens += reply.output_tokens or 0
        self.usage.seconds += reply.seconds
        stage = str(request.choice.stage)
        self.usage.by_stage[stage] = self.usage.by_stage.get(stage, 0) + 1
        changed = self.room.digest_changed(request.choice, reply.digest)
        if changed:
            data = {"model": request.choice.model, "before": changed, "now": reply.digest}
            event = Event(self._run_id, "model.digest_changed", data, task_id=request.task_id)
            self._raw.append_event(event)

    @contextmanager
    def _pool(self, calls: int) -> Iterator[ThreadPoolExecutor]:
        limit = min(self.room.router.config.models.parallel, calls)
        with ThreadPoolExecutor(max_workers=limit, thread_name_prefix="model") as pool:
            yield pool


def call_error(request: ModelRequest, tried: Tried) -> ModelCallError | ConfigError:
    """Build the error of a call that failed for good: what, where, what to do next."""
    choice = request.choice
    where = f"{choice.model} at {choice.base_url or choice.backend}, request {request.request_id}"
    if tried.status is ReplyStatus.UNKNOWN_MODEL:
        return ConfigError(tried.error, where=where, hint="see `cra models`")
    hint = _HINTS.get(tried.status, "see `cra doctor`; `cra resume` goes on from here")
    return ModelCallError(f"the model call failed ({tried.status}): {tried.error}", where=where,
                          hint=hint)  # fmt: skip


_HINTS = {
    ReplyStatus.CONNECT: "start the server, then `cra resume` goes on from here",
    ReplyStatus.CONTEXT: "serve a larger window, or lower models.context_tokens",
    ReplyStatus.TRUNCATED: "serve the window that models.context_tokens asks for; see `cra models`",
    ReplyStatus.DIVERGED: "see `cra trace`",
}


def _judged(request: ModelRequest, tried: Tried) -> Tried:
    """Fail a call whose server count shows that the prompt was cut (curation rule 3)."""
    if tried.status is not ReplyStatus.OK or tried.prompt_tokens is None:
        return tried
    least = least_count(request.tokens, request.counter)
    if tried.prompt_tokens >= least:
        return tried
    return tried.failed(
        ReplyStatus.TRUNCATED,
        f"the server read {tried.prompt_tokens:,} prompt tokens of at least {least:,}: "
        "it cut the prompt",
    )


def _wire_request(request: ModelRequest, timeouts: Timeouts) -> WireRequest:
    choice = request.choice
    return WireRequest(
        model=choice.model,
        prompt=request.prompt.data.decode("utf-8", "replace"),
        sampling=choice.sampling,
        context_tokens=choice.context_tokens,
        timeouts=timeouts,
        schema=request.schema,
        adapter=choice.adapter,
        think=choice.think,
    )


def _reply(request: ModelRequest, tried: Tried) -> Reply:
    return Reply(
        request_id=request.request_id,
        text=tried.text,
        complete=tried.finish_reason != "length",
        prompt_tokens=tried.prompt_tokens or request.tokens,
        output_tokens=tried.output_tokens or 0,
    )


def _failed(request_id: str, number: int, status: ReplyStatus, error: str) -> ModelReply:
    return ModelReply(
        request_id=request_id,
        try_number=number,
        status=status,
        text="",
        finish_reason="",
        model="",
        digest="",
        prompt_tokens=None,
        output_tokens=None,
        seconds_to_first_token=None,
        seconds=0.0,
        error=error,
    )
