"""JSON files that a command is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from predict.errors import UsageError


def read_json_table(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        UsageError: Not readable, or something else.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected a readable JSON file ({error})") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path}: expected a JSON table, received {type(table).__name__}")
    return table
