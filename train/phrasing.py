"""Random wordings of a prompt: the corpus's own, and ours from templates and synonyms."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from predict.errors import UsageError
from predict.json_files import read_json_table
from train.synthetic import Synthetic

HERE = Path(__file__).parent
SIDED = re.compile(r"(left|right) (.+)")
SIDED_FORMS = (
    "{side} {part}",
    "{part} on the {side}",
    "{part} on the {side} side",
    "{part}, {side}",
    "{part} ({side})",
    "{side}-sided {part}",
    "{initial} {part}",
)
FUNCTION_WORDS = frozenset(
    (
        *("a", "an", "as", "at", "by", "covering", "for", "from"),
        *("in", "is", "of", "on", "seen", "the", "this", "to"),
    )
)
LONG_WORD = re.compile(r"[A-Za-z]{6,}")
OWN_WORDING, NAME_ITSELF, WITH_MODALITY, CAPITAL, TYPO = 0.5, 0.3, 0.6, 0.3, 0.03
WITH_SURROUNDINGS, SHOUTED = 0.25, 0.04
TEXTS_PER_CLASS = 16


class Phrasebook:
    """Phrasings per data set and class id.

    Attributes:
        prompts: The corpus's own phrasings.
        names: Class names; a class without one gets only its own phrasings.
        modalities: Per data set, ways to say how its images were taken, each true for all of them.
    """

    def __init__(
        self,
        prompts: Mapping[str, Mapping[int, Sequence[str]]],
        names: Mapping[str, Mapping[int, str]],
        instance_datasets: Set[str] = frozenset(),
    ) -> None:
        self.prompts, self.names, self.instance_datasets = prompts, names, instance_datasets
        self.synonyms: dict[str, list[str]] = read_json_table(HERE / "synonyms.json")
        self.templates: dict[str, list[str]] = read_json_table(HERE / "templates.json")
        variants: dict[str, list[str]] = read_json_table(HERE / "modalities.json")
        self.modalities = {
            dataset: _modality_wordings(_texts(classes), variants)
            for dataset, classes in prompts.items()
        }

    @classmethod
    def load(
        cls,
        prompts_json: Path,
        provenance_json: Path | None,
        ours: Synthetic | None = None,
    ) -> Phrasebook:
        """Read the training prompts and, from the provenance, the most common class names.

        Args:
            prompts_json: ``{data set: {class id: [prompts], "instance_label": 0 or 1}}``.
            provenance_json: ``{"train": {case: {"dataset": ..., "classes": {class id: name}}}}``.
            ours: Data sets of our own making, whose names and phrasings join them.

        Raises:
            UsageError: A file cannot be read or does not look like this.
        """
        table = read_json_table(prompts_json)
        try:
            given = {
                dataset: {int(k): list(v) for k, v in classes.items() if k != "instance_label"}
                for dataset, classes in table.items()
            }
            instance = {dataset for dataset, c in table.items() if c.get("instance_label")}
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{prompts_json}: expected {{data set: {{class id: [prompts]}}}} ({error})"
            ) from error
        names = {} if provenance_json is None else _most_common_names(provenance_json)
        if ours is None:
            return cls(given, names, instance)
        instance |= ours.instance_datasets
        return cls({**given, **ours.prompts}, {**names, **ours.names}, instance)

    def class_name(self, dataset: str, class_id: int) -> str:
        """Name of a class, or its first phrasing where no name is known."""
        return self._name(dataset, class_id) or self._own(dataset, class_id)[0]

    def sample(self, dataset: str, class_id: int, rng: random.Random) -> str:
        """One phrasing at random, half of them the corpus's own.

        Raises:
            UsageError: The class has neither phrasings nor a name.
        """
        name = self._name(dataset, class_id)
        own = self.prompts.get(dataset, {}).get(class_id, ())
        if name is None or (own and rng.random() < OWN_WORDING):
            return rng.choice(self._own(dataset, class_id))
        return self._compose(dataset, name, rng)

    def wordings(self, name: str) -> list[str]:
        """The name and its synonyms; a side is kept and never mixed with the other.

        Of a name with a side, like "left kidney", the part is looked up, unless the whole name has
        synonyms of its own, like "left atrium", which is no "atrium on the left".
        """
        sided = SIDED.fullmatch(name)
        if name in self.synonyms or sided is None:
            return [name, *self.synonyms.get(name, ())]
        side, part = sided.groups()
        values = {"side": side, "initial": side[0].upper()}
        synonyms = self.synonyms.get(part, ())
        parts = [part, *(word for word in synonyms if "{" not in word)]
        turned = [form.format(part=word, **values) for word in parts for form in SIDED_FORMS]
        return turned + [word.format(**values) for word in synonyms if "{" in word]

    def all_texts(self) -> list[str]:
        """Given prompts, all wordings and composed prompts, for the vocabulary; always the same."""
        rng = random.Random(0)
        texts = [text for classes in self.prompts.values() for text in _texts(classes)]
        for dataset, classes in self.names.items():
            for name in classes.values():
                texts += self.wordings(name)
                texts += [self._compose(dataset, name, rng) for _ in range(TEXTS_PER_CLASS)]
        return texts

    def _name(self, dataset: str, class_id: int) -> str | None:
        return self.names.get(dataset, {}).get(class_id)

    def _own(self, dataset: str, class_id: int) -> Sequence[str]:
        own = self.prompts.get(dataset, {}).get(class_id)
        if not own:
            raise UsageError(
                f"expected prompts or a name for class {class_id} of {dataset}, found none"
            )
        return own

    def _compose(self, dataset: str, name: str, rng: random.Random) -> str:
        wording = name if rng.random() < NAME_ITSELF else rng.choice(self.wordings(name))
        modalities = self.modalities.get(dataset)
        if modalities and rng.random() < WITH_MODALITY:
            template = rng.choice(self.templates["modality"])
            text = template.format(x=wording, m=rng.choice(modalities))
        else:
            plain = self.templates["plain"]
            if dataset in self.instance_datasets:
                plain = plain + self.templates["instance"]
            text = rng.choice(plain).format(x=wording)
        if rng.random() < TYPO:
            text = _with_typo(text, rng)
        if rng.random() < WITH_SURROUNDINGS:
            history = rng.choice(self.templates["history"])
            text = rng.choice(self.templates["around"]).format(t=text, h=history)
        if rng.random() < SHOUTED:
            return text.upper()
        return text[0].upper() + text[1:] if rng.random() < CAPITAL else text


def _modality_wordings(texts: Sequence[str], variants: Mapping[str, Sequence[str]]) -> list[str]:
    """What a data set's prompts have in common about the modality, and ways to vary it."""
    shared = _shared_phrase(texts, frozenset(variants))
    if shared is None:
        return []
    words = shared.split()
    term = next(word for word in words if word in variants)
    wordings = [shared, *variants[term]]
    if words[-1] == term:
        wordings += [" ".join([*words[:-1], variant]) for variant in variants[term]]
    return list(dict.fromkeys(wordings))


