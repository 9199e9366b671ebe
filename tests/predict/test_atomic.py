from __future__ import annotations

from pathlib import Path

import pytest

from predict.atomic import replacing


@pytest.mark.parametrize(
    ("name", "ending"), [("a.nii.gz", ".partial.nii.gz"), ("a.seg.nrrd", ".partial.nrrd")]
)
def test_the_file_appears_when_it_is_whole(tmp_path: Path, name: str, ending: str) -> None:
    with replacing(tmp_path / name) as partial:
        partial.write_text("whole")
        assert partial.name.endswith(ending)
        assert not (tmp_path / name).exists()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "whole")]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nothing_is_left_when_it_fails(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a.mha") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert not list(tmp_path.iterdir())
