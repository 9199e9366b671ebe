"""Kill folder runs at random moments and look at what is left.

    python -m tests.faults.kill --bundle BUNDLE [--kills 500] [--cases 20] [--seed 0]

A run into an empty folder is killed, checked, run again with ``--skip-existing``, killed, checked,
and so on up to six times, then let finish, compared and begun anew. A quarter of the kills come
while a run starts, a quarter while a temporary file is there, the others at any time between. At
any time every output must be whole, and byte by byte that of an undisturbed run. Processes are
forks of this one, which has imported everything but computed nothing.
Exit status: 0 all were; 1 some were not.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import predict.folder  # noqa: F401  (with torch, for all forks)
from predict.cli import main as main_of_predict
from predict.streams import usable_streams
from tests.faults.small_cases import read_masks, write_cases

FORKS = get_context("fork")
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


@dataclass
class Tally:
    """What happened.

    Attributes:
        kills: Processes that a signal ended, by its name.
        unfinished: Of those, the ones whose folder was still incomplete.
        writing: Of those, the ones that left a temporary file.
        completed: Folders that a last run with ``--skip-existing`` completed.
        problems: What must not be, one line each.
    """

    kills: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    writing: int = 0
    completed: int = 0
    problems: list[str] = field(default_factory=list)


class Experiment:
    """Cases, a bundle, and the outputs of an undisturbed run of them."""

    def __init__(self, folder: Path, bundle: Path, cases: int) -> None:
        self.inputs = write_cases(folder / "inputs", cases)
        self.outputs = folder / "outputs"
        self.bundle = bundle
        start = time.monotonic()
        assert self._finish() == 0
        self.seconds = time.monotonic() - start
        self.expected = read_masks(self.outputs)
        assert len(self.expected) == cases

    def kill(self, kills: int, seed: int, *, progress: bool = False) -> Tally:
        """Kill as many runs at random moments."""
        chance, tally = random.Random(seed), Tally()
        while tally.kills.total() < kills and not tally.problems:
            shutil.rmtree(self.outputs)
            for _ in range(chance.randint(1, 6)):
                if tally.kills.total() < kills:
                    self._kill_once(chance, tally)
            status = self._finish()
            masks = read_masks(self.outputs)
            if status != 0 or masks != self.expected:
                tally.problems.append(f"the last run: status {status}, {len(masks)} outputs")
            tally.completed += 1
            if progress:
                print(tally, file=sys.stderr, flush=True)
        return tally

    def _kill_once(self, chance: random.Random, tally: Tally) -> None:
        before = self._left()
        process, sign = self._start(), chance.choice(SIGNALS)
        moment = chance.choice(("start", "writing", "any", "any"))
        if moment == "start":
            time.sleep(chance.uniform(0, self.seconds / 2))
        else:
            missing = len(self.expected) - self._done()
            wanted = len(self.expected) - chance.randint(0, missing)
            _wait(process, lambda: self._done() >= wanted)
            if moment == "writing":
                _wait(process, lambda: self._left() > before)
            else:
                time.sleep(chance.uniform(0, 2 * self.seconds / len(self.expected)))
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, sign)
        process.join()
        if process.exitcode == 0:  # it was faster
            return
        tally.kills[sign.name] += 1
        masks = read_masks(self.outputs)
        tally.unfinished += len(masks) < len(self.expected)
        tally.writing += self._left() > before
        for name, content in masks.items():
            if self.expected.get(name) != content:
                tally.problems.append(f"{name}: partial or wrong after {sign.name}")

    def _done(self) -> int:
        """How many outputs there are."""
        return sum(1 for _ in self.outputs.glob("case*.npz"))

    def _left(self) -> int:
        """How many temporary files there are."""
        return sum(1 for _ in self.outputs.glob(".*.partial*"))

    def _finish(self) -> int | None:
        process = self._start()
        process.join()
        return process.exitcode

    def _start(self) -> ForkProcess:
        arguments = ["run", str(self.inputs), str(self.outputs), f"--bundle={self.bundle}"]
        process = FORKS.Process(target=_run, args=([*arguments, "--skip-existing"],))
        process.start()
        return process


def _run(arguments: Sequence[str]) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    with usable_streams():
        status = main_of_predict(arguments)
    sys.exit(status)


def _wait(process: ForkProcess, condition: Callable[[], bool]) -> None:
    """Until it holds or the process ends."""
    while process.is_alive() and not condition():
        time.sleep(0.001)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment and print what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(Path(folder), options.bundle.resolve(), options.cases)
        tally = experiment.kill(options.kills, options.seed, progress=True)
    print(tally)
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
