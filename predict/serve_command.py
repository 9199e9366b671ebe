"""``python -m predict serve``: the web page and REST service, where its requirements are there."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from predict.defaults import DEFAULT_BUNDLE
from predict.errors import UsageError

EPILOG = """\
examples:
  python -m predict serve --folder scans          open http://127.0.0.1:8080 in a browser
  python -m predict serve --host 0.0.0.0          prints an address with a token in it
The token can also be given in the environment variable TEXT3DSAM_TOKEN.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``serve``."""
    parser = commands.add_parser(
        "serve",
        help="open a local web page and REST service",
        description="Serve a web page and a REST service until interrupted; needs no network.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="default: %(default)s; 0: any free")
    parser.add_argument("--folder", type=Path, help="cases that the page may open, where they lie")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--token", help="asked of every request; beyond loopback one is made if none is given"
    )
    parser.add_argument(
        "--max-upload-mb", type=int, default=2048, metavar="MB", help="default: %(default)s"
    )
    parser.set_defaults(command=serve)


def serve(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    if options.max_upload_mb < 1:
        raise UsageError(f"--max-upload-mb: expected 1 or more, received {options.max_upload_mb}")
    try:
        start = import_module("serve.cli").start
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serve: {error.name} is not installed; pip install -r serve/requirements.txt"
        ) from error
    return int(start(options))
