from __future__ import annotations

from pathlib import Path

from predict.hashing import file_sha256

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_a_known_hash(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == ABC


def test_no_file_no_hash(tmp_path: Path) -> None:
    assert file_sha256(tmp_path / "absent") is None
    assert file_sha256(tmp_path) is None
