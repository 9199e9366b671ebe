"""What scoring says about one case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

OFFICIAL_METRICS = ("DSC", "NSD", "F1", "DSC_TP")
ATTRIBUTES = {
    "DSC": "dsc",
    "NSD": "nsd",
    "F1": "f1",
    "DSC_TP": "dsc_tp",
    "ForegroundDSC": "foreground_dsc",
    "Absence": "absence",
}
SECONDS_PER_CLASS = 60.0


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """DSC and NSD of one class (NaN where not computed)."""

    dsc: float
    nsd: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Metrics of one case; NaN where a metric does not apply.

    Attributes:
        dsc: Semantic: mean over the scored classes.
        nsd: Semantic: mean over the scored classes.
        f1: Instance: F1 at IoU 0.5.
        dsc_tp: Instance: mean DSC of the matched objects.
        foreground_dsc: Instance: DSC of all objects as one mask.
        absence: Share of the prompted classes that are absent from the ground truth and from the
            prediction too; NaN if none is absent from the ground truth.
        false_voxels: Voxels of classes that are absent from the ground truth.
        false_mm3: Their volume.
        classes: Scores by class id.
    """

    dsc: float = math.nan
    nsd: float = math.nan
    f1: float = math.nan
    dsc_tp: float = math.nan
    foreground_dsc: float = math.nan
    absence: float = math.nan
    false_voxels: int = 0
    false_mm3: float = 0.0
    classes: Mapping[int, ClassScore] = field(default_factory=dict)

    def by_name(self) -> dict[str, float]:
        """Metrics under the names of the tables."""
        return {name: getattr(self, attribute) for name, attribute in ATTRIBUTES.items()}

    def zeroed(self) -> Scores:
        """The same metrics, all of them 0: for a missing or late prediction."""
        zeros: dict[str, Any] = {name: _zero(getattr(self, name)) for name in ATTRIBUTES.values()}
        classes = {
            c: ClassScore(dsc=_zero(s.dsc), nsd=_zero(s.nsd)) for c, s in self.classes.items()
        }
        return replace(self, classes=classes, **zeros)


def _zero(value: float) -> float:
    return value if math.isnan(value) else 0.0


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """One scored case.

    Attributes:
        case: File name without its ending.
        dataset: For grouping.
        modality: For grouping.
        subject: Cases of one subject are resampled together.
        class_names: Prompted class id -> name, or the prompt where no name is known.
        scores: The metrics.
        seconds: Running time if known.
        problem: Why it scores 0, in one line; None if all is well.
    """

    case: str
    dataset: str
    modality: str
    subject: str
    class_names: Mapping[int, str]
    scores: Scores
    seconds: float | None = None
    problem: str | None = None

    @property
    def seconds_per_class(self) -> float | None:
        """Running time over the number of prompts."""
        return None if self.seconds is None else self.seconds / max(1, len(self.class_names))


@dataclass(frozen=True)
class Unscored:
    """A case without a score, and why, in one line."""

    case: str
    reason: str
