"""What the prompts file and the provenance file say about data sets and cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from predict.cases import INSTANCE_KEY
from predict.errors import UsageError
from predict.json_files import read_json_table


@dataclass(frozen=True, kw_only=True)
class DatasetPrompts:
    """Prompts of a data set.

    Attributes:
        counts: Class id -> number of phrasings, at least one each.
        instance: Whether its labels are objects.
    """

    counts: Mapping[int, int]
    instance: bool


class Origin(NamedTuple):
    """What the provenance file says of a case; empty where it says nothing."""

    split: str = ""
    dataset: str = ""
    modality: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Prompts per data set, and where cases come from.

    Attributes:
        prompts: Data set -> prompts.
        origins: Split -> case name -> origin.
    """

    prompts: Mapping[str, DatasetPrompts]
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict)

    @classmethod
    def load(cls, prompts_json: Path, provenance_json: Path | None = None) -> Catalogue:
        """Read both files.

        Args:
            prompts_json: ``{data set: {class id: [prompts], "instance_label": 0 or 1}}``.
            provenance_json: ``{split: {case: {"subject": ..., "dataset": ..., "modality": ...}}}``.

        Raises:
            UsageError: A file cannot be read or does not look like this.
        """
        prompts = {
            dataset: _dataset_prompts(dataset, table)
            for dataset, table in read_json_table(prompts_json).items()
        }
        if provenance_json is None:
            return cls(prompts)
        return cls(prompts, _origins(read_json_table(provenance_json)))

    def origin(self, split: str, name: str) -> Origin:
        """Origin of a case: that of its split if there is one, else that of any other split."""
        tables = [self.origins.get(split, {}), *self.origins.values()]
        return next((table[name] for table in tables if name in table), Origin())

    def is_instance(self, dataset: str) -> bool:
        """Whether the labels of a data set are objects; False where it has no prompts."""
        return dataset in self.prompts and self.prompts[dataset].instance

    def dataset_of(self, name: str) -> str:
        """The data set whose name, the longest, a case's name begins with; empty if none does."""
        fitting = [d for d in self.prompts if name == d or name.startswith(f"{d}_")]
        return max(fitting, key=len, default="")


def _dataset_prompts(dataset: str, table: object) -> DatasetPrompts:
    if not isinstance(table, dict):
        raise UsageError(f"prompts of {dataset}: expected a table, received {type(table).__name__}")
    flag = table.get(INSTANCE_KEY, 0)
    if flag not in (0, 1):
        raise UsageError(f"{INSTANCE_KEY} of {dataset}: expected 0 or 1, received {flag!r}")
    counts = {}
    for key, texts in table.items():
        if key == INSTANCE_KEY:
            continue
        if not key.isascii() or not key.isdigit() or not isinstance(texts, list):
            raise UsageError(f"prompts of {dataset}: expected class id -> list, received {key!r}")
        if texts:
            counts[int(key)] = len(texts)
    return DatasetPrompts(counts=counts, instance=bool(flag))


def _origins(splits: Mapping[str, Any]) -> dict[str, dict[str, Origin]]:
    try:
        return {
            split: {
                name: Origin(
                    split, *(str(case.get(key, "")) for key in ("dataset", "modality", "subject"))
                )
                for name, case in cases.items()
            }
            for split, cases in splits.items()
        }
    except AttributeError as error:
        raise UsageError(f"provenance: expected split -> case -> table ({error})") from error
