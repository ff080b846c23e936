"""``sermtl serve``: a page that recognises what is recorded or uploaded in it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import threading

from sermtl.cli.options import add_model_options, load
from sermtl.errors import UserError

GRADIO = "gradio>=6,<7"  # setup.py's extra serve
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show the page until Ctrl-C."""
    # Not the extra: pip would bring what ESPnet declares, too, another torch among it.
    if importlib.util.find_spec("gradio") is None:
        raise UserError(f"sermtl serve needs gradio: pip install '{GRADIO}'")
    recognizer = load(args)
    with tempfile.TemporaryDirectory(prefix="sermtl-serve-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        _reach_directly(args.host)
        from sermtl.web.app import build

        page = build(recognizer)
        try:
            _, address, _ = page.launch(
                server_name=args.host,
                server_port=args.port or None,
                share=False,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                quiet=True,
                prevent_thread_lock=True,
            )
        except OSError as error:
            raise UserError(
                f"can't listen at {args.host}:{args.port}: it is taken, or no address of this "
                "machine. --port 0 takes a free port"
            ) from error
        try:
            print(f"{args.model} is at {address} until Ctrl-C", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            print()  # the terminal's ^C has a line of its own
        finally:
            page.close(verbose=False)


def _reach_directly(host: str) -> None:
    """Gradio asks the page that it has just started whether it is there; a proxy couldn't tell."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), host, "localhost"]))
