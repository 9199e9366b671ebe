from __future__ import annotations

from dataclasses import replace

from train.index_findings import (
    DatasetRow,
    DefectRow,
    DuplicateGroup,
    Findings,
    SharedSubject,
    UnpromptedLabel,
)
from train.index_report import MOST_ROWS, markdown, summary

ROW = DatasetRow(
    split="train",
    modality="CT",
    dataset="CT_A",
    cases=3,
    usable=2,
    subjects=2,
    classes=4,
    instance=False,
    shape_low=(10, 20, 30),
    shape_high=(10, 25, 30000),
    spacing_low=(0.5, 3.27, 1.0),
    spacing_high=(0.75, 3.270001, 1.0),
    size=2_500_000,
    voxels=4_000_000,
)
CLEAN = Findings(
    datasets=[ROW],
    broken=[],
    doubtful=[],
    duplicates=[],
    shared_subjects=[],
    unprompted=[],
    unseen=[],
    datasets_without_prompts=[],
    datasets_without_cases=[],
    untrainable=[],
    repeated_names=[],
    misplaced=[],
    trainable=2,
)


def test_totals_and_the_table_of_data_sets() -> None:
    text = markdown(CLEAN)
    assert "3 cases in 1 data sets, 2 usable, 2 with at least one label" in text
    assert (
        "| train | CT | CT_A | 3 | 2 | 2 | 4 | 10 x 20..25 x 30..30000"
        " | 0.5..0.75 x 3.27 x 1 | 2.5 |"
    ) in text
    assert text.count("\n## ") == 1
    assert set(summary(CLEAN)["findings"].values()) == {0}


def test_a_row_without_what_is_unknown() -> None:
    row = ROW._replace(subjects=0, instance=True, shape_low=None, spacing_low=None)
    assert "| train | CT | CT_A | 3 | 2 | ? | objects | ? | ? | 2.5 |" in markdown(
        replace(CLEAN, datasets=[row])
    )


def test_every_finding_has_its_section_and_its_number() -> None:
    defect = DefectRow("shape", "train", "CT/CT_A/a.npz", "why")
    paths = (("train", "a"), ("val", "b"))
    findings = replace(
        CLEAN,
        broken=[defect, defect],
        doubtful=[defect],
        duplicates=[DuplicateGroup(paths, 2, True), DuplicateGroup((*paths, *paths), 2, False)],
        shared_subjects=[SharedSubject("s1", {"train": 4, "val": 1})],
        unprompted=[UnpromptedLabel("CT_A", 9, 1, 80, "a.npz")],
        unseen=[("CT_A", 5)],
        datasets_without_prompts=[""],
        datasets_without_cases=["US_never"],
        untrainable=["c.npz"],
        repeated_names=[("a", 2)],
        misplaced=[("train", "d.npz", "val")],
    )
    text = markdown(findings)
    assert text.count("\n## ") == 12
    assert "| s1 | train: 4, val: 1 |" in text
    assert "| yes | same | train: a, val: b |" in text
    assert "| no | 2 the same | train: a, val: b, train: a, val: b |" in text
    counts = summary(findings)["findings"]
    assert counts.pop("groups with the same image") == 2
    assert set(counts.values()) == {1}


def test_names_of_files_cannot_break_the_table() -> None:
    defect = DefectRow("shape", "train", "CT/a|b\n# [x](http://y).npz", "<script>")
    (line,) = [x for x in markdown(replace(CLEAN, broken=[defect])).splitlines() if "a\\|b" in x]
    assert line == "| shape | train: CT/a\\|b?# \\[x\\](http://y).npz | \\<script\\> |"


def test_a_long_list_is_cut() -> None:
    text = markdown(replace(CLEAN, untrainable=[f"{i}.npz" for i in range(MOST_ROWS + 7)]))
    assert f"| {MOST_ROWS - 1}.npz |" in text
    assert f"| {MOST_ROWS}.npz |" not in text
    assert "... and 7 more" in text
