from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from evaluate.soak.cases import FAULTS, LEAST, MOST, WARM_UP, Planned, plan_cases, write_case
from predict.errors import CaseError
from predict.npz import read_case


def test_every_quarter_has_the_same_cases_in_another_order() -> None:
    plan = plan_cases(403)
    assert len(plan) == WARM_UP + 400
    assert [planned.name for planned in plan] == sorted(planned.name for planned in plan)
    quarters = [[p.recipe for p in plan if p.quarter == quarter] for quarter in range(4)]
    assert all(sorted(quarter) == list(range(100)) for quarter in quarters)
    assert len({tuple(quarter) for quarter in quarters}) == 4


def test_one_in_ten_is_broken_and_every_fault_occurs() -> None:
    plan = [planned for planned in plan_cases(4 * 10 * len(FAULTS)) if planned.quarter == 0]
    faults = Counter(planned.fault for planned in plan)
    assert faults.pop(None) == 9 * len(FAULTS)
    assert faults == dict.fromkeys(FAULTS, 1)


def test_a_good_case_is_read_and_is_the_same_every_time(tmp_path: Path) -> None:
    for recipe in range(5):
        for name in ("a.npz", "b.npz"):
            write_case(Planned(name, recipe, 0, None), tmp_path)
        case = read_case(tmp_path / "a.npz")
        assert case.prompts
        assert case.warnings == case.rejected == ()
        assert all(LEAST <= length <= MOST for length in case.image.shape)
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_case_is_refused(tmp_path: Path, fault: str) -> None:
    write_case(Planned("a.npz", 1, 0, fault), tmp_path)
    with pytest.raises(CaseError):
        read_case(tmp_path / "a.npz")
