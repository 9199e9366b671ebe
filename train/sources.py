"""From the paths of a command to cases and wordings."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from predict.errors import UsageError
from predict.json_files import read_json_table
from train.config import SamplingConfig
from train.corpus import Corpus, JoinedCorpus, MemoryCorpus, read_corpus
from train.own_cases import read_own_cases
from train.packed_corpus import PackedCorpus
from train.phantoms.implants import implants
from train.phrasing import Phrasebook
from train.synthetic import make_synthetic

IMPLANT_SEED = 200
NOTHING_MIXED_IN = SamplingConfig()
TRAINING_SPLIT = "train"


class Source(NamedTuple):
    """Cases and the wordings of their classes."""

    corpus: Corpus
    phrasebook: Phrasebook


def open_source(
    data: Path,
    prompts: Path | None,
    provenance: Path | None,
    *,
    index: Path | None = None,
    mixed_in: SamplingConfig = NOTHING_MIXED_IN,
) -> Source:
    """Open what a run is trained on.

    Args:
        data: ROOT/MODALITY/DATASET/*.npz, a flat folder of npz files with their own prompts, or
            with an index the packs of its cases.
        prompts: JSON: data set -> class id -> phrasings; not needed for a flat folder.
        provenance: JSON with class names and subjects per case.
        index: What the packs were made from; its training split is used.
        mixed_in: How many volumes of our own making go with them.

    Raises:
        UsageError: Nothing fits.
    """
    ours = make_synthetic(mixed_in.synthetic_volumes, mixed_in.phantoms)
    made = ours.volumes
    corpus: Corpus
    if prompts is not None:
        phrasebook = Phrasebook.load(prompts, provenance, ours)
        if index is None:
            volumes = read_corpus(data, prompts)
            if not volumes:
                raise UsageError(
                    f"{data}: expected MODALITY/DATASET/*.npz with prompts, found none"
                )
            corpus = MemoryCorpus(volumes, read_subjects(provenance))
            made += implants(volumes, phrasebook.names, mixed_in.implants, IMPLANT_SEED)
        else:
            corpus = PackedCorpus(data, index, split=TRAINING_SPLIT)
    elif index is None and data.is_dir() and any(data.glob("*.npz")):
        own = read_own_cases(data)
        instance = {data.name} if own.instance else set()
        instance |= ours.instance_datasets
        phrasebook = Phrasebook({data.name: own.prompts, **ours.prompts}, ours.names, instance)
        corpus = MemoryCorpus(own.volumes, read_subjects(provenance))
    else:
        raise UsageError(
            f"{data}: expected a folder of npz files with text_prompts, "
            "or MODALITY/DATASET/*.npz or packs, and --prompts"
        )
    return Source(JoinedCorpus([corpus, MemoryCorpus(made)]), phrasebook)


def read_subjects(provenance: Path | None) -> dict[str, str]:
    """Case -> subject, as far as the provenance knows."""
    if provenance is None:
        return {}
    table = read_json_table(provenance)
    try:
        cases = table["train"]
        return {name: str(case.get("subject", name)) for name, case in cases.items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{provenance}: expected train -> case -> subject ({type(error).__name__})"
        ) from error
