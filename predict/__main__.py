"""``python -m predict``: see ``python -m predict --help``."""

from __future__ import annotations

import logging
import os
import sys

from predict.cli import main
from predict.streams import usable_streams


def leave(status: int) -> None:
    """End the process; torch would take a quarter of a second to be taken down in order."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    with usable_streams():
        leave(main())
