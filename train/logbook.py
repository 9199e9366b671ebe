"""What a run writes down on its way: CSV tables, TensorBoard events and a picture of the curves."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from train.curves import draw_curves

LOSS_FIELDS = ("step", "seconds", "rate", "loss", "dice", "focal", "prompts")
DICE_FIELDS = ("step", "dataset", "cases", "dice")
MEAN = "mean"


class Logbook:
    """Tables log.csv and validation.csv, the folder tensorboard and the picture curves.png.

    A run that goes on from an earlier step forgets the rows after it, so that no step is there
    twice.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Open.

        Args:
            folder: Of the run.
            step: Steps done, as the checkpoint says from which the run goes on.
        """
        self._folder = folder
        self._losses = _Table(folder / "log.csv", LOSS_FIELDS, step)
        self._dice = _Table(folder / "validation.csv", DICE_FIELDS, step)
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add_step(self, step: int, values: Mapping[str, float]) -> None:
        """Log an optimiser step; the values are named as in ``LOSS_FIELDS``."""
        self._losses.append([str(step), *(f"{values[name]:.9g}" for name in LOSS_FIELDS[1:])])
        for name in ("loss", "dice", "focal", "rate"):
            self._events.add_scalar(f"train/{name}", values[name], step)

    def add_validation(self, step: int, scores: Mapping[str, tuple[int, float]]) -> None:
        """Log (cases, mean Dice) per data set, and the mean over the data sets."""
        for dataset, (cases, dice) in scores.items():
            self._dice.append([str(step), dataset, str(cases), f"{dice:.6f}"])
            self._events.add_scalar(f"validation/{dataset}", dice, step)

    def draw(self) -> None:
        """Write curves.png from the tables, and hand the events over."""
        losses = [(int(row[0]), float(row[3])) for row in self._losses.rows()]
        dice: dict[str, list[tuple[int, float]]] = {}
        for step, dataset, _, value in self._dice.rows():
            dice.setdefault(dataset, []).append((int(step), float(value)))
        draw_curves(self._folder / "curves.png", losses, dice)
        self._events.flush()

    def close(self) -> None:
        """Draw a last time and close the event file."""
        self.draw()
        self._events.close()


class _Table:
    """A CSV file whose first field is the step."""

    def __init__(self, path: Path, fields: tuple[str, ...], step: int) -> None:
        self.path, self.width = path, len(fields)
        kept = [row for row in self.rows() if int(row[0]) <= step] if path.exists() else []
        partial = path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            csv.writer(file).writerows([fields, *kept])
        os.replace(partial, path)

    def append(self, row: list[str]) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)

    def rows(self) -> list[list[str]]:
        """All whole rows; the last one may be torn where a process was killed."""
        with self.path.open(newline="") as file:
            text = file.read()
        lines = text[: text.rfind("\n") + 1].splitlines()[1:]
        return [row for row in csv.reader(lines) if len(row) == self.width]
