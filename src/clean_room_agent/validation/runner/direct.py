"""One collected test as something to call: directly when it needs no fixtures, else by pytest.

Takes: pytest items. Gives: `Test`. Does not know: candidates, limits, verdicts wanted.
"""

from __future__ import annotations

import copy
import inspect
import unittest
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

_DETAIL_CHARS = 300
_SPECIAL = frozenset({"skip", "skipif", "xfail", "usefixtures", "asyncio", "anyio", "trio"})
_SPECIAL_MORE = frozenset(
    {"filterwarnings", "timeout", "flaky", "django_db", "parametrize_indirect"}
)
_METHOD_FIXTURES = ("xunit_setup_method_fixture_", "_xunit_setup_method_fixture_")
_UNITTEST_FIXTURES = ("unittest_", "_unittest_")


class Verdict(NamedTuple):
    """Whether a test passed, and why not."""

    passed: bool
    detail: str = ""


class Test:
    """A test of the session. `run` never raises but for what ends the process."""

    __test__ = False
    __slots__ = ("direct", "item", "test_id")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.test_id = item.nodeid
        self.direct = _direct_call(item)

    def run(self, *, copy_params: bool = False) -> Verdict:
        if self.direct is None:
            return _by_protocol(self.item)
        try:
            return self.direct(copy_params)
        except BaseException as error:  # noqa: BLE001 - code under test may raise anything at all
            return Verdict(False, _describe(error))


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
    except BaseException:  # noqa: BLE001 - a candidate's own __str__
        return type(error).__name__


class _Subtests:
    """Collects failed subtests, which pytest reports beside the test's own reports."""

    def __init__(self) -> None:
        self.failed: list[Any] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report)


def reports_of(item: Any) -> list[Any]:
    """Run one test by pytest's own protocol; its reports, those of failed subtests first."""
    subtests = _Subtests()
    manager = item.config.pluginmanager
    manager.register(subtests)
    try:
        reports = list(runtestprotocol(item, log=False, nextitem=None))
    finally:
        manager.unregister(subtests)
    return [*subtests.failed, *reports]


def _by_protocol(item: Any) -> Verdict:
    try:
        reports = reports_of(item)
    except BaseException as error:  # noqa: BLE001 - Exit and the like, raised by candidates
        return Verdict(False, _describe(error))
    for report in reports:
        if report.failed:
            return Verdict(False, str(report.longrepr)[-_DETAIL_CHARS:])
    called = [r for r in reports if r.when == "call"]
    done = bool(called) and called[0].passed
    return Verdict(done, "" if done else "skipped")


def _direct_call(item: Any) -> Callable[[bool], Verdict] | None:
    """Return a call that does what pytest would, or None when pytest itself is needed."""
    marks = {mark.name for mark in item.iter_markers()}
    if marks & (_SPECIAL | _SPECIAL_MORE) or not isinstance(item, pytest.Function):
        return None
    cls = getattr(item, "cls", None)
    # pytest's own set-up fixtures ask for `request`; a test that does names it itself.
    asked = item._fixtureinfo.argnames
    names = [name for name in item.fixturenames if name != "request" or name in asked]
    if isinstance(cls, type) and issubclass(cls, unittest.TestCase):
        if all(name.startswith(_UNITTEST_FIXTURES) for name in names):
            return _unittest_call(item, cls)
        return None
    if inspect.iscoroutinefunction(item.obj) or inspect.isasyncgenfunction(item.obj):
        return None
    params = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    has_method = False
    for name in names:
        if name.startswith(_METHOD_FIXTURES):
            has_method = True
        elif name not in params or not _is_plain_param(item, name):
            return None
    if cls is None:
        return _function_call(item.obj, params)
    return _method_call(item, cls, params, has_method)


def _is_plain_param(item: Any, name: str) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.get(name)
    function = getattr(definitions[-1], "func", None) if definitions else None
    plain = getattr(function, "__name__", "get_direct_param_fixture_func")
    return plain == "get_direct_param_fixture_func"


def _function_call(function: Any, params: Any) -> Callable[[bool], Verdict]:
    def call(copied: bool) -> Verdict:
        function(**(copy.deepcopy(params) if copied else params))
        return Verdict(True)

    return call


def _method_call(item: Any, cls: Any, params: Any, has_method: bool) -> Callable[[bool], Verdict]:
    name = item.originalname

    def call(copied: bool) -> Verdict:
        instance = cls()
        method = getattr(instance, name)
        given = copy.deepcopy(params) if copied else params
        if not has_method:
            method(**given)
            return Verdict(True)
        _around(instance, "setup_method", method)
        try:
            method(**given)
        finally:
            _around(instance, "teardown_method", method)
        return Verdict(True)

    return call


def _around(instance: Any, name: str, method: Any) -> None:
    function = getattr(instance, name, None)
    if function is not None:
        takes = function.__code__.co_argcount > 1 if hasattr(function, "__code__") else False
        function(method) if takes else function()


def _unittest_call(item: Any, cls: Any) -> Callable[[bool], Verdict]:
    def call(_: bool) -> Verdict:
        result = unittest.TestResult()
        unittest.TestSuite([cls(item.name)]).run(result)
        bad = [*result.errors, *result.failures]
        if bad:
            return Verdict(False, bad[0][1].strip().splitlines()[-1][:_DETAIL_CHARS])
        counted = not (result.skipped or result.expectedFailures or result.unexpectedSuccesses)
        return Verdict(result.testsRun == 1 and counted, "skipped")

    return call
