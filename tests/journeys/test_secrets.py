"""Canary secrets in every place a repository can hold one reach no database, prompt or report."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.canaries import Canary, canaries
from tests.support.journey import BUGGY, TASK, Finished, Journey, new_journey
from tests.support.model_server import ModelServer
from tests.support.scripted_models import Competent

BY_KIND = {canary.kind: canary for canary in canaries(21)}
SOURCE, HISTORY, OUTPUT, ENVIRONMENT = (
    BY_KIND[kind] for kind in ("private-key", "github-token", "slack-token", "stripe-key")
)
DENIED, MESSAGE, TASK_TEXT = (
    BY_KIND[kind] for kind in ("google-key", "gitlab-token", "hugging-face-token")
)
PLAIN = (
    "four blue sails at noon 7"  # under a secret name in the environment; has no look of its own
)
KEEPER = f'''\
"""Keeps the key of the share ledger."""

LEDGER_KEY = """{SOURCE.secret}"""


def share_ledger_key(total: int) -> str:
    """Key for the share of a total among people."""
    return LEDGER_KEY[:total]
'''
TESTS = f"""\
from money import share, total


def test_nothing_is_lost():
    print("calling with", "{OUTPUT.secret[:12]}" + "{OUTPUT.secret[12:]}")
    assert total(share(100, 3)) == 100, "{OUTPUT.secret[:9]}" + "{OUTPUT.secret[9:]}"


def test_even():
    assert share(100, 4) == [26, 25, 25, 25] or total([1, 2]) == 3


def test_first_ones_get_more():
    assert share(5, 3) == [2, 2, 1]


def test_total():
    assert total([1, 2, 3]) == 6