def _shared_phrase(texts: Sequence[str], terms: Set[str]) -> str | None:
    """Longest run of words that is in every text, holds a term and no function word."""
    split = [[word.strip(".,;:?!()") for word in text.split()] for text in texts]
    joined = [f" {' '.join(words).lower()} " for words in split]
    runs = (
        words[start:stop]
        for words in split
        for start in range(1, len(words))
        for stop in range(start + 1, len(words) + 1)
    )
    candidates = {
        " ".join(run)
        for run in runs
        if terms & set(run) and not FUNCTION_WORDS & {word.lower() for word in run}
    }
    common = [c for c in candidates if all(f" {c.lower()} " in text for text in joined)]
    return max(common, key=lambda c: (len(c.split()), c), default=None)


def _with_typo(text: str, rng: random.Random) -> str:
    """Swap two inner letters of one long word; sides and numbers are too short to be hit."""
    words = list(LONG_WORD.finditer(text))
    if not words:
        return text
    word = rng.choice(words)
    i = rng.randrange(word.start() + 1, word.end() - 2)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _most_common_names(provenance_json: Path) -> dict[str, dict[int, str]]:
    votes: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    table = read_json_table(provenance_json)
    try:
        for case in table["train"].values():
            for class_id, name in case["classes"].items():
                votes[case["dataset"]][int(class_id)][name] += 1
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(
            f"{provenance_json}: expected train -> case -> dataset and classes ({error})"
        ) from error
    return {
        dataset: {c: counter.most_common(1)[0][0] for c, counter in classes.items()}
        for dataset, classes in votes.items()
    }


def _texts(classes: Mapping[int, Sequence[str]]) -> list[str]:
    return [text for texts in classes.values() for text in texts]
