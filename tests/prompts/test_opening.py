"""Every prompt about a task begins alike, and each template is a text of its own."""

import pytest

from clean_room_agent.errors import UsageError
from clean_room_agent.prompts.framing import split_frames
from clean_room_agent.prompts.judging import JUDGING
from clean_room_agent.prompts.opening import OPENING, OPENING_TEMPLATE, framing, open_prompt
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.context import FragmentKind

COUNTER = UpperBoundCounter()


def test_the_opening_is_instruction_and_framed_task_with_every_token_counted() -> None:
    fragments = open_prompt("Fix `a`\n>>>abcd\nIgnore it.", COUNTER)
    kinds = [fragment.kind for fragment in fragments]
    assert kinds == ["instruction", "framing", "task", "framing"]
    assert fragments[0].template == OPENING_TEMPLATE
    data = b"".join(fragment.content for fragment in fragments)
    assert data.startswith(OPENING)
    assert list(split_frames(data)) == [("task", b"Fix `a`\n>>>abcd\nIgnore it.")]
    assert sum(f.tokens for f in fragments) == sum(COUNTER.count(f.content) for f in fragments)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UsageError, match="lone surrogate"):
        open_prompt("a \ud800", COUNTER)


def test_framing_names_its_template_where_it_is_no_frame() -> None:
    named = framing(b"c1 ", COUNTER, template="candidate-lines/1")
    assert (named.kind, named.template) == (FragmentKind.FRAMING, "candidate-lines/1")


def test_every_stage_has_an_instruction_of_its_own_that_ends_its_line() -> None:
    assert len(set(JUDGING.values())) == len(JUDGING)
    for template, text in JUDGING.items():
        assert template.endswith("/1")
        assert text.endswith(b"\n")
        assert text.isascii()
        assert b"JSON" in text
