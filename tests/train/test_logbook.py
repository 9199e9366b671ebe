from __future__ import annotations

from pathlib import Path

from PIL import Image

from train.logbook import LOSS_FIELDS, Logbook

VALUES = {name: 0.5 for name in LOSS_FIELDS[1:]}


def _steps(path: Path) -> list[int]:
    return [int(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]


def test_a_resumed_run_has_no_row_twice(tmp_path: Path) -> None:
    book = Logbook(tmp_path, 0)
    for step in range(1, 6):
        book.add_step(step, VALUES)
        book.add_validation(step, {"CT_A": (3, 0.25)})
    book.close()
    with (tmp_path / "log.csv").open("a") as file:
        file.write("6,0.5,0.")  # torn where a process was killed
    book = Logbook(tmp_path, 3)
    assert _steps(tmp_path / "log.csv") == _steps(tmp_path / "validation.csv") == [1, 2, 3]
    book.add_step(4, {**VALUES, "loss": 0.125})
    book.close()
    assert _steps(tmp_path / "log.csv") == [1, 2, 3, 4]
    assert (tmp_path / "log.csv").read_text().splitlines()[-1] == "4,0.5,0.5,0.125,0.5,0.5,0.5"
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == ",".join(LOSS_FIELDS)


def test_the_picture_and_the_events_are_written(tmp_path: Path) -> None:
    book = Logbook(tmp_path, 0)
    book.draw()
    book.add_step(1, VALUES)
    book.close()
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
    assert any(path.stat().st_size for path in (tmp_path / "tensorboard").iterdir())
