"""``python -m evaluate``: see ``python -m evaluate --help``."""

from __future__ import annotations

import sys

from evaluate.cli import main

if __name__ == "__main__":
    sys.exit(main())
