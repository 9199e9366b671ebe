from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluate.bench import scaling
from evaluate.bench.cases import Workload
from evaluate.bench.contest import Contest, Setting
from evaluate.bench.plan import QUICK
from evaluate.bench.scaling import draw_scaling, measure_scaling


def test_every_point_of_every_sweep(
    make_contest: Callable[..., Contest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(workload: Workload, setting: Setting) -> Contest:
        assert setting.reference is None
        return make_contest(workload.name)

    monkeypatch.setattr(scaling, "compete", stand_in)
    sweeps = measure_scaling(QUICK, Setting(bundle=Path("b"), reference=Path("published")))
    assert [(sweep.grows, list(sweep.sizes)) for sweep in sweeps] == [
        ("prompts", [1, 4]),
        ("million voxels", [0.016384, 0.131072]),
        ("cases in a folder", [1, 2]),
    ]
    assert [contest.name for contest in sweeps[0].contests] == [
        "1 prompt, 32x64x64",
        "4 prompts, 32x64x64",
    ]
    drawn = ElementTree.fromstring(draw_scaling(sweeps))
    titles = [text.text for text in drawn.iter() if text.get("class") == "title"]
    assert titles == ["seconds"] * 3 + ["peak memory, MB"] * 3
