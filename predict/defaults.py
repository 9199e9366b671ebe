"""What commands and the Python interface use when nothing is said."""

from __future__ import annotations

from pathlib import Path

DEFAULT_BUNDLE = Path(__file__).resolve().parents[1] / "weights" / "default"
