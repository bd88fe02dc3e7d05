"""What counts as a secret: each promised kind is found to the byte, and ordinary text is not."""

from __future__ import annotations

import itertools
import random
import re
import time
from collections import Counter

import pytest

from clean_room_agent.redaction import (
    Found,
    blank,
    may_hold_secret,
    rules,
    secret_spans,
    telling_words,
)
from clean_room_agent.redaction.known import known_spans, secret_values
from clean_room_agent.redaction.secrets import is_random
from tests.support.canaries import BASE64, LETTERS, Canary, canaries, draw, key_block

ALL = canaries()


def ids(canary: Canary) -> str:
    return f"{canary.kind}:{canary.line[:18]!r}"


@pytest.mark.reliability(91)
@pytest.mark.parametrize("canary", ALL, ids=ids)
@pytest.mark.parametrize("frame", ["@@", "x = 1\n@@\ny = 2\n", "\x1b[31m@@\x1b[0m", "a\\n@@\\n"])
def test_each_kind_is_found_and_covered_whole(canary: Canary, frame: str) -> None:
    data = frame.replace("@@", canary.line).encode()
    found = secret_spans(data)
    assert found, data
    assert canary.secret.encode() not in blank(data, found)
    kinds = {hit.kind for hit in found}
    assert canary.kind in kinds or kinds == {"assigned"}, kinds


@pytest.mark.parametrize("seed", range(40))
def test_other_secrets_of_the_same_shapes_are_found_as_well(seed: int) -> None:
    missed = [c.line for c in canaries(seed) if not secret_spans(c.line.encode())]
    # A drawn value may hold a word by chance ("test", "foo"), which then speaks for a placeholder.
    assert len(missed) <= 1, missed


def test_hits_are_in_order_and_never_overlap() -> None:
    data = "\n".join(c.line for c in ALL).encode()
    found = secret_spans(data)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert len(found) >= len(ALL)


ORDINARY = [
    "token = tokens[index + 1]",
    'password = getpass.getpass("password: ")',
    'secret = os.environ["APP_SECRET"]',
    'api_key = "your-api-key-here-1234567890"',
    'api_key: str = "changeme-changeme-1"',
    'TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"',
    'TOKEN_URL = "https://login.internal/oauth2/v2.0/token"',
    'token_pattern = r"[A-Za-z0-9_]{20,40}"',
    'password_hash_algorithm = "pbkdf2_sha256_870000"',
    'secret_name = "projects/1234/secrets/db/versions/3"',
    'tokenizer = "Qwen/Qwen2.5-Coder-1.5B-Instruct"',
    'raise ValueError("invalid token: expected a name")',
    "https://user:password@example.com/path",
    "postgres://postgres:postgres@localhost/app",
    "redis://:%s@%s:%d/0",
    "http://[::1]:8080/index.html#a@b",
    'if "-----BEGIN PRIVATE ' + 'KEY-----" in text:',
    'AWS_EXAMPLE = "AKIA' + 'IOSFODNN7EXAMPLE"',
    'sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
    'css = "sk-toggleable__content-arrow fitted sk-estimator-doc-link"',
    "machine learning login page password reset",
    "basic authentication_of_users_with_names",
    'publicKeyToken="b77a5c561934e089"',
    'data = "' + "QUJD" * 40 + '"',
    "commit 4f2a9e0c6d1b8f7a5c3e2d1f0a9b8c7d6e5f4a3b",
    'TOKENS = ["identifier", "number_literal_1", "string_literal_2"]',
]


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_text_is_no_secret(line: str) -> None:
    assert secret_spans(line.encode()) == ()


@pytest.mark.parametrize("cut", ["head", "tail"])
def test_a_key_whose_other_half_was_cut_off_is_found(cut: str) -> None:
    block = key_block(random.Random(3))
    middle = len(block) // 2
    data = (f"log\n{block[:middle]}" if cut == "head" else f"{block[middle:]}\nlog\n").encode()
    hidden = blank(data, secret_spans(data))
    assert hidden.strip() == b"log"


