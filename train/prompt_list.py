"""The list of what a network was trained on that goes into its bundle (``prompts.json``).

Class names and modalities are facts about the corpus; wordings and example prompts are composed
from our own synonyms and templates. The corpus's own sentences stay out of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from predict.errors import UsageError
from predict.json_files import read_json_table
from predict.known_prompts import MODALITIES, NOTHING, KnownClass, KnownPrompts
from predict.prompt_words import modalities_of
from train.corpus import CaseEntry
from train.phrasing import SIDED, Phrasebook

MODALITY_TERMS = {
    "CT": "CT",
    "MR": "MRI",
    "PET": "PET",
    "US": "ultrasound",
    "Microscopy": "microscopy",
}
FORMS = ("{x} in {m}", "Please segment the {x} seen in this {m}.", "Where is the {x}? ({m})")
MOST_WORDINGS = 12
Triple = tuple[str, str, int]


def classes_of(entries: Iterable[CaseEntry]) -> set[Triple]:
    """(modality, data set, class id) of everything that occurs in cases."""
    return {
        (entry.modality, entry.dataset, class_id) for entry in entries for class_id in entry.classes
    }


def provenance_classes(provenance_json: Path) -> set[Triple]:
    """The same, of the training split of a provenance file.

    Raises:
        UsageError: It does not look like one.
    """
    try:
        return {
            (str(case["modality"]), str(case["dataset"]), int(class_id))
            for case in read_json_table(provenance_json)["train"].values()
            for class_id in case["classes"]
        }
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(
            f"{provenance_json}: expected train -> case -> modality, dataset and classes "
            f"({error!r})"
        ) from error


def list_prompts(phrasebook: Phrasebook, classes: Iterable[Triple]) -> KnownPrompts:
    """Names, wordings and example prompts of classes.

    A class without a name is left out, unless no class has one, as with cases of one's own: then
    its shortest phrasing, the user's, is its name. A modality that the cases do not tell is taken
    from the phrasings; a class without one is left out.
    """
    datasets: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for modality, dataset, class_id in classes:
        name = _name(phrasebook, dataset, class_id)
        told = modalities_of(" ".join(phrasebook.prompts.get(dataset, {}).get(class_id, ())))
        if modality == "" and len(told) == 1:
            (modality,) = told
        if name is not None and modality in MODALITIES:
            datasets[name, modality].add(dataset)
    known = [
        KnownClass(
            name=name,
            modality=modality,
            datasets=tuple(sorted(used)),
            wordings=_wordings(phrasebook, name),
            examples=tuple(f.format(x=name, m=MODALITY_TERMS[modality]) for f in FORMS),
        )
        for (name, modality), used in datasets.items()
    ]
    return NOTHING.joined(KnownPrompts(tuple(known)))


def _wordings(phrasebook: Phrasebook, name: str) -> tuple[str, ...]:
    """Synonyms; of a name with a side those that begin with it, not every way to place the side."""
    others = [wording for wording in phrasebook.wordings(name) if wording != name]
    sided = SIDED.fullmatch(name)
    if sided is not None and name not in phrasebook.synonyms:
        others = [wording for wording in others if wording.startswith(f"{sided[1]} ")]
    return tuple(others[:MOST_WORDINGS])


def _name(phrasebook: Phrasebook, dataset: str, class_id: int) -> str | None:
    named = phrasebook.names.get(dataset, {}).get(class_id)
    if named is not None or phrasebook.names:
        return named
    return min(phrasebook.prompts.get(dataset, {}).get(class_id, ()), key=len, default=None)
