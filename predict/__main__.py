"""``python -m predict``: see ``python -m predict --help``."""

from __future__ import annotations

import sys

from predict.cli import main

if __name__ == "__main__":
    sys.exit(main())
