"""Each tool of `cra mcp` as the SDK's own client gets it, on a real repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from pydantic_core import PydanticSerializationError

from clean_room_agent.store.raw_reader import RawReader
from tests.serve.talking import call, converse, texts
from tests.support.canaries import canaries
from tests.support.journey import TASK, Journey, new_journey

KEY = next(c for c in canaries(21) if c.kind == "private-key")
KEEPER = f'''\
"""Keeps the key of the share ledger."""

LEDGER_KEY = """{KEY.secret}"""


def share_ledger_key(total: int) -> str:
    """Key for the share of a total among people."""
    key = """{KEY.secret}"""
    return key[:total]
'''


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_tools_are_listed_with_bounds_and_as_read_only(journey: Journey) -> None:
    listed = converse(journey, lambda client: client.list_tools())[0]
    tools = {tool.name: tool for tool in listed.tools}
    assert list(tools) == ["context", "search", "symbol", "why", "index_status"]
    for tool in tools.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.description and tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert tool.output_schema["required"] == ["schema_version"]
    assert tools["search"].input_schema["properties"]["top_k"]["maximum"] == 50
    # A model reads this in every conversation.
    assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) < 8_000


def test_what_a_client_gets_is_what_the_verbs_say_and_is_in_the_log(journey: Journey) -> None:
    before = journey.state()

    async def talk(client: Client) -> list[CallToolResult]:
        context = await client.call_tool("context", {"task": TASK})
        assert context.structured_content is not None
        task_id = context.structured_content["task_id"]
        return [
            context,
            await client.call_tool("search", {"query": "share total", "top_k": 2}),
            await client.call_tool("symbol", {"name": "money.share"}),
            await client.call_tool("why", {"path": "money.py::share", "task": task_id}),
            await client.call_tool("index_status", {}),
        ]

    results, log = converse(journey, talk)
    assert all(not r.is_error and r.structured_content["schema_version"] == 1 for r in results)
    context, search, symbol, why, status = results
    shown = journey.cra("context", TASK, "-c", "budget.context_tokens=12000", "--format=markdown")
    assert texts(context)[0] == shown.stdout
    assert context.structured_content["task_id"] in texts(context)[1]
    assert "     4 | def share(total: int, people: int) -> list[int]:" in texts(search)[0]
    assert symbol.structured_content["definitions"][0]["path"] == "money.py"
    assert "test_money.py" in texts(symbol)[0]
    assert texts(why)[0].startswith("money.py::share: shown")
    assert status.structured_content["files"] == 3
    assert "Traceback" not in log
    assert journey.state() == before
    assert journey.cra("verify").code == 0
    verbs = [run["verb"] for run in journey.ok("runs")["runs"]]
    assert verbs == ["context", "index", "symbol", "search", "context"]
    with RawReader(journey.root) as log_of_runs:
        events = log_of_runs.read_events(run_id=context.structured_content["run_id"])
    assert [e.data["by"] for e in events if e.kind == "run.asked"] == ["mcp: mcp"]


@pytest.mark.parametrize("form", ["xml", "json"])
def test_the_other_forms_are_the_bytes_of_the_verb(journey: Journey, form: str) -> None:
    result = call(journey, "context", task=TASK, format=form, max_tokens=4_000)
    shown = journey.cra("context", TASK, "-c", "budget.context_tokens=4000", "--format", form)
    assert texts(result)[0] == shown.stdout
    if form == "json":
        beside = {"task_id", "run_id", "package_id"}
        own = {k: v for k, v in result.structured_content.items() if k not in beside}
        assert json.loads(texts(result)[0]) == own


def test_a_wrong_call_is_an_error_of_the_tool_and_says_what_to_do(journey: Journey) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("search", {"query": ""}, "query: String should have at least 1 character"),
        ("search", {"query": "x" * 4_001}, "query: String should have at most 4000 characters"),
        ("search", {"query": "x", "top_k": 51}, "less than or equal to 50"),
        ("search", {"query": "x", "top_k": "many"}, "top_k: Input should be a valid integer"),
        ("search", {"query": "x", "command": "rm"}, "Extra inputs are not permitted"),
        ("search", {"query": " "}, "the query is empty"),
        ("context", {}, "task: Field required"),
        ("context", {"task": "x", "format": "html"}, "'markdown', 'xml' or 'json'"),
        ("context", {"task": "x" * 262_145}, "at most 262144 characters"),
        ("symbol", {"name": "nothing_is_called_so"}, "cra search"),
        ("symbol", {"name": "../../../etc/passwd"}, "nothing in the index is called"),
        ("symbol", {"name": "/etc/passwd::root"}, "nothing in the index is called"),
        ("why", {"path": "money.py", "task": "t-nothing"}, "t-nothing"),
        ("why", {"path": "../outside.py"}, ""),
        ("index_status", {"full": True}, "Extra inputs"),
    ]

    async def talk(client: Client) -> list[CallToolResult]:
        await client.call_tool("context", {"task": TASK})
        results = [await client.call_tool(tool, arguments) for tool, arguments, _ in wrong]
        with pytest.raises(MCPError, match="no such tool; the tools are context, search"):
            await client.call_tool("rm", {})
        # The server is none the worse for it.
        assert not (await client.call_tool("symbol", {"name": "share"})).is_error
        return results

    results, log = converse(journey, talk)
    for result, (tool, arguments, told) in zip(results, wrong, strict=True):
        assert result.is_error, (tool, arguments)
        assert told in texts(result)[0], texts(result)
        assert texts(result)[0].startswith("cra: ")
        assert len(texts(result)[0]) < 1_000
        assert result.structured_content["schema_version"] == 1
        assert result.structured_content["error"]["message"]
        assert "Traceback" not in texts(result)[0]
    assert "Traceback" not in log


def test_without_a_room_the_error_names_the_command_and_the_server_lives_on(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)

    async def talk(client: Client) -> list[CallToolResult]:
        first = await client.call_tool("context", {"task": TASK})
        journey.ok("init", "--offline")
        return [first, await client.call_tool("context", {"task": TASK})]

    (without, after), _ = converse(journey, talk)
    assert without.is_error
    assert "cra init --offline" in texts(without)[0]
    assert not after.is_error
    outside = tmp_path / "plain"
    outside.mkdir()
    result, _ = converse(
        journey, lambda client: client.call_tool("search", {"query": "x"}), cwd=outside
    )
    assert result.is_error
    assert result.structured_content["error"]["code"] == "repository"


def test_the_index_follows_the_working_tree_between_calls(journey: Journey) -> None:
    async def talk(client: Client) -> list[CallToolResult]:
        before = await client.call_tool("symbol", {"name": "freshly_written"})
        (journey.root / "new.py").write_text("def freshly_written():\n    return 1\n")
        return [before, await client.call_tool("symbol", {"name": "freshly_written"})]

    (before, after), _ = converse(journey, talk)
    assert before.is_error
    assert "     1 | def freshly_written():" in texts(after)[0]


@pytest.mark.reliability(91)
def test_a_file_name_that_is_no_text_is_spelled_out_and_the_server_lives_on(
    journey: Journey,
) -> None:
    name = os.fsdecode(b"odd\xff.py")
    (journey.root / name).write_text("def oddly_named() -> int:\n    return 1\n")

    async def talk(client: Client) -> list[CallToolResult]:
        asked = {
            "symbol": {"name": "oddly_named"},
            "search": {"query": "oddly named"},
            "context": {"task": "oddly_named is wrong"},
        }
        return [await client.call_tool(tool, words) for tool, words in asked.items()]

    for result in converse(journey, talk)[0]:
        assert not result.is_error
        assert r"odd\\xff.py" in json.dumps(result.structured_content)
        assert r"odd\xff.py" in "".join(texts(result))
    # The verb's own content holds the name in a form that no message of the protocol can carry.
    [definition] = journey.ok("symbol", "oddly_named")["definitions"]
    assert definition["path"] == name
    with pytest.raises(PydanticSerializationError):
        CallToolResult(content=[], structured_content=definition).model_dump_json()


def test_what_holds_a_secret_is_withheld_by_every_tool(journey: Journey) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("context", {"task": "share_ledger_key in keeper.py is wrong"}),
        ("search", {"query": "share ledger key", "max_lines": 0}),
        ("symbol", {"name": "share_ledger_key", "max_lines": 0}),
        ("symbol", {"name": "LEDGER_KEY"}),
        ("symbol", {"name": "keeper.py"}),
        ("why", {"path": "keeper.py"}),
    ]

    async def talk(client: Client) -> list[CallToolResult]:
        return [await client.call_tool(tool, arguments) for tool, arguments in asked]

    def said() -> str:
        results, log = converse(journey, talk)
        assert not any(result.is_error for result in results), results
        return log + "".join(result.model_dump_json() for result in results)

    lines = [line for line in KEY.secret.split("\n") if "-----" not in line and len(line) > 11]
    journey.commit({"keeper.py": KEEPER})
    withheld = said()
    assert lines and not [line for line in lines if line in withheld]
    assert "holds what looks like a secret: private-key at line" in withheld
    # Negative control: without the secret the same words give the same code.
    journey.commit({"keeper.py": KEEPER.replace(KEY.secret, "nothing")})
    assert 'key = \\"\\"\\"nothing\\"\\"\\"' in said()
