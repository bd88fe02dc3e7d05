"""Secrets that no service ever gave out, made anew from a seed, in the shapes of real ones.

Takes: a seed. Gives: `Canary`s: the secret itself and a line as people write it. They are put
together here from parts, so that no file of this repository holds a secret's shape.
Does not know: what finds them.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

LETTERS = string.ascii_letters + string.digits
BASE64 = LETTERS + "+/"
UPPER = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Canary:
    """One secret: what kind it is, its bytes, and a line of a file that holds it."""

    kind: str
    secret: str
    line: str


def draw(dice: random.Random, letters: str, count: int) -> str:
    """Draw characters; a digit and both cases are always among them where the letters allow."""
    drawn = [dice.choice(letters) for _ in range(count)]
    for place, group in enumerate((string.digits, string.ascii_lowercase, string.ascii_uppercase)):
        usable = [ch for ch in group if ch in letters]
        if usable:
            drawn[place] = dice.choice(usable)
    return "".join(drawn)


def key_block(dice: random.Random, name: str = "RSA ") -> str:
    """A block of a private key with lines of base64."""
    body = "\n".join(draw(dice, BASE64, 64) for _ in range(6))
    return f"-----BEGIN {name}PRIVATE " + f"KEY-----\n{body}\n-----END {name}PRIVATE " + "KEY-----"


def canaries(seed: int = 7) -> list[Canary]:
    """One of each kind that is promised."""
    dice = random.Random(seed)
    made: list[Canary] = []

    def add(kind: str, secret: str, line: str) -> None:
        made.append(Canary(kind, secret, line.replace("@@", secret)))

    add("aws-key-id", "AKIA" + draw(dice, UPPER, 16), 'key_id = "@@"')
    add("github-token", "ghp" + "_" + draw(dice, LETTERS, 36), "remote: @@ was used")
    add("github-token", "github_pat" + "_" + draw(dice, LETTERS, 82), "'@@'")
    add("gitlab-token", "glpat" + "-" + draw(dice, LETTERS, 20), "git clone with @@")
    add("slack-token", "xoxb" + "-" + draw(dice, LETTERS, 40), "slack(@@)")
    hook = "/".join(
        ("T" + draw(dice, UPPER, 9), "B" + draw(dice, UPPER, 9), draw(dice, LETTERS, 24))
    )
    add("slack-webhook", hook, "curl https://hooks.slack.com" + "/services/@@")
    add("google-key", "AIza" + draw(dice, LETTERS, 35), "key=@@")
    add("google-oauth", "GOCSPX" + "-" + draw(dice, LETTERS, 28), "client: @@")
    add("stripe-key", "sk" + "_live_" + draw(dice, LETTERS, 24), "charge('@@')")
    add("model-service-key", "sk" + "-proj-" + draw(dice, LETTERS, 48), "call(@@)")
    add("hugging-face-token", "hf" + "_" + draw(dice, LETTERS, 34), "login('@@')")
    add("npm-token", "npm" + "_" + draw(dice, LETTERS, 36), "//registry/:_auth=@@")
    add("pypi-token", "pypi-AgE" + draw(dice, LETTERS, 80), "upload @@")
    add("sendgrid-key", "SG" + f".{draw(dice, LETTERS, 22)}.{draw(dice, LETTERS, 43)}", "mail @@")
    add("azure-key", "AccountKey" + "=" + draw(dice, BASE64, 86) + "==", "Endpoint=x;@@;y")
    add("digitalocean-token", "dop_v1" + "_" + draw(dice, HEX, 64), "doctl @@")
    add("age-key", "AGE-SECRET" + "-KEY-1" + draw(dice, UPPER, 58), "@@")
    jwt = ".".join(("ey" + "J" + draw(dice, LETTERS, 20), "ey" + "J" + draw(dice, LETTERS, 60),
                    draw(dice, LETTERS, 43)))  # fmt: skip
    add("jwt", jwt, "cookie @@;")
    add("private-key", key_block(dice), 'KEY = """@@"""')
    add("private-key", key_block(dice, "OPENSSH "), "@@\n")
    add("url-password", draw(dice, LETTERS, 14), "postgres://app:@@" + "@db.internal:5432/main")
    add("netrc-password", draw(dice, LETTERS, 16), "machine git.internal login bob password @@")
    add("authorization", draw(dice, LETTERS, 40), "Authorization: " + "Bearer @@")
    add("assigned", draw(dice, LETTERS, 24), 'db_password = "@@"')
    add("assigned", draw(dice, LETTERS, 32), '"api_' + 'key": "@@",')
    add("assigned", draw(dice, BASE64, 40), "AWS_SECRET_ACCESS" + "_KEY=@@")
    add("assigned", draw(dice, LETTERS, 20), "client_secret: @@")
    add("assigned", draw(dice, LETTERS, 20), "TOKEN: str = (\n    '@@'\n)")
    add("assigned", draw(dice, LETTERS, 20), "env.setdefault('APP_SECRET', '@@')")
    return made
