from __future__ import annotations

from pathlib import Path

from fuzz.record import Record


def test_counts_are_seen_through_the_file(tmp_path: Path) -> None:
    writer, reader = Record(tmp_path / "record"), Record(tmp_path / "record")
    writer.add(True, 10, 0.5)
    writer.add(False, 4, 1.5)
    assert reader.read() == (2, 1, 10, 1.5, 2.0)
