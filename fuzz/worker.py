"""The process that fuzzes: atheris (libFuzzer) guided by branches taken in Python code.

``python -m fuzz`` starts it and outlives it, so that a crash of a C library is seen too.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import atheris
import PIL.Image

if TYPE_CHECKING:
    from fuzz.targets import Target

WALL_SECONDS = 60
MOST_MEMORY_MB = 3000


def fuzz(name: str, scratch: Path, options: list[str]) -> None:
    """Fuzz a target; never returns: libFuzzer ends the process.

    Args:
        name: A key of `fuzz.targets.TARGETS`.
        scratch: Folder, best in memory, of ``record``, ``current`` (the input that is read),
            ``broken`` (which promise the last one broke) and ``files`` (what readers find).
        options: Of libFuzzer, and the folder of the corpus.
    """
    target = _instrumented(name)
    from fuzz.check import check
    from fuzz.guard import Guard
    from fuzz.record import Record

    guard, record = Guard(), Record(scratch / "record")
    current, folder = scratch / "current", scratch / "files"
    folder.mkdir(exist_ok=True)
    tempfile.tempdir = str(folder)
    for seed in target.seeds():
        _try(target, seed, folder)

    def one(data: bytes) -> None:
        current.write_bytes(data)
        outcome = check(target, data, folder, guard)
        record.add(outcome.accepted, outcome.memory, outcome.seconds)
        if outcome.broken:
            (scratch / "broken").write_text(outcome.broken)
            raise AssertionError(outcome.broken)

    limits = [f"-timeout={WALL_SECONDS}", f"-rss_limit_mb={MOST_MEMORY_MB}"]
    arguments = [sys.argv[0], *limits, f"-artifact_prefix={folder}/", *options]
    extra: dict[str, Any] = {}
    if target.archive:
        extra["custom_mutator"] = _mutator
    atheris.Setup(arguments, one, **extra)
    atheris.Fuzz()


def _mutator(data: bytes, most: int, seed: int) -> bytes:
    from fuzz.mutate import change_npz

    return change_npz(data, most, seed, lambda part, room: bytes(atheris.Mutate(part, room)))


def _instrumented(name: str) -> Target:
    """The target, after its modules were loaded with counters at their branches."""
    from fuzz.targets import TARGETS

    target = TARGETS[name]
    for module in [m for m in sys.modules if m.startswith(target.modules)]:
        del sys.modules[module]
    with atheris.instrument_imports(include=list(target.modules)):
        import predict.cases
        import predict.formats
        import predict.npz
        import predict.pickles  # noqa: F401

        # Readers import their libraries when they meet a file.
        with tempfile.TemporaryDirectory() as folder:
            for seed in target.seeds()[:40]:
                _try(target, seed, Path(folder))
    PIL.Image.init()  # its decoders are loaded at the first JPEG in a DICOM file
    return target


def _try(target: Target, seed: bytes, folder: Path) -> None:
    try:
        target.read(seed, folder)
    except Exception:
        return


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    fuzz(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
