"""The shapes of secrets, as one table.

Takes: nothing. Gives: `TOKENS` (tokens with a prefix of their own) and the expressions of
`secrets`. Does not know: how they are applied.

Every expression is linear: its repeats are bounded, and those that could give characters back are
possessive. A token rule is tried only where one of its `hints` is in the data, since a plain
search for a word costs a hundredth of an expression.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

# A token begins after no letter, digit or `_`; an escaped line end and the end of a terminal
# colour are letters that do not count.
_START = rb"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf])|(?<=[0-9\[]m)|(?<=\\u[0-9a-f]{4}))"


@dataclass(frozen=True, slots=True)
class TokenRule:
    """A token of one service. `is_loose`: the shape alone proves nothing, it must look random."""

    kind: str
    hints: tuple[bytes, ...]
    body: bytes
    is_loose: bool = False

    def pattern(self) -> re.Pattern[bytes]:
        """The expression, compiled when a hint was first seen."""
        return _compiled(self.body)


@functools.cache
def _compiled(body: bytes) -> re.Pattern[bytes]:
    return re.compile(_START + body)


def _rule(kind: str, hints: tuple[bytes, ...], body: bytes, *, is_loose: bool = False) -> TokenRule:
    return TokenRule(kind, hints, body, is_loose)


TOKENS = (
    _rule("aws-key-id", (b"AKIA", b"ASIA"), rb"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _rule(
        "github-token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})",
    ),
    _rule("gitlab-token", (b"glpat-", b"glrt-", b"gldt-"), rb"gl(?:pat|rt|dt)-[\w-]{20,255}"),
    _rule("slack-token", (b"xox", b"xapp-"), rb"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{20,255}"),
    _rule(
        "slack-webhook",
        (b"hooks.slack.com/services/",),
        rb"hooks\.slack\.com/services/T[A-Z0-9]{6,20}/B[A-Z0-9]{6,20}/[A-Za-z0-9]{16,40}",
    ),
    _rule("google-key", (b"AIza",), rb"AIza[\w-]{35}(?![\w-])"),
    _rule(
        "google-oauth",
        (b"GOCSPX-", b"ya29."),
        rb"(?:GOCSPX-[\w-]{24,40}|ya29\.[\w-]{20,255})",
    ),
    _rule(
        "stripe-key",
        (b"k_live_", b"k_test_", b"whsec_"),
        rb"(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{20,255}",
    ),
    _rule("model-service-key", (b"sk-",), rb"sk-[\w-]{20,255}", is_loose=True),
    _rule("hugging-face-token", (b"hf_",), rb"hf_[A-Za-z0-9]{30,60}(?![A-Za-z0-9_])"),
    _rule("npm-token", (b"npm_",), rb"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])"),
    _rule("pypi-token", (b"pypi-AgE",), rb"pypi-AgE[\w-]{50,255}"),
    _rule("sendgrid-key", (b"SG.",), rb"SG\.[\w-]{20,24}\.[\w-]{39,50}"),
    _rule("azure-key", (b"AccountKey=",), rb"AccountKey=[A-Za-z0-9+/]{60,90}={0,2}"),
    _rule("digitalocean-token", (b"dop_v1_",), rb"dop_v1_[a-f0-9]{64}"),
    _rule("age-key", (b"AGE-SECRET-KEY-1",), rb"AGE-SECRET-KEY-1[A-Z0-9]{50,60}"),
    _rule(
        "jwt",
        (b"eyJ",),
        rb"(?<!-)eyJ[\w-]{8,400}+\.eyJ[\w-]{8,4000}+\.[\w-]{10,4000}+",
    ),
)

HINTED = tuple((hint, rule) for rule in TOKENS for hint in rule.hints)

# A block of a key: the armour alone, as in code that looks for it, is no secret.
KEY_HINT = b"PRIVATE KEY"
KEY_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
KEY_END = re.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
# What may stand between them: base64 and headers, also as lines of a string literal.
KEY_BODY = re.compile(rb"(?:[A-Za-z0-9+/=\s:,.()\"'-]|\\[nrt]){0,40000}+")
KEY_LEAST_CHARACTERS = 32
KEY_MOST_BYTES = 40_000

URL_HINT = b"://"
_URL_PART = rb"[^\s/:@\"'`<>(){}\[\]$*\\|,;]"
URL_PASSWORD = re.compile(
    rb"://(" + _URL_PART + rb"{0,100}+):(" + _URL_PART + rb"{6,255}+)@([A-Za-z0-9.\[-]{1,255})"
)
# Names that RFC 2606 keeps for documentation, where nothing can be logged in to.
RESERVED_HOST = re.compile(
    rb"(?:.*\.)?(?:example(?:\.(?:com|org|net))?|test|invalid)(?:\.)?", re.IGNORECASE
)

NETRC_HINT = b"machine "
NETRC = re.compile(
    rb"machine[ \t]{1,8}(\S{1,200}+)\s{1,20}+login[ \t]{1,8}\S{1,200}+\s{1,20}+"
    rb"password[ \t]{1,8}((?!\[secret:)[^\s\"'\\\\\x80-\xff]{3,255}+)"
)

BEARER_HINTS = (b"bearer ", b"basic ")
BEARER = re.compile(rb"(?:earer|asic|EARER|ASIC) ([A-Za-z0-9._~+/=-]{20,2000}+)")

# Words in a name that say that its value is secret. All in lower case.
NAME_WORDS = (
    b"passw", b"passphrase", b"secret", b"token", b"api_key", b"apikey", b"api-key",
    b"access_key", b"accesskey", b"private_key", b"privatekey", b"signing_key", b"encryption_key",
    b"master_key", b"account_key", b"auth_key", b"credential",
)  # fmt: skip
_VALUE = rb"[A-Za-z0-9+/=_.~!@#%^&*-]"
# What may follow such a word: the rest of the name and a sign, then a bare value; or an annotation
# as well, and a quoted value, perhaps on the next line.
_REST = rb"(?!i[sz])(?P<rest>[\w.-]{0,40}+)\\?[\"'\])]{0,3}+[ \t]{0,8}+"
ASSIGNMENTS = (
    re.compile(
        _REST + rb"[=:][ \t]{0,4}+(?P<value>" + _VALUE + rb"{16,255}+)(?=[\s;,&<\\\x1b\"']|\Z)"
    ),
    re.compile(
        _REST + rb"(?:(?::[ \t]{0,4}[\w\[\]., |]{1,40}?)?(?:={1,3}>?|:=?)[\s(\[{]{0,20}+"
        rb"|,[ \t]{0,4}+)[a-z@]{0,2}"
        rb"\\?(?P<mark>[\"'`])(?P<value>" + _VALUE + rb"{12,255}+)\\?(?P=mark)"
    ),
)
# Names that end so hold no secret but speak of one.
HARMLESS_NAME = re.compile(
    rb"(?:^|[_.-])(?:ur[il]s?|types?|names?|ids?|paths?|files?|fields?|headers?|algorithms?|formats?"
    rb"|prefix|suffix|env|vars?|variables?|class|patterns?|regex|labels?|endpoints?|length|size"
    rb"|count|hint|help|description|message|error|version|version_id|scopes?|digest|checksum|sha\d*"
    rb"|hash(?:es)?|arn|store|backend|provider|template|example)$",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    rb"example|sample|change.?me|place.?holder|dummy|your[_.-]|x{4}|\*{3}|\.{3}|test|fake|foo|insert"
    rb"|replace|redacted|1234567|abcdefg|lorem|default|undefined|localhost|not.?(?:a.?)?(?:real|secret)",
    re.IGNORECASE,
)
# Passwords of addresses in documentation and compose files that everybody shares.
COMMON_PASSWORD = re.compile(
    rb"(?:p(?:ass)?w(?:or)?d?|pass(?:wd|word)?|passwd|secret|token|user(?:name)?|admin|root|postgres"
    rb"|guest|mysql|redis|none|null|key|api_?key|12345|123456|[a-z%0-9]{0,6}(?:password|secret))\d?",
    re.IGNORECASE,
)
# One part of a value that reads as a word or a short number, so was not drawn by chance.
WORDY = re.compile(rb"[A-Za-z]?[a-z]*\d{0,4}|[A-Z]+\d{0,4}|(?:[A-Z]?[a-z]{2,}+){1,6}\d{0,4}")
PART_BORDER = re.compile(rb"[-_./:=+@#%^&*!~]+")


def _longest_word(hint: bytes) -> bytes:
    """The longest run of letters, digits and `_` in a hint: where it stands the hint may stand."""
    words: list[bytes] = re.findall(rb"\w+", hint)
    return max(words, key=len)


# The same hints with a word of each, for a search among the distinct words of a text.
CASED_PARTS = tuple((_longest_word(hint), hint) for hint in (*dict(HINTED), KEY_HINT, NETRC_HINT))
LOWER_PARTS = tuple((_longest_word(word), word) for word in NAME_WORDS)
BEARER_PARTS = tuple(_longest_word(hint) for hint in BEARER_HINTS)
