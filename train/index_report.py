"""The report of an index: Markdown for readers, a summary for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from train.index_findings import DatasetRow, DefectRow, DuplicateGroup, Findings

MOST_ROWS = 100
HEADINGS = (
    *("split", "modality", "data set", "cases", "usable", "subjects", "classes"),
    *("voxels (D, H, W)", "spacing (x, y, z) mm", "MB"),
)


def markdown(findings: Findings) -> str:
    """The whole report; of a long list the first hundred lines."""
    counts = summary(findings)
    totals = counts["totals"]
    parts = [
        "# Training set\n",
        f"{totals['cases']} cases in {totals['datasets']} data sets, {totals['usable']} usable, "
        f"{totals['trainable']} with at least one label that has a prompt; "
        f"{_megabytes(totals['bytes'])} MB, {totals['voxels'] / 1e6:.1f} million voxels.\n",
        _table(HEADINGS, [_dataset_cells(row) for row in findings.datasets]),
        "## Findings\n",
        _table(
            ("finding", "number"),
            [(finding, str(number)) for finding, number in counts["findings"].items()],
        ),
        *_case_sections(findings),
        *_set_sections(findings),
    ]
    return "\n".join(parts)


def summary(findings: Findings) -> dict[str, dict[str, int]]:
    """Totals and the number of findings of every kind."""
    return {
        "totals": {
            "cases": sum(row.cases for row in findings.datasets),
            "usable": sum(row.usable for row in findings.datasets),
            "trainable": findings.trainable,
            "datasets": len({row.dataset for row in findings.datasets}),
            "bytes": sum(row.size for row in findings.datasets),
            "voxels": sum(row.voxels for row in findings.datasets),
        },
        "findings": {
            "broken cases": len({(row.split, row.path) for row in findings.broken}),
            "doubtful cases": len({(row.split, row.path) for row in findings.doubtful}),
            "groups with the same image": len(findings.duplicates),
            "of these across splits": sum(g.across_splits for g in findings.duplicates),
            "subjects in several splits": len(findings.shared_subjects),
            "cases in another split than the provenance says": len(findings.misplaced),
            "labels without prompts": len(findings.unprompted),
            "prompts whose class never occurs": len(findings.unseen),
            "data sets without prompts": len(findings.datasets_without_prompts),
            "data sets without cases": len(findings.datasets_without_cases),
            "cases without a label that has a prompt": len(findings.untrainable),
            "case names that occur several times": len(findings.repeated_names),
        },
    }


def _case_sections(findings: Findings) -> Iterable[str]:
    yield from _section(
        "Broken cases",
        "They are left out of packing and training.",
        ("kind", "case", "what is wrong"),
        _defect_cells(findings.broken),
    )
    yield from _section(
        "Doubtful cases",
        _by_kind(findings.doubtful),
        ("kind", "case", "what was found"),
        _defect_cells(findings.doubtful),
    )
    yield from _section(
        "Same image in several cases",
        "A volume saved twice counts twice; across splits it makes validation look too good. "
        "Other labels on the same image are often right: two data sets, two questions.",
        ("across splits", "labels", "cases"),
        [
            (
                "yes" if group.across_splits else "no",
                _same_labels(group),
                ", ".join(f"{split}: {path}" for split, path in group.paths),
            )
            for group in findings.duplicates
        ],
    )
    yield from _section(
        "Subjects in several splits",
        "Names of subjects are taken as the same person over all data sets.",
        ("subject", "cases"),
        [
            (subject, ", ".join(f"{split}: {n}" for split, n in cases.items()))
            for subject, cases in findings.shared_subjects
        ],
    )
    yield from _section(
        "Cases in another split than the provenance says",
        "",
        ("split", "case", "by the provenance"),
        findings.misplaced,
    )
    yield from _section(
        "Case names that occur several times in a split",
        "The provenance tells cases apart by their name.",
        ("name", "times"),
        [(name, str(count)) for name, count in findings.repeated_names],
    )


def _set_sections(findings: Findings) -> Iterable[str]:
    yield from _section(
        "Labels without prompts",
        "They are never asked for.",
        ("data set", "class", "cases", "voxels", "for example"),
        [
            (row.dataset, str(row.class_id), str(row.cases), str(row.voxels), row.example)
            for row in findings.unprompted
        ],
    )
    yield from _section(
        "Prompts whose class never occurs",
        "",
        ("data set", "class"),
        [(dataset, str(class_id)) for dataset, class_id in findings.unseen],
    )
    yield from _section(
        "Data sets without prompts",
        "Their cases are left out of packing and training.",
        ("data set",),
        [(dataset or "?",) for dataset in findings.datasets_without_prompts],
    )
    yield from _section(
        "Data sets without cases",
        "",
        ("data set",),
        [(dataset,) for dataset in findings.datasets_without_cases],
    )
    yield from _section(
        "Cases without a label that has a prompt",
        "They are readable, but there is nothing to ask for.",
        ("case",),
        [(path,) for path in findings.untrainable],
    )


def _section(
    title: str, note: str, headings: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterable[str]:
    if not rows:
        return
    yield f"## {title}\n"
    if note:
        yield f"{note}\n"
    yield _table(headings, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        yield f"... and {len(rows) - MOST_ROWS} more: ask the index.\n"


def _dataset_cells(row: DatasetRow) -> tuple[str, ...]:
    objects = "objects" if row.instance else str(row.classes)
    return (
        *(row.split, row.modality, row.dataset or "?", str(row.cases), str(row.usable)),
        *(str(row.subjects or "?"), objects),
        *(_range(row.shape_low, row.shape_high), _range(row.spacing_low, row.spacing_high)),
        _megabytes(row.size),
    )


def _range(low: Sequence[float] | None, high: Sequence[float] | None) -> str:
    if low is None or high is None:
        return "?"
    texts = [(_number(a), _number(b)) for a, b in zip(low, high, strict=True)]
    return " x ".join(a if a == b else f"{a}..{b}" for a, b in texts)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.4g}"


def _defect_cells(rows: Sequence[DefectRow]) -> list[tuple[str, str, str]]:
    return [(row.kind, f"{row.split}: {row.path}", row.detail) for row in rows]


def _same_labels(group: DuplicateGroup) -> str:
    if group.same_labels == len(group.paths):
        return "same"
    return "different" if group.same_labels == 1 else f"{group.same_labels} the same"


def _by_kind(rows: Sequence[DefectRow]) -> str:
    counts = Counter(row.kind for row in rows)
    return ", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())) + "."


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *([_cell(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    """Text that neither ends a cell nor becomes markup."""
    safe = "".join(c if c.isprintable() else "?" for c in text)
    for mark in "\\|`*<>[]":
        safe = safe.replace(mark, f"\\{mark}")
    return safe
