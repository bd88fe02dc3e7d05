"""Remembering the results of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from warmcache.clock import Clock
from warmcache.expiry import ExpiringCache

Result = TypeVar("Result")
ABSENT: Any = object()


def call_key(positional: tuple[Any, ...], named: dict[str, Any]) -> Hashable:
    """A key for a call; the order of named arguments does not matter."""
    return (positional, tuple(sorted(named.items())))


def remember(
    clock: Clock, seconds: float, capacity: int = 64
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorate a function so that equal calls within a time run it once."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        cache: ExpiringCache[Hashable, Result] = ExpiringCache(clock, seconds, capacity)

        @functools.wraps(function)
        def wrapper(*positional: Any, **named: Any) -> Result:
            key = call_key(positional, named)
            known: Any = cache.get(key, ABSENT)
            if known is not ABSENT:
                return cast(Result, known)
            result = function(*positional, **named)
            cache.put(key, result)
            return result

        return wrapper

    return decorate
