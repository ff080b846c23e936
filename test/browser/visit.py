"""A `sermtl serve` of one's own, and a visitor of its page."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright

# Answers take tens of milliseconds; the first one, and a busy machine, more.
PATIENCE = 60_000  # ms


class Server:
    """``sermtl serve MODEL`` in a process of its own.

    Attributes:
        address: of the page.
        outside: whatever the process wants of other hosts comes here.
        temporary: where it keeps recordings.
    """

    def __init__(self, model: Path, temporary: Path) -> None:
        self.outside = socket.create_server(("127.0.0.1", 0))
        self.temporary = temporary
        proxy = f"http://127.0.0.1:{self.outside.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sermtl.cli", "serve", str(model), "--port", "0"],
            env={**os.environ, **proxies, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert " is at http://127.0.0.1:" in line, line
        self.address = line.split(" is at ")[1].split()[0]

    def connections(self) -> int:
        """How often the process tried to reach another host."""
        self.outside.setblocking(False)
        count = 0
        while True:
            try:
                self.outside.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.outside.close()


@contextmanager
def browser(playwright: Playwright, spoken: Path) -> Iterator[Browser]:
    """Chromium, whose microphone hears the recording ``spoken`` over and over."""
    arguments = ["--no-sandbox"]  # root can't have one
    arguments += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    arguments += [f"--use-file-for-fake-audio-capture={spoken}"]
    chromium = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=arguments, timeout=PATIENCE
    )
    try:
        yield chromium
    finally:
        chromium.close()


class Visitor:
    """Somebody at the page.

    Attributes:
        requests: addresses that the page asked for.
    """

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.button.wait_for()

    @property
    def button(self) -> Locator:
        return self.page.get_by_role("button", name="Recognise", exact=True)

    def choose(self, path: Path) -> None:
        """Upload a file, in place of the one before."""
        self.clear()
        self.page.locator("input[type=file]").first.set_input_files(path)
        self.page.get_by_role("button", name="Clear").wait_for()

    def choose_other(self, path: Path) -> None:
        """Upload a file that the browser doesn't take for audio."""
        self.clear()
        self.page.get_by_role("button", name="Other kinds of files").click()
        self.page.locator("input[type=file]").last.set_input_files(path)
        self.page.get_by_text(path.suffix).wait_for()

    def record(self, seconds: float) -> None:
        """Speak into the microphone."""
        self.clear()
        self.page.get_by_role("button", name="Record audio").click()
        self.page.get_by_role("button", name="Record", exact=True).click()
        self.page.wait_for_timeout(1000 * seconds)
        self.page.get_by_role("button", name="Stop", exact=True).click()
        self.page.get_by_role("button", name="Play", exact=True).wait_for()

    def clear(self) -> None:
        button = self.page.get_by_role("button", name="Clear")
        if button.count():
            button.first.click()
            button.first.wait_for(state="detached")

    def window(self, seconds: int) -> None:
        field = self.page.locator("input[type=number]")
        field.fill(str(seconds))
        field.press("Enter")

    def bars(self, label: str) -> dict[str, int]:
        """Names and percentages of a component, once they are there."""
        title = self.page.get_by_test_id("block-label").filter(has_text=re.compile(rf"^\s*{label}"))
        block = self.page.get_by_test_id("label").filter(has=title)
        block.wait_for()
        rows = (row.inner_text().split("\n") for row in block.get_by_role("button").all())
        return {name: int(share.rstrip("%")) for name, share in rows}
