"""Take docs/serve.png, in the environment that run.sh makes:

CHROMIUM=$(type -P chromium) test/browser/venv/bin/python test/browser/screenshot.py \
    egs/demo/exp/train RECORDING SECONDS docs/serve.png
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from visit import Server, Visitor, browser


def main() -> None:
    """Answer one recording, and keep what the page looks like then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("window", type=int, help="seconds")
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        server = Server(args.model, Path(temporary))
        try:
            with browser(playwright, args.recording) as chromium:
                context = chromium.new_context(viewport={"width": 1100, "height": 700})
                visitor = Visitor(context, server.address)
                visitor.choose(args.recording)
                visitor.window(args.window)
                visitor.button.click()
                visitor.page.get_by_role("heading", name="Timeline").wait_for()
                visitor.page.mouse.move(0, 0)  # off the button, which would look pressed
                visitor.page.wait_for_timeout(500)  # bars grow
                visitor.page.screenshot(path=args.picture, full_page=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
