"""SECURITY.md promises what tests show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/\S+?\.py)(?:::(\w+))?`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    for path, name in named:
        assert f"def {name or 'test_'}" in (ROOT / path).read_text(), f"{path}::{name}"


def test_every_promise_names_a_test() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("| promise |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row] == []