def test_blanks_move_no_byte_and_no_line() -> None:
    data = "\n".join(c.line for c in ALL).encode()
    clean = blank(data, secret_spans(data))
    assert len(clean) == len(data)
    assert [len(line) for line in clean.split(b"\n")] == [len(line) for line in data.split(b"\n")]


def test_the_line_of_a_hit_counts_from_one() -> None:
    assert Found("jwt", 4, 6).line_in(b"a\nb\nc") == 3


def test_a_value_must_look_drawn_by_chance() -> None:
    dice = random.Random(11)
    assert all(is_random(draw(dice, LETTERS, 24).encode()) for _ in range(50))
    words = (b"correct-horse-battery-staple", b"RefreshTokenExpired2", b"aaaaaaaa11111111AAAA",
             b"session_token_version_12", b"sha512-based-signature", b"1234567890123")  # fmt: skip
    assert not any(is_random(word) for word in words)


@pytest.mark.reliability(91)
@pytest.mark.reliability(80)
@pytest.mark.parametrize(
    "piece",
    [
        b"ghp_", b"sk-", b"eyJ", b"0meyJ", b"eyJaaaaaaaa.", b"-----BEGIN PRIVATE " + b"KEY-----\n",
        b"-----END PRIVATE " + b"KEY-----\n", b"://", b"://a:", b"://a:bbbbbb", b"machine a login ",
        b"password=", b'token="', b"secret:x,", b"bearer ", b"api_key" + b"\t" * 8, b"a1B2", b"'",
        b"AAAA=", b"xoxb-", b"token\x1b[0m", b'password: str|str|str|', b"aA", b"a-", b"secret=aA1",
    ],
)  # fmt: skip
def test_no_repeat_of_anything_takes_long(piece: bytes) -> None:
    """The time for 400 kB is bounded; four times as much takes no more than some ten times."""
    data = piece * (400_000 // len(piece))
    start = time.process_time()
    secret_spans(data)
    assert time.process_time() - start < 3.0


@pytest.mark.reliability(91)
def test_what_the_environment_holds_under_a_secret_name_is_known() -> None:
    plain = "blue horse 7 sails"  # no rule could tell it from text
    values = secret_values({
        "MY_API_KEY": plain, "DB_PASSWORD": "hunter22", "CI_TOKEN": "short", "PWD": "/srv/app/here",
        "OLDPWD": "/srv/app/there", "SECRET_PATH": "/run/secrets/x", "KEYBOARD": "us-intl-1234",
        "EDITOR": "vim-secret-1", "GITHUB_PAT": "abc-def-123", "MODE_TOKEN": "production",
    })  # fmt: skip
    assert set(values) == {plain.encode(), b"hunter22", b"abc-def-123"}
    data = f"one {plain} two {plain}".encode()
    assert secret_spans(data) == ()
    assert blank(data, known_spans(data, values)).split() == [b"one", b"two"]


def test_base64_of_any_length_is_no_token_by_itself() -> None:
    dice = random.Random(5)
    data = ('x = "' + "".join(dice.choice(BASE64) for _ in range(20_000)) + '"').encode()
    assert secret_spans(data) == ()


def _parts(data: bytes) -> Counter[bytes]:
    """The words of a text, as whoever counts them cuts them."""
    return Counter(re.findall(rb"[\w\x80-\xff]+", data))


@pytest.mark.reliability(91)
@pytest.mark.parametrize("canary", ALL, ids=ids)
def test_the_words_of_a_text_never_rule_out_a_secret(canary: Canary) -> None:
    data = f"x = 1\n{canary.line}\ny = 2\n".encode()
    assert secret_spans(data)
    assert may_hold_secret(data, telling_words(_parts(data)))


def test_plain_code_is_ruled_out_by_its_words() -> None:
    plain = b"def area(width, height):\n    return width * height\n"
    assert not telling_words(_parts(plain))
    assert not may_hold_secret(plain, telling_words(_parts(plain)))


def test_every_rule_has_a_word_to_be_found_by() -> None:
    hints = {hint for _, hint in (*rules.CASED_PARTS, *rules.LOWER_PARTS)}
    assert {hint for hint, _ in rules.HINTED} | set(rules.NAME_WORDS) <= hints
    assert all(part in hint for part, hint in (*rules.CASED_PARTS, *rules.LOWER_PARTS))
