from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluate.bench import targets
from evaluate.bench.cases import Workload
from evaluate.bench.contest import Contest, Setting
from evaluate.bench.plan import Plan
from evaluate.bench.targets import Target, check_targets
from predict.defaults import DEFAULT_BUNDLE

MakeContest = Callable[..., Contest]
SETTING = Setting(bundle=Path("official"), reference=Path("published"))


@pytest.fixture
def checked(
    make_contest: MakeContest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[list[Target], list[tuple[str, Setting]]]]:
    """Targets of made-up contests, and what was measured for them."""

    def check(device: str) -> tuple[list[Target], list[tuple[str, Setting]]]:
        asked: list[tuple[str, Setting]] = []

        def stand_in(workload: Workload, setting: Setting) -> Contest:
            asked.append((workload.name, setting))
            return make_contest(workload.name, peak=2500.0, device=device)

        monkeypatch.setattr(targets, "compete", stand_in)
        main = [make_contest("eight", peak=900.0), make_contest("sixteen", peak=996.0)]
        return check_targets(Plan(), SETTING, main), asked

    return check


def test_every_target_and_its_figure(checked: Callable[[str], tuple[list[Target], object]]) -> None:
    found, _ = checked("cpu")
    assert [(t.name, t.most, t.unit, round(t.measured, 6), t.met) for t in found] == [
        ("eight: times the floor", 2.0, "x", 2.0, True),
        ("sixteen: times the floor", 2.6, "x", 2.0, True),
        ("sixteen: peak memory", 1500, "MB", 996, True),
        ("growth per further prompt", 10, "MB", 12, False),
        (
            "start (interpreter, imports, weights) over interpreter and torch",
            1.6,
            "x",
            1.6,
            True,
        ),
        ("64 prompts, 600x512x512: peak memory", 3000, "MB", 2500, True),
        (
            "32 cases, 4 prompts, 96x256x256: after the start, times the slowest stages",
            1.15,
            "x",
            1.25,
            False,
        ),
        ("4 prompts, 200x512x512, default bundle: whole process", 8, "s", 3, True),
    ]


def test_only_the_ordinary_case_takes_the_default_bundle(
    checked: Callable[[str], tuple[object, list[tuple[str, Setting]]]],
) -> None:
    _, asked = checked("cpu")
    assert [setting.bundle for _, setting in asked] == [SETTING.bundle] * 2 + [DEFAULT_BUNDLE]
    assert all(setting.reference is None for _, setting in asked)


def test_a_gpu_has_one_more(checked: Callable[[str], tuple[list[Target], object]]) -> None:
    found, _ = checked("NVIDIA Something")
    assert found[-1].name == "4 prompts, 200x512x512, default bundle: network and labels"
    assert found[-1].measured == pytest.approx(1.0)
    assert not found[-1].met
