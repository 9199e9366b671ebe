"""What is known of cases from outside of their files: running times and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predict.errors import UsageError
from predict.json_files import read_json_table


@dataclass(frozen=True, kw_only=True)
class Group:
    """Where a case belongs.

    Attributes:
        dataset: Data set.
        modality: Modality.
        subject: Cases of one subject are resampled together.
        class_names: Class id -> name.
    """

    dataset: str
    modality: str
    subject: str
    class_names: Mapping[int, str] = field(default_factory=dict)


def group_of(case: str) -> Group:
    """The group that the name MODALITY_DATASET_... tells; every case is a subject of its own."""
    parts = case.split("_")
    return Group(dataset="_".join(parts[:2]), modality=parts[0], subject=case)


def read_groups(path: Path) -> dict[str, Group]:
    """Read ``{split: {case: {"dataset", "modality", "subject", "classes": {id: name}}}}``.

    Raises:
        UsageError: Not such a file.
    """
    splits = read_json_table(path)
    try:
        return {
            case: Group(
                dataset=values["dataset"],
                modality=values["modality"],
                subject=values["subject"],
                class_names={int(c): name for c, name in values.get("classes", {}).items()},
            )
            for split in splits.values()
            for case, values in split.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: expected data set, modality and subject of cases by split"
        ) from error


def read_seconds(path: Path) -> dict[str, float]:
    """Running time by case, from a report or from ``{case: seconds}``.

    A report has ``cases``, each with ``case`` and ``seconds``: a number, or stages with ``total``.
    Cases without a time are left out.

    Raises:
        UsageError: Not such a file.
    """
    values: Mapping[str, Any] = read_json_table(path)
    try:
        if "cases" in values:
            values = {case["case"]: case["seconds"] for case in values["cases"]}
        totals = {k: v.get("total") if isinstance(v, dict) else v for k, v in values.items()}
        return {k.removesuffix(".npz"): float(v) for k, v in totals.items() if v is not None}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: expected seconds by case") from error
