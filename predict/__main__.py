"""``python -m predict``: see ``python -m predict --help``."""

from __future__ import annotations

import sys

from predict.cli import main
from predict.streams import usable_streams

if __name__ == "__main__":
    with usable_streams():
        status = main()
    sys.exit(status)
