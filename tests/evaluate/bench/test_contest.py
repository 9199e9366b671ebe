from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from evaluate.bench.cases import Synthetic
from evaluate.bench.contest import Setting, compete
from evaluate.bench.shape import Shape
from predict.errors import UsageError

BACKGROUND = """
import pathlib, sys
import numpy as np
for path in pathlib.Path(sys.argv[1]).glob("*.npz"):
    shape = np.load(path)["imgs"].shape
    np.savez(pathlib.Path(sys.argv[2]) / path.name, segs=np.zeros(shape, np.uint8))
"""
WORKLOAD = Synthetic(shape=Shape(6, 20, 30), prompts=2, cases=2)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_floor_product_and_reference_have_their_turns(
    tiny_bundle: Path, scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = tmp_path / "published"
    published.mkdir()
    (published / "predict.py").write_text(BACKGROUND)
    (published / "predict.sh").write_text(f'exec {sys.executable} predict.py "$@"\n')
    setting = Setting(
        bundle=tiny_bundle, device="cpu", threads=1, repeats=1, reference=published.resolve()
    )
    contest = compete(WORKLOAD, setting)
    assert contest.reference is not None
    for series in (contest.floor, contest.product, contest.reference):
        (run,) = series.runs
        assert run.seconds > 0
        assert run.cpu_seconds > 0
        assert run.peak_memory_mb > 20
    assert contest.equal == pytest.approx(1 - contest.foreground)
    (product,) = contest.product.runs
    assert sum(product.stages.values()) == pytest.approx(product.seconds)
    assert {"interpreter", "imports", "weights", "decode", "teardown"} < set(product.stages)
    assert 0 < product.slowest < product.seconds
    assert 0 < contest.floor.start < contest.floor.seconds
    assert contest.machine["device"] == "cpu"
    assert contest.machine["threads"] == 1
    assert "2 cases, 2 prompts, 6x20x30: 1/1: floor" in capsys.readouterr().err
    assert not list(scratch.iterdir())


def test_a_failing_product_ends_the_contest(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^predict: expected exit status 0, received 2: no bundle"
    ):
        compete(WORKLOAD, Setting(bundle=tmp_path / "nothing", repeats=1))
    assert not list(scratch.iterdir())
