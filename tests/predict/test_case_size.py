from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict import case_size as module
from predict.case_size import plan_case, read_case_size
from predict.errors import CaseError
from predict.free_memory import FreeMemory
from predict.memory import CaseSize
from predict.model.config import ModelConfig

WriteNpz = Callable[..., Path]


def test_headers_tell_the_size(write_npz: WriteNpz) -> None:
    expected = CaseSize(shape=(6, 7, 8), dtype=np.dtype(np.uint8), prompts=2)
    assert read_case_size(write_npz()) == expected
    prompts = {"4": "nuclei", "5": "never read", "instance_label": 1}
    found = read_case_size(write_npz(imgs=np.zeros((2, 3, 4), ">f8"), text_prompts=prompts))
    assert found == CaseSize(shape=(2, 3, 4), dtype=np.dtype(">f8"), prompts=1, instance=True)


@pytest.mark.parametrize(
    "broken",
    [
        {"imgs": None},
        {"imgs": np.zeros((6, 7), np.uint8)},
        {"imgs": np.zeros((0, 7, 8), np.uint8)},
        {"imgs": np.zeros((6, 7, 8), np.complex64)},
        {"imgs": np.array([None])},
        {"text_prompts": None},
        {"text_prompts": {"instance_label": 0}},
    ],
)
def test_what_is_not_a_case_is_left_to_the_reader(
    write_npz: WriteNpz, tiny_config: ModelConfig, broken: dict[str, object]
) -> None:
    path = write_npz(**broken)
    assert read_case_size(path) is None
    assert plan_case(path, tiny_config) is None


def test_neither_noise_nor_links_are_read(write_npz: WriteNpz, tmp_path: Path) -> None:
    link, noise = tmp_path / "link.npz", tmp_path / "noise.npz"
    link.symlink_to(write_npz())
    noise.write_bytes(b"noise")
    assert [read_case_size(p) for p in (link, noise, tmp_path / "absent.npz")] == [None] * 3


def test_a_case_without_room_is_refused_by_name(
    write_npz: WriteNpz, tiny_config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_case(write_npz(), tiny_config)
    assert plan is not None
    assert plan.held > 0
    monkeypatch.setattr(module, "free_memory", lambda: FreeMemory(10**6, "a test"))
    with pytest.raises(
        CaseError, match=r"^case\.npz: shape \(6, 7, 8\) .* free \(limited by a tes"
    ):
        plan_case(write_npz(), tiny_config)
