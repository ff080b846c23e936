"""``sermtl serve``: a page that recognises what is recorded or uploaded in it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sermtl.cli.options import add_model_options, load, positive
from sermtl.errors import UserError

if TYPE_CHECKING:
    from sermtl.recognizer import EmotionRecognizer

GRADIO = "gradio>=6,<7"  # setup.py's extra serve
LOCAL = ["127.0.0.1", "localhost"]
DETAILS = """\
Show a page on this machine: record or choose speech, and see what the model says of it. Nobody
elsewhere can reach it, unless --host names an address that they can; browsers let such a page
have no microphone."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "serve", help="recognise recordings in the browser", description=DETAILS
    )
    add_model_options(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=7860,
        help="port to listen at; 0: the first free one from 7860 on (default: %(default)s)",
    )
    parser.add_argument(
        "--max_megabytes",
        type=positive,
        default=100,
        metavar="MB",
        help="of an upload, at most (default: %(default)s)",
    )
    parser.add_argument(
        "--max_seconds",
        type=positive,
        default=600,
        metavar="SECONDS",
        help="of a recording, at most (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show the page until Ctrl-C."""
    # Not the extra: pip would bring what ESPnet declares, too, another torch among it.
    if importlib.util.find_spec("gradio") is None:
        raise UserError(f"sermtl serve needs gradio: pip install '{GRADIO}'")
    limits = round(args.max_megabytes * 1e6), args.max_seconds
    with serving(load(args), args.host, args.port, *limits) as address:
        print(f"{args.model} is at {address} until Ctrl-C", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        print()  # the terminal's ^C has a line of its own


@contextmanager
def serving(
    recognizer: EmotionRecognizer, host: str, port: int, max_bytes: int, max_seconds: float
) -> Iterator[str]:
    """The page while the block lasts, and its address; then nothing of what came is left.

    Raises:
        UserError: if it can't listen there.
    """
    with tempfile.TemporaryDirectory(prefix="sermtl-serve-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        _reach_directly(host)
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from sermtl.web.app import build
        from sermtl.web.door import Door
        from sermtl.web.keeping import swept

        middleware = [Middleware(Door, max_bytes=max_bytes, folder=Path(folder))]
        if host in LOCAL:  # no name of another site's, which may lead here, too
            middleware.insert(0, Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL))
        page = build(recognizer, max_seconds)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port or None,
                share=False,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=max_bytes,
                app_kwargs={"middleware": middleware},
            )
        except OSError as error:
            raise UserError(
                f"can't listen at {host}:{port}: it is taken, or no address of this machine. "
                "--port 0 takes a free port"
            ) from error
        try:
            with swept(Path(folder)):
                yield address
        finally:
            page.close(verbose=False)


def _reach_directly(host: str) -> None:
    """Gradio asks the page that it has just started whether it is there; a proxy couldn't tell."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), host, "localhost"]))
