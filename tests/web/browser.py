"""A browser that tests ask: one Node process with playwright-core, and pages in it."""

from __future__ import annotations

import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / ".node-web"
SHOTS = ROOT / ".run" / "web"
DRIVER = Path(__file__).with_name("driver.mjs")
WIDE, SMALL = (1280, 900), (360, 740)

Scheme = Literal["light", "dark"]


class BrowserError(AssertionError):
    """What was asked of the page did not come about."""


class Browser:
    """One browser for all tests of a process."""

    def __init__(self, chromium: str) -> None:
        self._node = subprocess.Popen(
            ["node", str(DRIVER), str(PROGRAMS), chromium],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = count(1)

    def ask(self, on: str, call: str, *args: object) -> Any:
        """Ask a page, or the browser, and return what comes back; raise BrowserError."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        number = next(self._numbers)
        self._node.stdin.write(json.dumps({"id": number, "on": on, "call": call, "args": args}) + "\n")
        self._node.stdin.flush()
        answer = json.loads(self._node.stdout.readline() or '{"error": "the browser has ended"}')
        if "error" in answer:
            raise BrowserError(f"{call}{args}: {answer['error']}")
        return answer["ok"]

    def open(self, url: str, *, size: tuple[int, int] = WIDE, scheme: Scheme = "light", context: str = "") -> Tab:
        """Open a page of a front: with its own cookies and storage, unless it shares another one's context."""
        name = f"page{next(self._numbers)}"
        shared = context or name
        viewport = {"width": size[0], "height": size[1]}
        self.ask("browser", "open", name, shared, {"viewport": viewport, "colorScheme": scheme, "baseURL": url})
        return Tab(self, name, shared)

    def end(self) -> None:
        """Close it."""
        assert self._node.stdin is not None
        self._node.stdin.close()
        self._node.wait(timeout=60)
        assert self._node.stdout is not None
        self._node.stdout.close()


class Tab:
    """One page. Selectors are Playwright's (CSS, `text=Save`, `role=button[name="Save"]`), and each waits for one."""

    def __init__(self, browser: Browser, name: str, context: str) -> None:
        self._browser = browser
        self._name = name
        self.context = context

    def do(self, call: str, *args: object) -> Any:
        """Call any method of Playwright's Page that takes and gives JSON."""
        return self._browser.ask(self._name, call, *args)

    def _special(self, call: str, *args: object) -> Any:
        return self._browser.ask("browser", call, self._name, *args)

    def goto(self, path: str) -> None:
        """Load an address, and wait until its view is there."""
        self.do("goto", path)
        self.settle()

    def settle(self) -> None:
        """Wait until what the address shows has come."""
        self.until("document.querySelector('main .view') && !document.querySelector('main[aria-busy]')")

    def click(self, selector: str, **options: object) -> None:
        self.do("click", selector, options)

    def fill(self, selector: str, text: str) -> None:
        self.do("fill", selector, text)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        for key in keys:
            self._special("press", key)

    def type(self, text: str) -> None:
        """Type, wherever the focus is."""
        self._special("type", text)

    def text(self, selector: str = "main") -> str:
        return str(self._special("text", selector))

    def texts(self, selector: str) -> list[str]:
        """Return what each element says."""
        return [str(each) for each in self._special("values", selector)]

    def count(self, selector: str) -> int:
        return int(self._special("count", selector))

    def wait(self, selector: str, state: Literal["visible", "hidden", "attached", "detached"] = "visible") -> None:
        self._special("wait", selector, state)

    def until(self, expression: str) -> None:
        """Wait until an expression of JavaScript is true."""
        self._special("until", expression)

    def js(self, expression: str, value: object = None) -> Any:
        """Return what an expression of JavaScript gives."""
        return self.do("evaluate", expression, value)

    @property
    def path(self) -> str:
        """What the address bar shows behind the origin."""
        return str(self.js("location.pathname + location.search + location.hash"))

    @property
    def errors(self) -> list[str]:
        """What the console and the page complained about."""
        return [str(each) for each in self._special("seen")["errors"]]

    @property
    def requests(self) -> list[str]:
        """Every request, `GET http://…`."""
        return [str(each) for each in self._special("seen")["requests"]]

    @property
    def dialogs(self) -> list[str]:
        """What alert and its like have shown; a page of ours has none."""
        return [str(each) for each in self._special("seen")["dialogs"]]

    def offline(self, *, off: bool = True) -> None:
        self._browser.ask("browser", "offline", self.context, off)

    def shot(self, name: str, *, full: bool = False) -> None:
        """Keep a picture in `.run/web/NAME.png`."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.do("screenshot", {"path": str(SHOTS / f"{name}.png"), "fullPage": full})

    def violations(self, *rules: str) -> list[str]:
        """Return what axe-core finds that is serious or critical, by all its rules or some of them."""
        return [
            f"{each['id']} ({each['impact']}): {each['help']}: {', '.join(each['where'])}"
            for each in self._special("axe", list(rules))
            if each["impact"] in {"serious", "critical"}
        ]

    def close(self) -> None:
        """Close it, and all that share its cookies."""
        self._browser.ask("browser", "close", self.context)
