"""The clients: where each keeps its servers, in which format, and what an entry looks like.

To add a client, add a `Client`. Every path and key is from the client's own documentation at `docs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import SettingsError
from memory_mcp.provision.clients.block import Block
from memory_mcp.provision.clients.entries import NAMESPACE, TOKEN, Entry, Launch, Remote
from memory_mcp.provision.clients.formats import Format
from memory_mcp.provision.clients.json_text import JsonText
from memory_mcp.provision.clients.machine import Machine
from memory_mcp.provision.clients.toml_text import TomlText


def _stdio(launch: Launch) -> Entry:
    entry: Entry = {"command": launch.command, "args": list(launch.arguments)}
    return entry | {"env": {NAMESPACE: launch.namespace}} if launch.namespace else entry


def _typed_stdio(launch: Launch) -> Entry:
    return {"type": "stdio", **_stdio(launch)}


def _zed_stdio(launch: Launch) -> Entry:
    return {"source": "custom", **_stdio(launch)}  # older versions require `source`, newer ones ignore it


def _http(token: str, key: str = "url", **more: str) -> Callable[[str], Entry]:
    """Return a client's entry for an address with a bearer token."""
    return lambda url: {**more, key: url, "headers": {"Authorization": f"Bearer {token}"}}


def _codex_http(url: str) -> Entry:
    return {"url": url, "bearer_token_env_var": TOKEN}


def _continue_http(url: str) -> Entry:
    headers = {"Authorization": f"Bearer ${{{{ secrets.{TOKEN} }}}}"}
    return {"type": "streamable-http", "url": url, "requestOptions": {"headers": headers}}


_FROM_ENVIRONMENT: Final = f"set {TOKEN} in the environment of {{title}}"
_BY_HAND: Final = f"{{title}} does not read variables: replace {TOKEN} by the token in {{file}}"


@dataclass(frozen=True)
class Client:
    """One client."""

    name: str
    title: str
    docs: str
    """The page of the client's documentation that names the file and the entry."""
    folders: Mapping[str, tuple[str, ...]]
    """The client's folder on each system; of several, the first that exists, else the first."""
    file: str
    """The file in that folder; it may contain the entry's name."""
    section: str = "mcpServers"
    format: Format = JsonText()  # noqa: RUF009 - it is frozen
    stdio: Callable[[Launch], Entry] = _stdio
    http: Callable[[str], Entry] | None = None
    token: str = _FROM_ENVIRONMENT
    """Tells the user how to give the client the token of an HTTP server."""
    moved_by: str = ""
    """The client's own variable that overrides the folder."""
    trace: str = ""
    """A file in the folder that shows that the client is installed, if the folder alone does not."""

    def folder(self, machine: Machine) -> Path:
        """Return the client's folder.

        Raises:
            SettingsError: the client's files are known on macOS and Linux only.
        """
        if moved := machine.moved.get(self.moved_by):
            return moved
        if machine.platform not in self.folders:
            raise SettingsError(f"--client: {self.title} is supported on macOS and Linux only")
        places = [machine.place(folder) for folder in self.folders[machine.platform]]
        return next((place for place in places if place.is_dir()), places[0])

    def path(self, machine: Machine, name: str) -> Path:
        """Return the file that holds the entry."""
        return self.folder(machine) / self.file.format(name=name)

    def is_here(self, machine: Machine, name: str) -> bool:
        """Whether the client has left files on this machine."""
        return (self.folder(machine) / self.trace).is_dir() or self.path(machine, name).exists()

    def entry(self, wanted: Launch | Remote) -> Entry:
        """Return the entry as this client expects it.

        Raises:
            SettingsError: it cannot call an address.
        """
        if isinstance(wanted, Launch):
            return self.stdio(wanted)
        if self.http is None:
            raise SettingsError(
                f"--http: {self.title} only starts servers itself and cannot call an address; omit --http"
            )
        return self.http(wanted.url)


def _everywhere(*folders: str) -> dict[str, tuple[str, ...]]:
    return {"darwin": folders, "linux": folders}


