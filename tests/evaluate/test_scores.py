from __future__ import annotations

import math

from evaluate.scores import CaseScore, ClassScore, Scores


def test_zeroed_keeps_what_does_not_apply() -> None:
    scores = Scores(
        dsc=0.8, nsd=math.nan, absence=1.0, classes={1: ClassScore(dsc=0.8, nsd=math.nan)}
    ).zeroed()
    assert (scores.dsc, scores.absence, scores.classes[1].dsc) == (0, 0, 0)
    assert all(math.isnan(v) for v in (scores.nsd, scores.f1, scores.classes[1].nsd))


def test_seconds_per_class() -> None:
    case = CaseScore(
        case="CT_A_1",
        dataset="CT_A",
        modality="CT",
        subject="1",
        class_names={1: "liver", 2: "spleen"},
        scores=Scores(),
        seconds=90,
    )
    assert case.seconds_per_class == 45
