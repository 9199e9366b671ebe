from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluate.limits.volumes import Volume
from predict.errors import UsageError
from predict.instances import separate_instances
from predict.npz import read_case


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_a_written_volume_is_a_case(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "case.npz"
    volume = Volume(shape=(4, 6, 5), dtype=dtype, prompts=3)
    volume.write(path)
    with np.load(path) as arrays:
        assert arrays["imgs"].dtype == dtype
        assert len(np.unique(arrays["imgs"])) > 10
    case = read_case(path)
    assert case.image.shape == (4, 6, 5)
    assert len(case.prompts) == 3
    assert not case.instance
    assert [w.startswith("imgs: expected 0..255") for w in case.warnings] == [True] * (
        dtype == "int16"
    )


def test_an_instance_volume_is_full_of_balls(tmp_path: Path) -> None:
    path = tmp_path / "case.npz"
    Volume(shape=(40, 80, 120), instance=True).write(path)
    case = read_case(path)
    assert case.instance
    assert separate_instances(case.image > 100).count == 6


def test_words_for_volumes() -> None:
    assert Volume.parse("4x5x6") == Volume(shape=(4, 5, 6))
    volume = Volume.parse("4x5x6:int16:7:instance")
    assert volume == Volume(shape=(4, 5, 6), dtype="int16", prompts=7, instance=True)
    assert str(volume) == "4x5x6 int16, 7 prompts, instance"


@pytest.mark.parametrize("text", ["4x5", "axbxc", "4x5x6:uint8:many", "4x5x6:text", "0x1x1"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected"):
        Volume.parse(text)
