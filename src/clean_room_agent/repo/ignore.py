"""Decides which paths nobody may read: git's ignore files, `.craignore`, and names of key files.

Takes: repository-relative paths and the places of ignore files. Gives: reasons.
Does not know: contents. Does not guard against a secret inside an ordinarily named file;
`redaction` does that.

`.craignore` has the syntax and nesting of `.gitignore`; git itself judges it, in a private tree
that holds nothing but those files, so there is no second implementation to differ.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.safe_read import read_regular
from clean_room_agent.repo.shadow import Shadow, command, environment

OWN_IGNORE_FILE = ".craignore"
OWN_DIRECTORY = ".clean_room"
SECRET_REASON = "secret file name"

_IGNORE_FILE_BYTES = 1 << 20

# Names that hold keys and tokens by long convention. No setting relaxes this list.
_SECRET_NAMES = (
    r"\.env(?:[._-](?!example$|sample$|template$|dist$|defaults$).+)?|.+\.env|\.dev\.vars(?:\..+)?",
    r"\.envrc|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.dockercfg|\.npmrc|\.pypirc",
    r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[._-](?!pub$).*)?",
    r".+\.(?:pem|p12|pfx|p8|pkcs12|jks|bks|keystore|key|ppk|kdbx?|asc|gpg|ovpn|mobileprovision)",
    r".+\.(?:agekey|kubeconfig)|kubeconfig|\.htdigest|\.terraformrc|terraform\.rc|rclone\.conf",
    r"\.git-credentials|\.vault[-_]pass(?:word)?|\.vault-token|\.boto|\.s3cfg|\.?credentials",
    r"[\w.-]*credentials?[\w.-]*\.(?:json|ya?ml|toml|ini|csv|xml|cfg|conf|properties|db)",
    r"(?:client_secret|service[-_]account).*\.json|application_default_credentials\.json",
    r"\.?secrets?(?:\.[\w-]+)?\.(?:ya?ml|json|toml|ini|env|properties)|local\.settings\.json|terraform\.tfstate(?:\.backup)?|.+\.tfvars",
    r"\.bash_history|\.zsh_history|\.python_history|\.psql_history",
)
_SECRET_PLACES = (
    r"\.(?:ssh|gnupg|password-store)/.*|\.aws/(?:config|credentials)|\.kube/config",
    r"\.config/(?:gh/hosts\.yml|gcloud/.*)|\.docker/config\.json|\.azure/(?:accesstokens|msal_token_cache).*",
)
_SECRET = re.compile(
    rf"(?:.*/)?(?:{'|'.join((*_SECRET_PLACES, *_SECRET_NAMES))})",
    re.IGNORECASE | re.DOTALL,
)
# A cheap test that every secret name passes; it spares most paths the expression above.
_HINT = re.compile(
    r"\.(?:env|netrc|pgpass|my|htp|docker|npmrc|pypirc|pem|p12|pfx|p8|pkcs|jks|bks|key|ppk|kdb|asc"
    r"|gpg|ovpn|mob|age|git-|vault|boto|s3|tfvars|bash_|zsh_|python_|psql_|ssh|gnu|aws|azure|kube"
    r"|pass|dev\.vars|config/g)"
    r"|_netrc|id_|credential|secret|service|terraform|kubeconfig|rclone|local\.settings",
    re.IGNORECASE,
)


def is_secret_name(path: str) -> bool:
    """Whether `path` is named like a key, token or credential file."""
    return _HINT.search(path) is not None and _SECRET.fullmatch(path) is not None


def find_user_excludes(environ: Mapping[str, str]) -> Path | None:
    """Return the user's global exclude file, if there is one, as git would find it.

    Only the user's own and the system's configuration are asked, never a repository's.
    """
    home = environ.get("HOME", "")
    config_home = environ.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
    places = [Path("/etc/gitconfig")]
    places += [Path(config_home, "git", "config")] if config_home else []
    places += [Path(home, ".gitconfig")] if home else []
    if any(_may_name_excludes(place) for place in places):
        named = _ask_user_config(environ)
        if named:
            return Path(named) if Path(named).is_file() else None
    standard = Path(config_home, "git", "ignore")
    return standard if config_home and standard.is_file() else None


def _may_name_excludes(config: Path) -> bool:
    # The user may well link these files; they are the user's own, so links are followed.
    try:
        text = config.read_bytes().lower()
    except OSError:
        return False
    return b"excludesfile" in text or b"include" in text


def _ask_user_config(environ: Mapping[str, str]) -> str:
    kept = environment({"GIT_DIR": "/dev/null/none"})
    for key in ("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_GLOBAL"):
        del kept[key]
    kept |= {key: environ[key] for key in ("HOME", "XDG_CONFIG_HOME") if key in environ}
    asked = shell.run(
        command(("config", "--includes", "--type=path", "-z", "--get", "core.excludesFile")),
        cwd=Path("/"),
        env=kept,
        timeout_seconds=30.0,
    )
    return os.fsdecode(asked.stdout.rstrip(b"\0")) if asked.returncode == 0 else ""


def own_ignored(shadow: Shadow, root: Path, paths: Collection[str]) -> frozenset[str]:
    """Return those of `paths` that `.craignore` files exclude; tracked or not makes no odds."""
    rules = _rule_files(root, paths)
    if not rules:
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="cra-ignore-") as scratch:
        for directory, rule in rules.items():
            place = Path(scratch, directory)
            place.mkdir(parents=True, exist_ok=True)
            (place / ".gitignore").write_bytes(rule)
        asked = shadow.run(
            "check-ignore",
            "--no-index",
            "--stdin",
            "-z",
            # The leading `./` keeps a name that starts with a colon from being read as magic.
            input_bytes=b"".join(b"./%s\0" % os.fsencode(path) for path in paths),
            extra={"GIT_WORK_TREE": scratch},
        )
    if asked.returncode not in (0, 1):
        words = asked.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(f"git cannot judge {OWN_IGNORE_FILE}: {words}", where=str(root))
    return frozenset(os.fsdecode(path[2:]) for path in asked.stdout.split(b"\0") if path)


def _rule_files(root: Path, paths: Collection[str]) -> dict[str, bytes]:
    """Read the `.craignore` of every directory on the way to a path; links are not followed."""
    rules = {}
    for directory in _directories(paths):
        place = os.path.join(root, directory, OWN_IGNORE_FILE)  # noqa: PTH118 (per directory: speed)
        if not os.path.lexists(place):  # one call each; most directories have none
            continue
        data = read_regular(Path(place), limit_bytes=_IGNORE_FILE_BYTES)
        if data is not None:
            rules[directory] = data
    return rules


def _directories(paths: Collection[str]) -> set[str]:
    found = {""}
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found
