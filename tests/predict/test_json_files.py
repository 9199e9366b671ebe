from __future__ import annotations

from pathlib import Path

import pytest

from predict.errors import UsageError
from predict.json_files import read_json_table


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"organ": ["Leber", "f\\u00ede"]}', encoding="utf-8")
    assert read_json_table(tmp_path / "a.json") == {"organ": ["Leber", "fíe"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "expected a readable JSON file"),
        (b"\xff\xfe{}", "expected a readable JSON file"),
        (b"[1]", "expected a JSON table, received list"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_json_table(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json: expected a readable JSON file"):
        read_json_table(tmp_path / "none.json")
