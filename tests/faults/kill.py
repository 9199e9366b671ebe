"""Kill folder runs at random moments and look at what is left.

    python -m tests.faults.kill --bundle BUNDLE [--kills 500] [--cases 40] [--seed 0]

A run into an empty folder is killed, checked, run again with ``--skip-existing``, killed, checked,
and so on up to six times, then let finish, compared and begun anew. A quarter of the kills come
while a run starts, a quarter while a temporary file is there, the others at any time between. Every
output must be whole and byte by byte that of an undisturbed run, at any time.
Exit status: 0 all were; 1 some were not.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.small_cases import ROOT, read_masks, write_cases

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
        assert self._start().wait() == 0
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
            status = self._start().wait()
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
            time.sleep(chance.uniform(0, 1.5))
        else:
            missing = len(self.expected) - len(read_masks(self.outputs))
            wanted = len(self.expected) - chance.randint(0, missing)
            _wait(process, lambda: len(read_masks(self.outputs)) >= wanted)
            if moment == "writing":
                _wait(process, lambda: self._left() > before)
            else:
                time.sleep(chance.uniform(0, 2 * self.seconds / len(self.expected)))
        process.send_signal(sign)
        if process.wait(timeout=60) == 0:  # it was faster
            return
        tally.kills[sign.name] += 1
        masks = read_masks(self.outputs)
        tally.unfinished += len(masks) < len(self.expected)
        tally.writing += self._left() > before
        for name, content in masks.items():
            if self.expected.get(name) != content:
                tally.problems.append(f"{name}: partial or wrong after {sign.name}")

    def _left(self) -> int:
        """How many temporary files there are."""
        return sum(1 for _ in self.outputs.glob(".*.partial*"))

    def _start(self) -> subprocess.Popen[bytes]:
        run = (sys.executable, "-m", "predict", "run", str(self.inputs), str(self.outputs))
        return subprocess.Popen(
            [*run, f"--bundle={self.bundle}", "--skip-existing"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Until it holds or the process ends."""
    while process.poll() is None and not condition():
        time.sleep(0.0005)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment and print what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(Path(folder), options.bundle.resolve(), options.cases)
        tally = experiment.kill(options.kills, options.seed, progress=True)
    print(tally)
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
