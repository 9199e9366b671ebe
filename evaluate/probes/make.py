"""Probes: cases whose prompts are reworded, or ask for what is certainly not there."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evaluate.cases import CaseInfo, read_info, read_labels
from evaluate.regions import elsewhere
from evaluate.sidecars import Group
from predict.cases import INSTANCE_KEY
from predict.errors import UsageError
from predict.npz import list_cases

WORDINGS = (
    "{name}",
    "{name} in this scan",
    "Please outline the {name}.",
    "WHERE IS THE {upper}?",
    "I would like to have a mask that shows all of the {name}, thank you",
    "54-year-old patient, follow-up. Segment: {name}",
)
WORDING, ABSENT = "wording", "absent"
SEPARATOR = "__"
MOST_ABSENT = 5


def make_probes(inputs: Path, groups: Mapping[str, Group], out: Path, seed: int = 0) -> list[Path]:
    """Write OUT/CASE__wordingK.npz and OUT/CASE__absent.npz for cases whose classes have names.

    Absent are classes of other parts of the body than the case's.

    Args:
        inputs: Folder of NAME.npz.
        groups: Class names by case.
        out: Folder to write.
        seed: Of the choice of absent classes.

    Raises:
        CaseError: An input cannot be read.
        UsageError: No case has class names.
    """
    names = sorted({name for group in groups.values() for name in group.class_names.values()})
    written: list[Path] = []
    out.mkdir(parents=True, exist_ok=True)
    for source in list_cases(inputs):
        group = groups.get(source.stem)
        if group is None or not group.class_names:
            continue
        info, image = read_info(source), read_labels(source, "imgs")
        for k, form in enumerate(WORDINGS):
            prompts = {
                c: form.format(name=name, upper=name.upper())
                for c, name in group.class_names.items()
                if c in info.prompts
            }
            written.append(out / f"{source.stem}{SEPARATOR}{WORDING}{k}.npz")
            _write(written[-1], image, info, prompts, instance=info.instance)
        choose = random.Random(f"{seed}/{source.stem}")
        absent = elsewhere(group.class_names.values(), names)
        chosen = choose.sample(absent, min(MOST_ABSENT, len(absent)))
        if chosen:
            written.append(out / f"{source.stem}{SEPARATOR}{ABSENT}.npz")
            _write(written[-1], image, info, dict(enumerate(chosen, 1)), instance=False)
    if not written:
        raise UsageError(f"{inputs}: expected cases with class names in the provenance, found none")
    return written


def _write(
    path: Path, image: np.ndarray, info: CaseInfo, prompts: Mapping[int, str], *, instance: bool
) -> None:
    table = {**{str(c): text for c, text in prompts.items()}, INSTANCE_KEY: int(instance)}
    np.savez_compressed(
        path,
        imgs=image,
        spacing=np.array(info.spacing),
        text_prompts=np.array(table, dtype=object),
    )
