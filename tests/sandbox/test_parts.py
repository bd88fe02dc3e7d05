"""The small parts: frames, the output buffer, printable text, the spec, what is bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.errors import SandboxError
from clean_room_agent.sandbox import SandboxSpec, printable
from clean_room_agent.sandbox.frames import FrameReader, pack_frame
from clean_room_agent.sandbox.inside import seccomp
from clean_room_agent.sandbox.output import HeadTail
from clean_room_agent.sandbox.planning import outermost


@given(st.lists(st.binary(max_size=40)), st.integers(1, 17))
def test_frames_survive_any_cut(frames: list[bytes], size: int) -> None:
    stream = b"".join(map(pack_frame, frames))
    reader, seen = FrameReader(1000), []
    for at in range(0, len(stream), size):
        seen += reader.feed(stream[at : at + size])
    assert seen == frames and not reader.overflowed


@given(st.lists(st.binary(max_size=30)), st.integers(2, 64))
def test_head_and_tail_are_the_ends_of_the_stream(blocks: list[bytes], limit: int) -> None:
    kept, whole = HeadTail(limit), b"".join(blocks)
    for block in blocks:
        kept.add(block)
    half = limit // 2
    assert kept.head == whole[:half]
    assert kept.tail == whole[half:][-half:]
    assert kept.total_bytes == len(whole)


@pytest.mark.reliability(case=39)
def test_control_characters_are_spelled_out() -> None:
    hostile = b"a\x00b\x1b]0;title\x07\r\n\x9b31m \xe2\x80\xae \xff\tz"
    text = printable(hostile)
    assert text == "a\\x00b\\x1b]0;title\\x07\\r\n\ufffd31m \\u202e \ufffd\tz"


@pytest.mark.parametrize("hidden", ["/etc", "../x", "a/../b", "a/", ".", ".."])
def test_a_hidden_name_stays_in_the_workspace(hidden: str) -> None:
    with pytest.raises(SandboxError):
        SandboxSpec(("true",), Path("/a"), Path("/a"), {}, hide=(hidden,))


@pytest.mark.parametrize("path", ["relative", "/", "/a/../b"])
def test_only_plain_absolute_paths_are_bound(path: str) -> None:
    with pytest.raises(SandboxError):
        SandboxSpec(("true",), Path("/a"), Path("/a"), {}, files={path: b""})


def test_only_outermost_paths_are_bound(tmp_path: Path) -> None:
    for name in ("a/b", "target/c/d"):
        (tmp_path / name).mkdir(parents=True)
    names = ["a", "a/b", "target/c", "target/c/d", "target"]
    given_paths = [*(str(tmp_path / name) for name in names), "/usr/lib"]
    kept = outermost(given_paths, str(tmp_path / "target"))
    assert kept == [str(tmp_path / "a"), str(tmp_path / "target/c")]


def test_a_folder_above_the_workspace_does_not_cover_what_is_below_it(tmp_path: Path) -> None:
    (tmp_path / "target" / "venv").mkdir(parents=True)
    paths = [str(tmp_path), str(tmp_path / "target" / "venv")]
    assert outermost(paths, str(tmp_path / "target")) == paths


def test_the_filter_fits_the_kernel_and_is_absent_elsewhere() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp.build_filter(machine)
        assert program is not None and len(program) % 8 == 0 and len(program) // 8 < 4096
    assert seccomp.build_filter("riscv64") is None