CLIENTS: Final = (
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        # The page names macOS; on Linux (beta) it is the folder of the same name in Electron's place. Addresses are
        # added in the app, which lets Anthropic's machines call them.
        docs="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        folders={"darwin": ("{home}/Library/Application Support/Claude",), "linux": ("{config}/Claude",)},
        file="claude_desktop_config.json",
    ),
    Client(
        name="claude-code",
        title="Claude Code",
        # The user scope: memories belong to a person, not to one project's .mcp.json that others check out.
        docs="https://code.claude.com/docs/en/mcp#mcp-installation-scopes",
        folders=_everywhere("{home}"),
        file=".claude.json",
        stdio=_typed_stdio,
        http=_http(f"${{{TOKEN}}}", type="http"),
        moved_by="CLAUDE_CONFIG_DIR",  # https://code.claude.com/docs/en/env-vars
        trace=".claude",
    ),
    Client(
        name="cursor",
        title="Cursor",
        docs="https://cursor.com/docs/mcp",
        folders=_everywhere("{home}/.cursor"),
        file="mcp.json",
        http=_http(f"${{env:{TOKEN}}}"),
    ),
    Client(
        name="vscode",
        title="VS Code",
        # The user profile's folder: https://code.visualstudio.com/docs/configure/settings
        docs="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
        folders={"darwin": ("{home}/Library/Application Support/Code/User",), "linux": ("{config}/Code/User",)},
        file="mcp.json",
        section="servers",
        format=JsonText(comments=True),
        stdio=_typed_stdio,
        http=_http(f"${{env:{TOKEN}}}", type="http"),
    ),
    Client(
        name="windsurf",
        title="Windsurf",
        docs="https://docs.windsurf.com/windsurf/cascade/mcp",
        folders=_everywhere("{home}/.codeium/windsurf"),
        file="mcp_config.json",
        http=_http(f"${{env:{TOKEN}}}", "serverUrl"),
    ),
    Client(
        name="zed",
        title="Zed",
        # The file: https://zed.dev/docs/configuring-zed
        docs="https://zed.dev/docs/ai/mcp",
        folders={"darwin": ("{home}/.config/zed",), "linux": ("{config}/zed",)},
        file="settings.json",
        section="context_servers",
        format=JsonText(comments=True),
        stdio=_zed_stdio,
        http=_http(TOKEN),
        token=_BY_HAND,
    ),
    Client(
        name="codex",
        title="Codex",
        docs="https://developers.openai.com/codex/mcp",
        folders=_everywhere("{home}/.codex"),
        file="config.toml",
        section="mcp_servers",
        format=TomlText(),
        http=_codex_http,
        moved_by="CODEX_HOME",  # https://developers.openai.com/codex/environment-variables
    ),
    Client(
        name="gemini-cli",
        title="Gemini CLI",
        docs="https://geminicli.com/docs/tools/mcp-server",
        folders=_everywhere("{home}/.gemini"),
        file="settings.json",
        format=JsonText(comments=True),
        http=_http(f"${{{TOKEN}}}", "httpUrl"),
    ),
    Client(
        name="continue",
        title="Continue",
        # A block of our own in the global folder, with secrets from its .env: https://docs.continue.dev/reference
        docs="https://docs.continue.dev/customize/deep-dives/mcp",
        folders=_everywhere("{home}/.continue"),
        file="mcpServers/{name}.yaml",
        format=Block(),
        http=_continue_http,
        token=f"write {TOKEN}=… into {{folder}}/.env",
    ),
    Client(
        name="lm-studio",
        title="LM Studio",
        # It follows Cursor's notation. The second folder is that of older installations, which still read it there:
        # https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1371
        docs="https://lmstudio.ai/docs/app/mcp",
        folders=_everywhere("{home}/.lmstudio", "{home}/.cache/lm-studio"),
        file="mcp.json",
        http=_http(TOKEN),
        token=_BY_HAND,
    ),
)


def named(name: str) -> Client:
    """Return the client of a known name."""
    return next(client for client in CLIENTS if client.name == name)
