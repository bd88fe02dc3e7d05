"""A real llama.cpp server as a process of its own, for tests of what talks to one.

Takes: a GGUF file, or a `TinyModel`. Gives: `python -m tests.support.real_server MODEL`, which
prints its address and serves until it is ended, and `running`, which starts, polls and kills one.
Does not know: any transport of ours.

Seen of this server (llama.cpp inside xllamacpp 2026.10), and relied on by the tests:
- it serves /health, /v1/models, /props, /slots, /tokenize, /apply-template, /lora-adapters,
  /v1/chat/completions and /v1/chat/completions/input_tokens;
- `response_format` with `json_schema` and `strict` binds the answer; a stream ends with one chunk
  of usage when `stream_options.include_usage` asks for it, and then `[DONE]`;
- any model name is answered with the one model there is, under that model's own name;
- a prompt that does not fit is refused: 400, type `exceed_context_size_error`; the context given
  here is one slot's, and the answer's tokens are not set aside in it: an answer that reaches the
  end of the slot stops with `length`;
- adapters are chosen per request with `"lora": [{"id": 0, "scale": 1.0}]`. A request that names
  none gets the scale the adapter was loaded with: 0 here;
- text that spells a special token, such as `<|im_end|>`, becomes that token inside a message.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import xllamacpp

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RealServer:
    """A server that answers."""

    address: str
    pid: int

    def memory(self) -> int:
        """Bytes of resident memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


@contextlib.contextmanager
def running(
    model: Path,
    *,
    adapters: Sequence[Path] = (),
    alias: str = "tiny",
    context: int = 8192,
    slots: int = 2,
    api_key: str = "",
) -> Iterator[RealServer]:
    """Start a server, wait until it answers, and kill it at the end."""
    command = [sys.executable, "-m", "tests.support.real_server", str(model), "--until-eof"]
    command += ["--alias", alias, "--context", str(context), "--slots", str(slots)]
    command += [word for path in adapters for word in ("--adapter", str(path))]
    command += ["--api-key", api_key] if api_key else []
    # What ran in this process before may have set PYTHONSAFEPATH, which leaves out the folder.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, f"the server did not start (exit code {process.poll()})"
        _wait_until_healthy(address)
        yield RealServer(address, process.pid)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _wait_until_healthy(address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health").status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError(f"{address} did not become healthy in {START_SECONDS} seconds")


def start(options: argparse.Namespace) -> xllamacpp.Server:
    """Load the model into this process and listen on the loopback address."""
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = options.context * options.slots
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_threads_http = options.slots + 2
    params.api_keys = [options.api_key] if options.api_key else []
    params.lora_adapters = [
        xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in options.adapter
    ]
    params.fit_params = False
    params.warmup = False
    params.ui = False
    params.verbosity = -1
    return xllamacpp.Server(params)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="real_server", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--adapter", type=Path, action="append", default=[])
    parser.add_argument("--alias", default="tiny")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--context", type=int, default=8192, help="tokens of each slot")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    server = start(options)
    print(server.listening_address, flush=True)
    if options.until_eof:
        sys.stdin.read()
    else:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    # Nothing here is worth an orderly end, and one waits for answers under way.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
