"""Files, terminals, arguments and variables that are not UTF-8, or begin with a byte order mark."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT
from tests.e2e.forking import Forks

CONTENT = "Grüße aus 日本 😀 “zitiert”"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS: list[dict[str, str]] = [
    ASCII,
    *({"PYTHONIOENCODING": name} for name in ("latin-1", "cp1252", "ascii:strict")),
]
BAD = b"\xe4"
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(forks: Forks, environment: dict[str, str], folder: Path) -> Run:
    """Run a command with arguments that may be bytes, in the test's folder; on another terminal it starts anew."""

    def invoke(*arguments: str | bytes, stdin: bytes = b"", **more: str | bytes) -> subprocess.CompletedProcess[bytes]:
        if not more.keys() & {"LC_ALL", "PYTHONIOENCODING"}:
            told = {name: os.fsdecode(value) for name, value in (environment | more).items()}
            return forks.run([os.fsdecode(argument) for argument in arguments], told, stdin=stdin, folder=folder)
        full = {os.fsencode(name): os.fsencode(value) for name, value in (environment | more).items()}
        return subprocess.run(
            [FRONT, *arguments], input=stdin, env=full, capture_output=True, check=False, cwd=folder, timeout=60
        )

    return invoke


def one_sentence(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """Return what a command that failed said: one line on stderr, and nothing else."""
    assert (done.returncode, done.stdout) == (code, b""), done
    told = done.stderr.decode()
    assert told.startswith("memory-mcp: ")
    assert told.count("\n") == 1
    assert "unexpected" not in told
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("terminal", TERMINALS, ids=str)
def test_every_terminal_is_written_to(run: Run, terminal: dict[str, str]) -> None:
    """People see an escape for what their terminal cannot show; JSON and exports are UTF-8 everywhere."""
    run("store", CONTENT, "--id", "é", "--tag", "日本", "--conversation-id", "“c”")
    for arguments in (
        ["list"],
        ["search", "Grüße"],
        ["get", "é"],
        ["status"],
        ["doctor", "--seconds", "0.1"],
        ["config"],
    ):
        done = run(*arguments, **terminal)
        assert done.returncode in {0, 1, 3}, done
        assert done.stdout
        assert b"unexpected" not in done.stderr
    for arguments in (["search", "日本"], ["get", "é"], ["delete", "é"]):
        data = json.loads(run(*arguments, "--json", **terminal).stdout.decode())
        assert "é" in json.dumps(data, ensure_ascii=False)
    assert "é" in run("undelete", "é", "--json", **terminal).stdout.decode()
    assert CONTENT in run("export", **terminal).stdout.decode()
    run("export", "out.jsonl", **terminal)
    assert json.loads(run("import", "out.jsonl", "--json", **terminal).stdout.decode())["known"] == 1
    assert run("search", "--help", **terminal).returncode == 0
    assert "no memory" in one_sentence(run("get", "日本", **terminal), 1)
    assert run("store", "-", stdin=CONTENT.encode(), **terminal).returncode == 3


def test_logs_are_written_on_every_terminal(run: Run, folder: Path) -> None:
    """A line of the log holds a path that the terminal cannot show."""
    place = folder / "日本"
    place.mkdir()
    (place / "m.db").write_bytes(b"no database" * 500)
    for terminal in TERMINALS[1:]:  # where the locale is ASCII, no such path can be named
        done = run("list", MCP_MEMORY_SQLITE_PATH=str(place / "m.db"), MCP_MEMORY_LOG_LEVEL="debug", **terminal)
        assert done.returncode == 1
        assert b"unexpected" not in done.stderr
        assert b"Traceback" not in done.stderr


BAD_ARGUMENTS: list[tuple[list[str | bytes], str]] = [
    (["store", b"bad \xff"], "'bad \\udcff'"),
    (["store", "x", "--tag", BAD], "--tag '\\udce4'"),
    (["store", "x", b"--type=" + BAD], "'--type=\\udce4'"),
    (["store", "x", "--metadata", b'{"a": "\xe4"}'], "--metadata"),
    (["store", "x", "--created-at", BAD], "--created-at"),
    (["search", "ok", BAD], "'\\udce4'"),
    (["list", "--namespace", BAD], "--namespace"),
    (["list", "--limit", BAD], "--limit"),
    (["get", BAD], "'\\udce4'"),
    (["update", "x", "--content", BAD], "--content"),
    (["delete", BAD], "'\\udce4'"),
    (["delete", "--time-expr", BAD], "--time-expr"),
    (["undelete", BAD], "'\\udce4'"),
    (["export", BAD], "'\\udce4'"),
    (["import", BAD], "'\\udce4'"),
    (["backup", BAD], "'\\udce4'"),
    (["restore", BAD], "'\\udce4'"),
    (["token", "create", BAD], "'\\udce4'"),
    (["token", "revoke", BAD], "'\\udce4'"),
    (["--set", b"namespace=\xe4", "list"], "--set"),
    ([BAD], "'\\udce4'"),
    (["list", b"--\xe4"], "'--\\udce4'"),
    (["completion", BAD], "'\\udce4'"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD_ARGUMENTS)
def test_arguments_that_are_no_text_are_refused(
    run: Run, folder: Path, arguments: list[str | bytes], named: str
) -> None:
    """By the option or what was given, and before anything is stored."""
    told = one_sentence(run(*arguments), 2)
    assert f"{named} is not valid UTF-8" in told or (named in told and "is not valid UTF-8" in told)
    assert not (folder / "memory.db").exists()


def test_arguments_in_utf8_are_text_in_every_locale(run: Run) -> None:
    """Where Python reads the command line as ASCII too."""
    assert run("store", CONTENT, "--id", "é", "--tag", "日本", **ASCII).returncode == 3
    memory = json.loads(run("get", "é", "--json").stdout)
    assert (memory["content"], memory["tags"]) == (CONTENT, ["日本"])
    assert json.loads(run("list", "--tag", "日本", "--json", **ASCII).stdout)["total"] == 1


@pytest.mark.parametrize(
    "name", ["MCP_MEMORY_NAMESPACE", "MCP_MEMORY_SQLITE_PATH", "MCP_MEMORY_BACKUP_FOLDER", "MCP_MEMORY_TOKENS_PATH"]
)
def test_variables_that_are_no_text_are_refused(run: Run, name: str) -> None:
    """By their names, also by a server."""
    for arguments in (["list"], ["store", "x"], ["status"], ["backup"], ["config"], ["serve"]):
        assert f"{name}: " in one_sentence(run(*arguments, **{name: b"/tmp/\xe4"}), 2)
    assert name in run("doctor", **{name: b"/tmp/\xe4"}).stdout.decode()


def test_stdin_may_begin_with_a_mark(run: Run) -> None:
    """It is no part of what is stored; what is not UTF-8 is named by its line."""
    run("store", "-", "--id", "a", stdin=codecs.BOM_UTF8 + "Grüße\n".encode())
    run("update", "a", "--content", "-", stdin=codecs.BOM_UTF8 + "Grüße\nan alle".encode())
    assert json.loads(run("get", "a", "--json").stdout)["content"] == "Grüße\nan alle"
    for arguments in (["store", "-"], ["update", "a", "--content", "-"]):
        assert "stdin: line 3 is not UTF-8" in one_sentence(run(*arguments, stdin=b"one\ntwo\nthr\xe4e\n"), 2)
        assert "line 1 begins like UTF-16" in one_sentence(run(*arguments, stdin="one\n".encode("utf-16")), 2)
    assert json.loads(run("list", "--json").stdout)["total"] == 1


def _export(run: Run, folder: Path, count: int) -> list[bytes]:
    """Return the lines of an export of so many memories that are not in the store."""
    run("store", "a line to copy", "--id", "seed")
    header, line, _ = run("export").stdout.splitlines()
    run("delete", "seed")
    (folder / "memory.db").unlink()
    rows = [line.replace(b'"seed"', f'"m{n}"'.encode()).replace(b"copy", f"copy {n} é".encode()) for n in range(count)]
    return [header, *rows, json.dumps({"memory_mcp_export_end": count}).encode()]


def test_an_import_reads_marks_and_stores_nothing_of_what_it_cannot_read(run: Run, folder: Path) -> None:
    """A file is looked through first; the line of the first bad byte is named."""
    lines = _export(run, folder, 200)
    file = folder / "in.jsonl"
    for broken in (
        [*lines[:150], lines[150].replace("é".encode(), BAD), *lines[151:]],
        [*lines[:150], BAD, *lines[151:]],
    ):
        file.write_bytes(b"\n".join(broken))
        told = one_sentence(run("import", "in.jsonl"), 1)
        assert "in.jsonl: line 151 is not UTF-8 (byte 0xe4)" in told
        assert told.endswith("nothing was imported\n")
        assert "line 151" in one_sentence(run("import", "in.jsonl", "--json"), 1)
    file.write_bytes(b"\n".join(lines).decode().encode("utf-16"))
    assert "line 1 begins like UTF-16; save it as UTF-8" in one_sentence(run("import", "in.jsonl"), 1)
    assert json.loads(run("list", "--json").stdout)["total"] == 0
    file.write_bytes(codecs.BOM_UTF8 + b"\r\n".join(lines))
    assert json.loads(run("import", "in.jsonl", "--json").stdout)["created"] == 200
    assert "is an export, not a backup" in one_sentence(run("restore", "in.jsonl"), 2)


def test_an_import_from_a_pipe_goes_on_where_it_stopped(run: Run, folder: Path) -> None:
    """What came before the bad line is there, the sentence says so, and the rest is taken when it is sent again."""
    lines = _export(run, folder, 100)
    broken = [*lines[:80], lines[80].replace("é".encode(), BAD), *lines[81:]]
    told = one_sentence(run("import", "-", stdin=b"\n".join(broken)), 1)
    assert "line 81 is not UTF-8" in told
    assert told.endswith("nothing from here on was read\n")
    assert json.loads(run("list", "--json").stdout)["total"] == 79
    again = json.loads(run("import", "-", "--json", stdin=codecs.BOM_UTF8 + b"\n".join(lines)).stdout)
    assert (again["created"], again["known"]) == (21, 79)


def test_the_settings_file_may_begin_with_a_mark(run: Run, folder: Path) -> None:
    """What is not UTF-8 in it is named by file and line, by every command and by doctor."""
    file = folder / "c.toml"
    file.write_bytes(codecs.BOM_UTF8 + 'namespace = "größe"\n'.encode())
    told = json.loads(run("config", "--json", MCP_MEMORY_CONFIG=str(file)).stdout)["settings"]
    assert next(each["value"] for each in told if each["name"] == "MCP_MEMORY_NAMESPACE") == "größe"
    for data, named in ((b'log_level = "info"\nnamespace = "\xe4"\n', "line 2"), ("a = 1".encode("utf-16"), "UTF-16")):
        file.write_bytes(data)
        for arguments in (["list"], ["store", "x"], ["config"], ["status"], ["serve"], ["token", "list"]):
            told = one_sentence(run(*arguments, MCP_MEMORY_CONFIG=str(file)), 2)
            assert str(file) in told
            assert named in told
        assert named in run("doctor", MCP_MEMORY_CONFIG=str(file)).stdout.decode()


def test_the_daemons_settings_file_is_told_of_in_a_sentence(run: Run, folder: Path) -> None:
    """It may begin with a mark; what is not UTF-8 in it is named by file and line."""
    file = folder / "e.toml"
    file.write_bytes(codecs.BOM_UTF8 + b"threads = 3\n")
    told = json.loads(run("config", "--json", EMBEDDER_CONFIG=str(file)).stdout)["daemon"]
    assert next(each["value"] for each in told if each["name"] == "EMBEDDER_THREADS") == 3
    file.write_bytes(b'engine = "hash"\nmodel = "\xe4"\n')
    for command in (["config"], ["doctor", "--seconds", "30"]):
        done = run(*command, EMBEDDER_CONFIG=str(file))
        told = (done.stdout + done.stderr).decode()
        assert f"{file}: line 2 is not UTF-8 (byte 0xe4); save it as UTF-8" in told, command
        assert "Traceback" not in told
        assert "UnicodeDecodeError" not in told


def test_the_file_of_tokens_may_begin_with_a_mark(run: Run, folder: Path) -> None:
    """What is not UTF-8 in it is named by file and line, and nothing is written over it."""
    file = folder / "tokens.json"
    run("token", "create", "phone", MCP_MEMORY_TOKENS_PATH=str(file))
    whole = file.read_bytes()
    file.write_bytes(codecs.BOM_UTF8 + whole)
    assert b"phone" in run("token", "list", MCP_MEMORY_TOKENS_PATH=str(file)).stdout
    file.write_bytes(whole.replace(b"phone", BAD))
    for arguments in (["token", "list"], ["token", "create", "other"], ["token", "revoke", "other"]):
        told = one_sentence(run(*arguments, MCP_MEMORY_TOKENS_PATH=str(file)), 2)
        assert f"{file} " in told
        assert "is not UTF-8 (byte 0xe4)" in told
    assert BAD in file.read_bytes()


def test_closed_streams_are_told(run: Run, environment: dict[str, str]) -> None:
    """In one sentence, whatever the format; without stderr there is nobody to tell."""
    run("store", "apples")
    closed = [("list >&-", 1), ("list --json >&-", 1), ("store - <&-", 2), ("export >&-", 1)]
    for line, code in (*closed, ("import - <&-", 1), ("serve <&-", 1)):
        done = subprocess.run(["sh", "-c", f"{FRONT} {line}"], env=environment, capture_output=True, check=False)
        assert "closed" in one_sentence(done, code)
    done = subprocess.run(["sh", "-c", f"{FRONT} list 2>&-"], env=environment, capture_output=True, check=False)
    assert (done.returncode, b"apples" in done.stdout) == (0, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("line", ["list", "list --json", "export -", "--help", "status --json"])
def test_a_full_disk_behind_stdout_is_told(run: Run, environment: dict[str, str], line: str) -> None:
    """In one sentence with what to do."""
    run("store", "apples")
    command = f"{FRONT} {line} >/dev/full"
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, check=False)
    assert "cannot write to stdout (No space left on device); free some space" in one_sentence(done, 1)


HALVES = ["\\ud800", "a\\udc00b", "\\ud83d", "\\udfff\\ud800"]


async def test_half_of_a_surrogate_pair_is_refused_by_name(client: RawClient) -> None:
    """In every argument, in members and their names; a whole pair is a character."""
    for number, half in enumerate(HALVES, 100):
        for place, arguments in (
            ("content", f'{{"content": "{half}"}}'),
            ("tags.1", f'{{"content": "x", "tags": ["a", "{half}"]}}'),
            ("metadata.a.0", f'{{"content": "x", "metadata": {{"a": ["{half}"]}}}}'),
            ("metadata", f'{{"content": "x", "metadata": {{"{half}": 1}}}}'),
            ("id", f'{{"content": "x", "id": "{half}"}}'),
        ):
            params = f'{{"name": "memory_store", "arguments": {arguments}}}'
            await client.send_line(
                f'{{"jsonrpc": "2.0", "id": {number}, "method": "tools/call", "params": {params}}}'.encode()
            )
            error = (await client.answer(number))["error"]
            assert error["code"] == -32700
            assert error["message"].startswith(f"params.arguments.{place}: contains a lone surrogate")
        for name in ("tags", "metadata"):
            with pytest.raises(ToolError, match=f"^{name}: "):
                await client.tool("memory_store", content="x", **{name: f'["{half}"]'})
    await client.send_line(
        b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "memory_store", '
        b'"arguments": {"content": "\\ud83d\\ude00"}}}'
    )
    assert "result" in await client.answer(7)
    assert [memory["content"] for memory in (await client.tool("memory_list"))["memories"]] == ["😀"]


@pytest.mark.parametrize("number", ["9" * 4_301, "-" + "9" * 5_000])
async def test_a_number_of_too_many_digits_is_refused_by_name(client: RawClient, number: str) -> None:
    """Its sender gets an answer with the request's id, and the session goes on."""
    call = '{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "memory_store", "arguments": '
    await client.send_line(f'{call}{{"content": "x", "metadata": {{"a": [1, {number}]}}}}}}}}'.encode())
    error = (await client.answer(77))["error"]
    assert error["message"].startswith("params.arguments.metadata.a.1: is a number with more than 4,300 digits")
    await client.send_line(f'{{"jsonrpc": "2.0", "id": {number}, "method": "ping"}}'.encode())
    assert "id: is a number with" in (await client.answer(None))["error"]["message"]
    assert (await client.tool("memory_list"))["total"] == 0
