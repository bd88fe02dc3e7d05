"""What a logged run's models said and counted, ready to be used again.

Takes: the log and the ids of runs. Gives: a `Recording`: answers for `RecordedTransport`, what the
server said of each model, and the counters of those runs.
Does not know: verbs, or what is compared afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.errors import ConfigError, ModelCallError, StoreError
from clean_room_agent.llm.count_keeper import COUNTED
from clean_room_agent.llm.counters import (
    CALIBRATED,
    CalibratedCounter,
    TokenizerCounter,
    factor_of,
)
from clean_room_agent.llm.transports.scripted import Key, Recorded, wire_sha256
from clean_room_agent.llm.wire import Final, ServedModel
from clean_room_agent.prompts.tokens import TokenCounter, UpperBoundCounter
from clean_room_agent.records.calls import LoggedRequest, ModelChoice, ModelReply, ReplyStatus
from clean_room_agent.records.log import Event
from clean_room_agent.store.raw_reader import RawReader

SERVED = "model.served"
TOKENIZER, SERVER = "tokenizer:", "server:"
# These came with a whole answer, which is judged again when it is used again.
_WITH_ANSWER = frozenset({ReplyStatus.OK, ReplyStatus.TRUNCATED})
# These say nothing of the server: we gave the call up.
_GIVEN_UP = frozenset({ReplyStatus.CANCELLED, ReplyStatus.DIVERGED})


class LoggedCounter:
    """Looks up what a server counted in a logged run; it cannot count anything new."""

    def __init__(self, name: str, counts: Mapping[str, int]) -> None:
        self.name = name
        self._counts = counts

    def count(self, data: bytes) -> int:
        """Return the logged count.

        Raises:
            ModelCallError: this text was not counted in the logged run, so the run is another one.
        """
        if not data:
            return 0
        sha256 = wire_sha256(data.decode("utf-8", "replace"))
        if sha256 not in self._counts:
            raise ModelCallError(
                "a text was to be counted that the logged run never counted",
                where=f"{self.name}, sha256 {sha256[:16]}",
                hint="the repository or the program changed since",
            )
        return self._counts[sha256]


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that models gave in one run, or in a run and those that it resumed."""

    answers: tuple[Recorded, ...]
    served: Mapping[str, ServedModel]
    counters: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    other_counter: str = ""

    def counter(self, choice: ModelChoice, *, live: bool = False) -> TokenCounter | None:
        """Return the counter that the run used for a model; None where it counted nothing.

        With a `live` server behind it, what that server counted is asked of it again.

        Raises:
            ConfigError: it needs a tokenizer file that is not the one configured now.
        """
        name = self.counters.get(choice.model, self.other_counter)
        if not name or (live and name.startswith(SERVER)):
            return None
        return _counter(name, choice, self.counts)


def read_recording(reader: RawReader, run_ids: Sequence[str], *, faults: bool) -> Recording:
    """Read what was answered in `run_ids`; with `faults`, also every try that failed.

    An answer that several of the runs hold, one having reused it from another, counts once.
    """
    merged: dict[Key, list[Recorded]] = {}
    served: dict[str, ServedModel] = {}
    counters: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    others: set[str] = set()
    for run_id in run_ids:
        requests = reader.read_requests(run_id=run_id)
        mine: dict[Key, list[Recorded]] = {}
        for request in requests:
            counters.setdefault(_model_of(request), request.counter)
            for record in _records(reader, request, faults=faults):
                mine.setdefault(record.key, []).append(record)
        for key, records in mine.items():
            if len(records) > len(merged.get(key, ())):
                merged[key] = records
        _read_served(reader.read_events(run_id=run_id, kind=SERVED), served)
        _read_counts(reader, run_id, requests, counts)
        others |= _package_counters(reader, run_id)
    others -= {*counters.values(), UpperBoundCounter().name}
    answers = tuple(record for records in merged.values() for record in records)
    return Recording(answers, served, counters, counts, others.pop() if len(others) == 1 else "")


