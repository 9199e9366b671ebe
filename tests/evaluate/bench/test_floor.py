from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluate.bench.floor import main


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("inputs", "masks", "outputs")]
    for folder in made:
        folder.mkdir()
    return made


def test_it_reads_every_case_and_writes_its_mask(folders: list[Path]) -> None:
    inputs, masks, outputs = folders
    wanted = {}
    for name in ("a", "b"):
        wanted[name] = np.random.default_rng(len(wanted)).integers(0, 9, (3, 4, 5), dtype=np.uint8)
        np.savez(inputs / f"{name}.npz", imgs=np.zeros((3, 4, 5), np.uint8))
        np.save(masks / f"{name}.npy", wanted[name])
    main(inputs, masks, outputs, "cpu")
    for name, mask in wanted.items():
        with np.load(outputs / f"{name}.npz") as arrays:
            assert np.array_equal(arrays["segs"], mask)
    report = json.loads((outputs / "report.json").read_text())
    assert [case["case"] for case in report["cases"]] == ["a.npz", "b.npz"]
    assert [set(case["seconds"]) for case in report["cases"]] == [{"read", "write"}] * 2
    assert report["device"] == "cpu"
    assert report["threads"] >= 1
    assert set(report["startup"]) == {"process", "imports"}


def test_it_does_not_do_without_reading(folders: list[Path]) -> None:
    inputs, masks, outputs = folders
    np.savez(inputs / "a.npz", something=np.zeros(3))
    np.save(masks / "a.npy", np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(KeyError):
        main(inputs, masks, outputs, "cpu")
