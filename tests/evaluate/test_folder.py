from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluate.folder import Folders, Options, score_folder
from evaluate.scores import CaseScore, Unscored
from predict.errors import UsageError

AddCase = Callable[..., None]


def run(folders: Folders, **options: object) -> dict[str, CaseScore | Unscored]:
    return {s.case: s for s in score_folder(folders, Options(**options))}  # type: ignore[arg-type]


def test_good_case(folders: Folders, add_case: AddCase, cube: np.ndarray) -> None:
    add_case("CT_A_1", cube, np.roll(cube, 1, axis=0))
    scored = run(folders)["CT_A_1"]
    assert isinstance(scored, CaseScore)
    assert (scored.dataset, scored.problem) == ("CT_A", None)
    assert scored.scores.dsc == pytest.approx(0.9)
    assert scored.scores.nsd == pytest.approx(0.904, abs=5e-4)


def test_unusable_predictions_score_zero_and_the_run_goes_on(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    add_case("a_missing", cube, None)
    add_case("b_key", cube, cube, key="mask")
    add_case("c_shape", cube, cube[1:])
    add_case("d_fractions", cube, cube * 0.5)
    add_case("e_damaged", cube, cube)
    (folders.predictions / "e_damaged.npz").write_bytes(b"damaged")
    add_case("f_good", cube, cube)
    scored = run(folders)
    for name, problem in (
        ("a_missing", "no such file"),
        ("b_key", "expected the key segs, received mask"),
        ("c_shape", r"expected shape (20, 20, 20), received (19, 20, 20)"),
        ("d_fractions", "expected whole numbers"),
        ("e_damaged", "not a zip file"),
    ):
        result = scored[name]
        assert isinstance(result, CaseScore)
        assert (result.scores.dsc, result.scores.nsd) == (0, 0)
        assert problem in str(result.problem)
    good = scored["f_good"]
    assert isinstance(good, CaseScore)
    assert good.scores.dsc == 1


def test_missing_instances_score_zero(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    add_case("PET_A_1", cube, None, {"1": "tumor", "instance_label": 1})
    scored = run(folders)["PET_A_1"]
    assert isinstance(scored, CaseScore)
    assert (scored.scores.f1, scored.scores.dsc_tp) == (0, 0)


def test_official_evaluation_stops_at_the_first_unusable_prediction(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    for name, prediction in (("a", cube), ("b", None), ("c", cube)):
        add_case(name, cube, prediction)
    scored = run(folders, official=True)
    assert isinstance(scored["a"], CaseScore)
    assert scored["b"] == Unscored("b", "b.npz: no such file")
    assert scored["c"] == Unscored("c", "the official script stops at b")


def test_case_without_ground_truth_is_unscored(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    add_case("a", cube, cube)
    add_case("b", cube, cube)
    (folders.truths / "a.npz").unlink()
    scored = run(folders)
    assert scored["a"] == Unscored("a", "a.npz: no such file")
    assert isinstance(scored["b"], CaseScore)


def test_more_than_a_minute_per_class_scores_zero(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    two = {"1": "liver", "2": "spleen", "instance_label": 0}
    add_case("a", cube, cube, two)
    add_case("b", cube, cube, two)
    seconds = {"a": 120.0, "b": 120.1}
    scored = run(folders, seconds=seconds)
    assert isinstance(scored["a"], CaseScore)
    assert isinstance(scored["b"], CaseScore)
    assert (scored["a"].scores.dsc, scored["a"].problem) == (1, None)
    assert scored["b"].scores.dsc == 0
    assert "took 120.1 s, expected at most 120 s" in str(scored["b"].problem)
    official = run(folders, seconds=seconds, official=True)["b"]
    assert isinstance(official, CaseScore)
    assert official.scores.dsc == 1


def test_wrong_folders(folders: Folders) -> None:
    with pytest.raises(UsageError, match=r"expected \*.npz files, found 0 other files"):
        run(folders)
    folders.truths.rmdir()
    with pytest.raises(UsageError, match="expected a folder"):
        run(folders)


def test_only_the_given_cases_are_scored(
    folders: Folders, add_case: AddCase, cube: np.ndarray
) -> None:
    for name in ("a", "b", "c"):
        add_case(name, cube, cube)
    (folders.truths / "c.npz").unlink()
    scored = list(score_folder(folders, Options(), cases={"a", "b"}))
    assert [result.case for result in scored] == ["a", "b"]
