"""Start the server."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from argparse import Namespace
from pathlib import Path

import uvicorn

from predict.api import Segmenter
from predict.errors import UsageError
from predict.report import device_name
from serve.app import create_app
from serve.limits import Limits
from serve.security import check_token, is_loopback
from serve.settings import Settings

TOKEN_VARIABLE = "TEXT3DSAM_TOKEN"


def start(options: Namespace) -> int:
    """Load the bundle and serve until interrupted.

    Args:
        options: host, port, bundle, device, folder, token, max_upload_mb.

    Raises:
        UsageError: The address is taken or not ours, the token too short, no such folder.
        BundleError: The bundle is missing or damaged.
    """
    loopback = is_loopback(options.host)
    token = choose_token(options.token or os.environ.get(TOKEN_VARIABLE), loopback=loopback)
    listening = listen(options.host, options.port)
    with listening:
        engine = Segmenter.load(options.bundle, device=options.device)
        settings = Settings(
            token=token,
            loopback=loopback,
            folder=options.folder,
            limits=Limits(upload_bytes=options.max_upload_mb * 2**20),
            about=_about(engine, options.bundle),
            known=_known(engine),
        )
        app = create_app(engine, settings)
        port = listening.getsockname()[1]
        print(f"Text3DSAM: {address(options.host, port, token)}   (Ctrl-C ends it)", flush=True)
        if not loopback:
            print("no encryption: use it in a trusted network, or tunnel it", file=sys.stderr)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=64,
            timeout_graceful_shutdown=5,
        )
        with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
            uvicorn.Server(config).run(sockets=[listening])
    return 0


def choose_token(given: str | None, *, loopback: bool) -> str | None:
    """The token to ask for: the given one, else a fresh one beyond loopback, none on it.

    Raises:
        UsageError: The given one is too short.
    """
    check_token(given)
    return given if given or loopback else secrets.token_urlsafe(24)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        UsageError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--host {host} --port {port}: cannot listen there ({reason})") from error


def address(host: str, port: int, token: str | None) -> str:
    """The page's address; the part behind # stays in the browser and signs it in."""
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"#token={token}" if token else "")


def _about(segmenter: Segmenter, bundle: Path) -> dict[str, str]:
    return {
        "bundle": bundle.name,
        "bundle SHA-256": segmenter.bundle_sha256,
        "device": device_name(segmenter.predictor.device),
    }


def _known(segmenter: Segmenter) -> dict[str, tuple[str, ...]]:
    known = segmenter.known_prompts
    if known is None:
        return {}
    return {m: tuple(c.name for c in known.of(m)) for m in known.modalities}
