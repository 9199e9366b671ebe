"""Random wordings of a prompt: the corpus's own, and ours from templates and synonyms."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIDED = re.compile(r"(left|right) (.+)")


class Phrasebook:
    """Phrasings per data set and class id."""

    def __init__(
        self,
        prompts: Mapping[str, Mapping[int, Sequence[str]]],
        names: Mapping[str, Mapping[int, str]],
    ) -> None:
        """Take prompts and class names; classes without a name get only their own prompts."""
        self.prompts, self.names = prompts, names
        self.synonyms: dict[str, list[str]] = _read_json("synonyms.json")
        templates = _read_json("templates.json")
        self.plain: list[str] = templates["plain"]
        self.with_modality: list[str] = templates["modality"]
        self.modalities: dict[str, list[str]] = templates["modalities"]

    @classmethod
    def load(
        cls,
        prompts_json: Path,
        provenance_json: Path | None,
        extra: Mapping[str, Mapping[int, Sequence[str]]] | None = None,
    ) -> Phrasebook:
        """Read the training prompts and, from the provenance, the most common class names."""
        prompts: dict[str, Mapping[int, Sequence[str]]] = {
            dataset: {int(k): v for k, v in classes.items() if k != "instance_label"}
            for dataset, classes in json.loads(prompts_json.read_text(encoding="utf-8")).items()
        }
        prompts.update(extra or {})
        votes: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        if provenance_json is not None:
            for case in json.loads(provenance_json.read_text(encoding="utf-8"))["train"].values():
                for class_id, name in case["classes"].items():
                    votes[case["dataset"]][int(class_id)][name] += 1
        names = {
            dataset: {c: counter.most_common(1)[0][0] for c, counter in classes.items()}
            for dataset, classes in votes.items()
        }
        return cls(prompts, names)

    def class_name(self, dataset: str, class_id: int) -> str:
        """Name of a class, or its first prompt where no name is known."""
        return self.names.get(dataset, {}).get(class_id) or self.prompts[dataset][class_id][0]

    def sample(self, dataset: str, class_id: int, rng: random.Random) -> str:
        """One phrasing at random, half of them the corpus's own."""
        name = self.names.get(dataset, {}).get(class_id)
        if name is None or rng.random() < 0.5:
            return rng.choice(self.prompts[dataset][class_id])
        text = self._compose(dataset, rng.choice(self.wordings(name)), rng)
        return text.capitalize() if rng.random() < 0.3 else text

    def wordings(self, name: str) -> list[str]:
        """The name and its synonyms; a side is kept and never mixed with the other."""
        sided = SIDED.fullmatch(name)
        if name in self.synonyms or sided is None:
            return [name, *self.synonyms.get(name, ())]
        side, part = sided.groups()
        words = [part, *self.synonyms.get(part, ())]
        forms = ("{s} {w}", "{w} on the {s}", "{w} on the {s} side", "{w}, {s}", "{s}-sided {w}")
        return [form.format(s=side, w=w) for w in words for form in forms]

    def all_texts(self) -> list[str]:
        """Every given prompt and every wording, for the vocabulary; always the same."""
        given = (t for classes in self.prompts.values() for ts in classes.values() for t in ts)
        names = sorted({n for classes in self.names.values() for n in classes.values()})
        return [*given, *(w for n in names for w in self.wordings(n)), *self._template_texts()]

    def _compose(self, dataset: str, wording: str, rng: random.Random) -> str:
        words = self.modalities.get(dataset.split("_")[0])
        if words is None or rng.random() < 0.4:
            return rng.choice(self.plain).format(x=wording)
        return rng.choice(self.with_modality).format(x=wording, m=rng.choice(words))

    def _template_texts(self) -> Iterable[str]:
        for template in (*self.plain, *self.with_modality):
            yield template.format(x="", m="")
        for words in self.modalities.values():
            yield from words


def _read_json(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))
