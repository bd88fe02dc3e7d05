"""What does not print is spelled out; everything else stays as it is."""

from __future__ import annotations

import pytest

from clean_room_agent.records.spelling import one_line, spell_out

SPELLED = {
    "line break": ("a\nb\r\n", r"a\nb\r\n"),
    "terminal": ("\x1b[2J\x07\x9b", r"\x1b[2J\x07\x9b"),
    "bidi": ("\u202ea\u2066", r"\u202ea\u2066"),
    "separator": ("a\u2028b\u2029", r"a\u2028b\u2029"),
    "invisible tag": ("\U000e0041", r"\U000e0041"),
    "blank that looks like another": ("a\u00a0b", r"a\xa0b"),
    "byte that is no UTF-8": ("caf\udce9", r"caf\xe9"),
    "half a character": ("\ud800", r"\ud800"),
}


@pytest.mark.parametrize(("text", "shown"), SPELLED.values(), ids=SPELLED.keys())
def test_what_does_not_print_is_spelled_out(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert shown.isprintable()
    assert not text.isprintable()  # control: as it came, it would not show


@pytest.mark.parametrize("text", ["", "plain \\n", "größer 漢字 ‰", "👍"])
def test_letters_and_marks_of_every_language_stay(text: str) -> None:
    assert one_line(text) == text


def test_only_what_is_named_is_kept() -> None:
    assert spell_out("a\tb\n\r\x1b", keep="\n\t") == "a\tb\n\\r\\x1b"
