"""A real Chromium, asked over its debugging pipe: what a page holds, how it looks, what it complains of."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE_S = 20.0
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


class Browser:
    """One Chromium for a module of tests: to start it takes longer than to ask it."""

    def __init__(self, folder: str) -> None:
        assert CHROMIUM is not None
        at = ("--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank")
        asked, self._ask = os.pipe()
        self._answers, answered = os.pipe()

        def as_it_wants_them() -> None:
            """It reads questions on 3 and answers on 4; both may be in use here."""
            question, answer = os.dup(asked), os.dup(answered)
            os.dup2(question, 3)
            os.dup2(answer, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *QUIET, *at],
            close_fds=False,  # what Python opened is not inherited; 3 and 4 are
            preexec_fn=as_it_wants_them,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(answered)
        self._received = b""
        self._n_asked = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """What Chromium answers; events that come meanwhile are kept."""
        self._n_asked += 1
        message = {"id": self._n_asked, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next(PATIENCE_S)
            assert said is not None, f"{method}: Chromium does not answer"
            if said.get("id") == self._n_asked:
                assert "error" not in said, f"{method}: {said['error']}"
                return dict(said["result"])
            self.events.append(said)

    def _next(self, timeout_s: float) -> dict[str, Any] | None:
        until_s = time.monotonic() + timeout_s
        while b"\0" not in self._received:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not select.select([self._answers], [], [], left_s)[0]:
                return None
            self._received += os.read(self._answers, 1 << 20)
        raw, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(raw))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ask)
        os.close(self._answers)


class Page:
    """One tab, as wide as asked, light or dark, with or without scripts."""

    def __init__(self, browser: Browser, *, width: int, is_dark: bool, runs_scripts: bool = True) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._target = target
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not runs_scripts)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def go(self, url: str) -> "Page":
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")
        return self

    def value(self, expression: str) -> Any:
        """What an expression is worth; a promise is waited for."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, f"{expression}: {said.get('exceptionDetails')}"
        return said["result"].get("value")

    def wait(self, expression: str, timeout_s: float = PATIENCE_S) -> Any:
        """Until it is true."""
        until_s = time.monotonic() + timeout_s
        while not (found := self.value(expression)):
            assert time.monotonic() < until_s, f"{expression}: not within {timeout_s} s; {self.complaints()}"
            time.sleep(0.05)
        return found

    def press(self, key: str) -> None:
        """A key on what has the focus."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and what the page tried to fetch but itself."""
        self.value("1")  # what was on its way has arrived
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            said, about = event["method"], event["params"]
            if said == "Runtime.exceptionThrown":
                found.append(str(about["exceptionDetails"]))
            elif said == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                found.append(str(about["entry"]))
            elif said == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
                found.append(str(about["args"]))
        return found

    def fetched(self) -> list[str]:
        """Every address that was asked for."""
        return [
            str(event["params"]["request"]["url"])
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        said = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(said["data"]))

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Started, and ended with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            yield browser
        finally:
            browser.close()