"""
# A secret beside the bug: in a file that is shown, patched and kept for `cra undo`.
BESIDE = f'SERVICE_TOKEN = "{BY_KIND["assigned"].secret}"\n\n\n'
LOCK_SECONDS = 30


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(
        tmp_path,
        {"money.py": BUGGY, "test_money.py": TESTS, "README.md": "# Money\n", "keeper.py": KEEPER,
         ".env": f"SHARE_KEY={DENIED.secret}\n", "old.py": f"SHARE = '{HISTORY.secret}'\n",
         "deploy/id_rsa": SOURCE.secret},
    )  # fmt: skip
    made.commit({"old.py": "SHARE = None\n"}, f"Share no token {MESSAGE.secret} any more")
    made.ok("init", "--offline")
    return made


def everything(journey: Journey) -> bytes:
    found = [p.read_bytes() for p in (journey.root / ".clean_room").rglob("*") if p.is_file()
             and "worktrees" not in p.parts]  # fmt: skip
    with closing(sqlite3.connect(journey.root / ".clean_room" / "raw.sqlite")) as raw:
        for encoding, data in raw.execute("SELECT encoding, data FROM blobs"):
            found.append(zlib.decompress(data) if encoding == "zlib" else data)
    found += [text.encode("utf-8", "surrogateescape") for text in _texts(journey.root)]
    return b"\0".join(found)


def _texts(root: Path) -> list[str]:
    """Every text of the index, also those that are stored split over pages."""
    with closing(sqlite3.connect(root / ".clean_room" / "curated.sqlite")) as curated:
        tables = [
            row[0]
            for row in curated.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%'"
            )
        ]
        return [str(cell) for table in tables for row in curated.execute(f"SELECT * FROM {table}")
                for cell in row if isinstance(cell, str)]  # fmt: skip


def parts_of(secret: str) -> list[str]:
    """A key block is looked for line by line; in lower case as well, as search keeps words."""
    lines = [line for line in secret.split("\n") if "-----" not in line]
    return [*lines, *(re.split(r"[^a-z0-9_]", max(lines, key=len).lower()))]


def leaks(data: bytes, *secrets: Canary) -> list[str]:
    return [f"{c.kind}: {part}" for c in secrets for part in parts_of(c.secret)
            if len(part) > 11 and part.encode() in data]  # fmt: skip


def run(journey: Journey, *words: str) -> Finished:
    return journey.cra(*words, env={"LEDGER_PASSWORD": PLAIN, "STRIPE": ENVIRONMENT.secret})


PLANTED = (SOURCE, HISTORY, OUTPUT, ENVIRONMENT, DENIED, MESSAGE, TASK_TEXT)


@pytest.mark.reliability(91)
def test_no_canary_reaches_a_database_a_prompt_or_the_screen(journey: Journey) -> None:
    task = f"{TASK} The key of the share ledger is {TASK_TEXT.secret} and {PLAIN}"
    shown = run(journey, "context", task, "--prompt")
    assert shown.code == 0, shown.stderr
    solved = run(journey, "solve", task, "--test", "pytest -q", "--json")
    assert solved.code == 0, solved.stderr
    said = [shown, solved]
    said += [run(journey, *words) for words in (
        ("trace", "last", "--json"), ("trace", "last"), ("runs", "--json"), ("why", "keeper.py"),
        ("why", ".env"), ("doctor", "--json"), ("config", "show", "--json", "--origin"),
        ("verify",), ("search", "share ledger key", "--json"))]  # fmt: skip
    printed = "\0".join(f"{one.stdout}\0{one.stderr}" for one in said).encode()
    assert leaks(printed, *PLANTED) == []
    assert PLAIN.encode() not in printed
    data = everything(journey)
    assert leaks(data, *PLANTED) == []
    assert PLAIN.encode() not in data
    # Negative control: the search for leaks does see what is kept beside them.
    assert b"share_ledger_key" in data
    assert b"[secret:hugging-face-token]" in data
    assert b"[secret:slack-token" in data
    assert run(journey, "verify").code == 0


@pytest.mark.reliability(91)
def test_an_item_with_a_secret_is_left_out_whole_and_why_says_so(journey: Journey) -> None:
    document = journey.ok("context", "the share ledger key in keeper.py is wrong", "--all")
    about = [d for d in document["decisions"] if d["path"] == "keeper.py"]
    withheld = [d for d in about if "what looks like a secret: private-key" in d["reason"]]
    assert withheld
    assert all(d["verdict"] == "excluded" for d in withheld)
    assert not any("LEDGER_KEY = " in f["text"] for f in document["fragments"])
    told = journey.cra("why", "keeper.py")
    assert "holds what looks like a secret: private-key at line" in told.stdout
    # Negative control: without the secret the same words let the same item in.
    journey.commit({"keeper.py": KEEPER.replace(SOURCE.secret, "nothing")})
    document = journey.ok("context", "the share ledger key in keeper.py is wrong")
    assert any("LEDGER_KEY" in f["text"] for f in document["fragments"])


@pytest.mark.reliability(91)
def test_a_key_file_is_listed_with_a_reason_and_no_setting_shows_it(journey: Journey) -> None:
    journey.commit({".craignore": "!.env\n!deploy/id_rsa\n", ".gitignore": "!.env\n"})
    document = journey.ok("context", "SHARE_KEY in .env and deploy/id_rsa is wrong", "--all")
    assert not {".env", "deploy/id_rsa"} & {d["path"] for d in document["decisions"]}
    for path in (".env", "deploy/id_rsa"):
        told = journey.cra("why", path)
        assert "it was not read into the index: secret file name" in told.stdout, told
    # Negative control: under a plain name the same bytes are a file like any other.
    journey.commit({"env.txt": f"SHARE_KEY={DENIED.secret}\n"})
    journey.ok("index")
    assert "not read into the index" not in journey.cra("why", "env.txt").stdout


@pytest.mark.reliability(91)
def test_the_users_own_bytes_come_back_exactly(journey: Journey) -> None:
    """A secret in the file that is mended: apply and undo keep it, the prompt does not see it."""
    journey.commit({"money.py": BESIDE + BUGGY})
    before = (journey.root / "money.py").read_bytes()
    solved = journey.ok("solve", TASK, "--test", "pytest -q")
    assert solved["status"] == "solved"
    journey.ok("apply", "last")
    mended = (journey.root / "money.py").read_bytes()
    assert BESIDE.encode() in mended
    assert mended != before
    journey.ok("undo")
    assert (journey.root / "money.py").read_bytes() == before
    assert journey.cra("verify").code == 0


MODELS = '[reasoning]\nmodel = "tiny"\n[coding]\nmodel = "tiny"\n'


def configure(journey: Journey, url: str, *more: str) -> None:
    lines = "\n".join(('backend = "openai"', f'base_url = "{url}"', "retries = 0",
                       "context_tokens = 8192", "connect_seconds = 0.5", *more))  # fmt: skip
    place = journey.root / ".clean_room" / "config.toml"
    place.write_text(f"[models]\n{lines}\n{MODELS}")


@pytest.mark.reliability(95)
def test_a_key_goes_to_the_server_alone_and_is_shown_nowhere(journey: Journey) -> None:
    key = BY_KIND["model-service-key"].secret
    model = Competent({"money.py": BUGGY}, {"money.py": BUGGY.replace("<= rest", "< rest")})
    told = []
    with ModelServer("openai", model) as server:
        configure(journey, server.base_url, 'api_key_variable = "LEDGER_KEY"')
        for verb in (["config", "show", "--json"], ["doctor", "--json"], ["context", TASK]):
            done = journey.cra(*verb, env={"LEDGER_KEY": key, "CRA_DEBUG": "1"})
            told.append(done.stdout + done.stderr)
        sent = [header for headers in server.headers for header in headers.values()]
    # A server that is gone: the error, its traceback and the log hold the key as little.
    gone = journey.cra("context", TASK, env={"LEDGER_KEY": key, "CRA_DEBUG": "1"})
    assert gone.code == 4
    assert "Traceback" in gone.stderr
    told.append(gone.stdout + gone.stderr)
    assert any(key in header for header in sent)  # control: it is the key that was used
    assert not any(key in text for text in told)
    assert any("LEDGER_KEY" in text for text in told)
    assert key.encode() not in everything(journey)
    refused = journey.cra("config", "show", "-c", f"models.api_key_variable={key}", "--json")
    assert refused.code == 3
    assert key not in refused.stdout + refused.stderr


@pytest.mark.reliability(92)
@pytest.mark.reliability(90)
def test_a_host_outside_needs_to_be_listed_and_consented_to(journey: Journey) -> None:
    """192.0.2.1 reaches nobody: let through, the call ends with the code of an absent server."""
    url, listed = "http://192.0.2.1:9/v1", 'allowed_hosts = ["192.0.2.1"]'
    consent = 'consent = ["192.0.2.1"]'
    codes = []
    for lines in ((), (listed,), (consent,), (listed, consent)):
        configure(journey, url, *lines)
        codes.append(journey.cra("context", TASK).code)
    assert codes == [3, 3, 3, 4]


@pytest.mark.reliability(91)
@pytest.mark.reliability(95)
def test_the_title_and_arguments_of_no_child_hold_a_key(journey: Journey) -> None:
    """What another user of the machine sees in the list of processes while tests run."""
    key = BY_KIND["stripe-key"].secret
    journey.commit({"test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(1.5)\n"})
    child = subprocess.Popen(
        [sys.executable, "-m", "clean_room_agent", "solve", TASK, "--test", "pytest -q"],
        cwd=journey.root, env=journey.environment(STRIPE_API_KEY=key),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seen: set[bytes] = set()
    inherited: set[bytes] = set()
    end = time.monotonic() + LOCK_SECONDS
    while child.poll() is None and time.monotonic() < end:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                seen |= {(place / "cmdline").read_bytes(), (place / "comm").read_bytes()}
                if int(place.name) != child.pid:
                    holds_key = key.encode() in (place / "environ").read_bytes()
                    inherited |= {(place / "cmdline").read_bytes()} if holds_key else set()
            except OSError:
                continue
        time.sleep(0.05)
    assert child.wait(timeout=30) == 0
    assert any(b"clean_room_agent" in line for line in seen)
    assert not any(key.encode() in line for line in seen)
    # Only our own workers have the environment of this program; no test and no git has it.
    ours = (b"clean_room_agent", b"multiprocessing")
    assert all(any(word in line for word in ours) for line in inherited), inherited


@pytest.mark.reliability(91)
def test_a_denied_file_that_the_task_names_is_told_with_its_reason(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    (journey.root / "credentials.json").write_text('{"key": "value"}\n', "utf-8")
    done = journey.cra("context", "credentials.json is not read in money.py")
    assert done.code == 0
    told = [line for line in done.stdout.splitlines() if "not in the index" in line]
    assert any("credentials.json (" in line for line in told), done.stdout
