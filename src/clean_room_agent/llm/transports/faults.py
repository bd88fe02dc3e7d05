"""What a server's refusal means, and how much of it may be repeated.

Takes: a status code, headers and a body, or an error object inside a stream. Gives: a
`TransportError` whose status tells the caller what can be done, and JSON readers that fail loudly.
Does not know: sockets, retries, or any one server's routes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus
from clean_room_agent.records.spelling import one_line

EXCERPT_CHARACTERS = 300
MAX_RETRY_AFTER_SECONDS = 86_400.0
# No server counts so many tokens; what is larger could not be added up and logged as a number.
MOST_COUNT = 10**12
_OVER_CONTEXT_CODE = re.compile(r"exceed_context_size|context_length_exceeded")
_OVER_CONTEXT = re.compile(
    r"exceeds? (the |model'?s? )*(available |maximum )*context"
    r"|(maximum|max) (context|model) length"
    r"|longer than the (maximum|context)"
    r"|(input|prompt) (length )?(is )?(exceeds|too long)"
)
_NO_MODEL = re.compile(r"model\b.*(not found|does not exist|not exist|unknown)|no such model", re.S)


def refusal(
    code: int, headers: Mapping[str, str], body: bytes, *, secret: str = ""
) -> TransportError:
    """Classify an answer whose status is not 200.

    Only `throttled`, `server_error` and `closed` are worth another try; `retry_after` is set where
    the server names a time.
    """
    text = body.decode("utf-8", "backslashreplace")
    said = excerpt(_message(text), secret=secret) or "no message"
    wish = _retry_after(headers.get("retry-after", ""))
    if 300 <= code < 400:
        where = excerpt(headers.get("location", "nowhere"), secret=secret)
        return TransportError(
            ReplyStatus.REFUSED, f"the server redirects to {where}; redirects are not followed"
        )
    status = _status(code, text)
    hint = "; check models.api_key_variable" if code in (401, 403) else ""
    hint = "; is this the right kind of server?" if _no_route(code, status) else hint
    return TransportError(status, f"the server answered {code}: {said}{hint}", retry_after=wish)


def stream_fault(error: object, *, secret: str = "") -> TransportError:
    """Classify an error object that arrived inside a stream, after the server had said 200."""
    fields = error if isinstance(error, dict) else {}
    code = fields.get("code")
    text = json.dumps({"error": error})
    number = code if isinstance(code, int) and 400 <= code < 600 else 500
    return TransportError(
        _status(number, text),
        f"the server broke off with an error: {excerpt(_message(text), secret=secret)}",
    )


def excerpt(text: str, *, secret: str = "") -> str:
    """Quote what a server said: the key taken out, control characters escaped, length bounded."""
    if secret:
        text = text.replace(secret, "[key]")
    shown = one_line(text[: EXCERPT_CHARACTERS + 1])
    return shown if len(shown) <= EXCERPT_CHARACTERS else shown[:EXCERPT_CHARACTERS] + "[...]"


def garbage(problem: str, data: str = "", *, secret: str = "") -> TransportError:
    """Say that the server broke its own protocol."""
    quoted = f": {excerpt(data, secret=secret)}" if data else ""
    return TransportError(ReplyStatus.GARBAGE, f"the server sent {problem}{quoted}")


def parse_json(text: str, *, secret: str = "") -> object:
    """Read one JSON value. Raises: TransportError (`garbage`), also for text nothing can store."""
    try:
        value: object = json.loads(text)
        if "\\ud" in text.lower():
            # Half of a surrogate pair is no character: it could be neither logged nor shown.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise garbage("something that is not valid JSON", text, secret=secret) from None
    return value


def object_of(value: object, what: str) -> Mapping[str, object]:
    """Return a JSON object, or say what was expected. Raises: TransportError (`garbage`)."""
    if not isinstance(value, dict):
        raise garbage(f"{what} that is not an object")
    return value


def list_of(value: object, what: str) -> list[object]:
    """Return a JSON list, or say what was expected. Raises: TransportError (`garbage`)."""
    if not isinstance(value, list):
        raise garbage(f"{what} that is not a list")
    return value


def text_of(fields: Mapping[str, object], name: str) -> str:
    """Return a text field; absent and null are "". Raises: TransportError (`garbage`)."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise garbage(f'"{name}" that is not a text')
    return value


def count_of(fields: Mapping[str, object], name: str) -> int | None:
    """Return a count; absent and null are None. Raises: TransportError (`garbage`)."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_COUNT:
        raise garbage(f'"{name}" that is not a count')
    return value


def _status(code: int, text: str) -> ReplyStatus:
    lowered = text.lower()
    if code == 429:
        return ReplyStatus.THROTTLED
    if _OVER_CONTEXT_CODE.search(lowered):
        return ReplyStatus.CONTEXT
    if code >= 500:
        return ReplyStatus.SERVER_ERROR
    if code != 404 and _OVER_CONTEXT.search(lowered):
        return ReplyStatus.CONTEXT
    if code in (400, 404) and _NO_MODEL.search(lowered):
        return ReplyStatus.UNKNOWN_MODEL
    return ReplyStatus.REFUSED


def _no_route(code: int, status: ReplyStatus) -> bool:
    return code == 404 and status is not ReplyStatus.UNKNOWN_MODEL


def _message(text: str) -> str:
    """Find the sentence in the error shapes that servers use, else give all of it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and name in value:
            value = value[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _retry_after(text: str) -> float:
    """Read seconds or a date; what cannot be read is no wish."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text.strip()):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
