from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.__main__ import write_examples
from examples.volumes import KINDS
from predict.npz import read_case


def test_the_cases_are_valid_inputs_with_ground_truth(tmp_path: Path) -> None:
    paths = write_examples(tmp_path)
    inputs = [path for path in paths if path.parent.name == "inputs"]
    assert len(inputs) == len(KINDS)
    for path in inputs:
        case = read_case(path)
        assert case.warnings == case.rejected == ()
        with np.load(tmp_path / "labels" / path.name) as truth:
            assert truth["gts"].shape == case.image.shape
    assert sum(read_case(path).instance for path in inputs) == 1


def test_files_already_there_are_kept(tmp_path: Path) -> None:
    first = write_examples(tmp_path)[0]
    first.write_bytes(b"mine")
    write_examples(tmp_path)
    assert first.read_bytes() == b"mine"
