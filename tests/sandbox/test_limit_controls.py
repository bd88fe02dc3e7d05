"""Negative controls of the resource limits: without the sandbox, the same acts go through.

Each is a small, bounded form of the attack in `test_limits`, run by a bare interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def bare(code: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, check=False
    )


@pytest.mark.reliability(case=37)
def test_without_a_sandbox_memory_is_simply_given(tmp_path: Path) -> None:
    done = bare("held = bytearray(300_000_000); held[::4096] = held[::4096]; print(1)", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"1\n")


@pytest.mark.reliability(case=38)
def test_without_a_sandbox_bytes_inodes_and_sparse_files_stay_on_the_disk(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "with open('big', 'wb') as big: big.write(b'x' * 20_000_000)\n"
        "with open('sparse', 'wb') as sparse: os.ftruncate(sparse.fileno(), 1 << 33)\n"
        "for number in range(2000): open(f'f{number}', 'w').close()\n"
    )
    assert bare(code, tmp_path).returncode == 0
    assert (tmp_path / "big").stat().st_size == 20_000_000
    assert (tmp_path / "sparse").stat().st_size == 1 << 33
    assert len(os.listdir(tmp_path)) == 2002  # noqa: PTH208 - counting names only


@pytest.mark.reliability(case=39)
def test_without_a_sandbox_all_output_arrives_with_its_escapes(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(100): os.write(1, b'\\x1b]0;title\\x07' + b'y' * 100_000)\n"
    done = bare(code, tmp_path)
    assert len(done.stdout) > 10_000_000
    assert b"\x1b]0;title\x07" in done.stdout
