"""What every test starts from: Ctrl-C means what it means at a terminal."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    # Started in the background, a shell hands down SIGINT as ignored, and children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