def _records(reader: RawReader, request: LoggedRequest, *, faults: bool) -> list[Recorded]:
    """Return the tries of a call that may be used again, in order."""
    replies = [logged.reply for logged in reader.read_replies(request.request_id)]
    wanted = [r for r in replies if r.status not in _GIVEN_UP] if faults else []
    wanted = wanted or [r for r in replies[-1:] if r.status is ReplyStatus.OK]
    if not wanted:
        return []
    sampling = request.choice["sampling"]
    if not isinstance(sampling, Mapping):
        raise StoreError(f"the choice of {request.request_id} is damaged", hint="cra verify")
    text = reader.read_blob(request.prompt_sha256).decode("utf-8", "replace")
    return [
        Recorded(
            model=_model_of(request),
            adapter=str(request.choice["adapter"]),
            seed=int(sampling["seed"]),
            prompt_sha256=wire_sha256(text),
            text=reply.text,
            final=_final(reply),
            fault=None if reply.status in _WITH_ANSWER else reply.status,
            error=reply.error,
        )
        for reply in wanted
    ]


def _final(reply: ModelReply) -> Final:
    return Final(
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        output_tokens=reply.output_tokens,
        model=reply.model,
        digest=reply.digest,
    )


def _model_of(request: LoggedRequest) -> str:
    return str(request.choice["model"])


def _read_served(events: Sequence[Event], served: dict[str, ServedModel]) -> None:
    for event in events:
        found = event.data["served"]
        if isinstance(found, Mapping):
            name = str(found["name"])
            window = found["context_tokens"]
            served[name] = ServedModel(
                name,
                int(window) if window is not None else None,
                str(found["digest"]),
                tuple(str(adapter) for adapter in found["adapters"]),
                str(found["detail"]),
            )


def _read_counts(
    reader: RawReader,
    run_id: str,
    requests: Sequence[LoggedRequest],
    counts: dict[str, dict[str, int]],
) -> None:
    """Gather each count by a server: those logged at the run's end, and those of its prompts."""
    for event in reader.read_events(run_id=run_id, kind=COUNTED):
        found = event.data["counts"]
        if isinstance(found, Mapping):
            known = counts.setdefault(f"{SERVER}{event.data['model']}", {})
            known.update({str(sha256): int(count) for sha256, count in found.items()})
    for request in requests:
        if request.counter.startswith(SERVER):
            known = counts.setdefault(request.counter, {})
            for fragment, _ in reader.read_prompt_fragments(request.request_id):
                known[_wire_name(reader, fragment.content_sha256)] = fragment.tokens


def _wire_name(reader: RawReader, content_sha256: str) -> str:
    """Return the name of a content as a server would have got it: bytes that are text keep it."""
    content = reader.read_blob(content_sha256)
    text = content.decode("utf-8", "replace").encode()
    return content_sha256 if text == content else hashlib.sha256(text).hexdigest()


def _package_counters(reader: RawReader, run_id: str) -> set[str]:
    tasks = reader.read_tasks(run_id=run_id)
    return {p.counter for t in tasks for p in reader.read_packages(t.task.task_id)}


def _counter(
    name: str, choice: ModelChoice, counts: Mapping[str, Mapping[str, int]]
) -> TokenCounter:
    if name == UpperBoundCounter().name:
        return UpperBoundCounter()
    if name.startswith(CALIBRATED):
        return CalibratedCounter(factor_of(name))
    if name.startswith(SERVER):
        return LoggedCounter(name, counts.get(name, {}))
    if not name.startswith(TOKENIZER):
        raise StoreError(f"the log names a counter of no known kind: {name}", hint="cra verify")
    if not choice.tokenizer:
        raise ConfigError(
            f"the run counted with {name}, and no tokenizer is configured",
            where=f"[{choice.role}] tokenizer",
            hint="set it to the tokenizer.json of that run",
        )
    counter = TokenizerCounter(Path(choice.tokenizer))
    if counter.name != name:
        raise ConfigError(
            f"the tokenizer is not the one of the logged run: {counter.name}, not {name}",
            where=choice.tokenizer,
            hint="put the file of that run back",
        )
    return counter
