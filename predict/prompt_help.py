"""Warnings about prompts, and the nearest ones a bundle knows; no prompt is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F

from predict.known_prompts import KnownClass, KnownPrompts
from predict.model.text3dsam import Text3DSAM
from predict.prompt_words import joins_sides, modalities_of, sides_of, structure_words
from predict.tokenizer import PromptTokenizer

# Measured: see docs/usage.md, "Prompts".
LEAST_NEARNESS = 0.86
LEAST_LIKENESS = 0.85
SHORTEST_MISSPELT = 5
WORDINGS_COMPARED = 4
TEXTS_AT_ONCE = 128
Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Neighbour:
    """A known class and how near a prompt is to it, 0..1."""

    known: KnownClass
    nearness: float


class PromptHelp:
    """Compares prompts with what a bundle was trained on.

    Nearness is the mean of two numbers: the cosine between the text embeddings of the prompt and
    of a class's wordings (the bundle's own text encoder), and the share of the wording's words that
    the prompt has. The embeddings of all wordings are computed when a prompt first needs them.
    """

    def __init__(self, known: KnownPrompts, embed: Embed) -> None:
        """Args: known: The bundle's list. embed: Texts -> (N, E) unit vectors."""
        self.known, self._embed = known, embed
        self._words = [[structure_words(name) for name in c.names] for c in known.classes]
        self._vocabulary = sorted({word for names in self._words for w in names for word in w})
        self._vectors: np.ndarray | None = None

    def check(self, prompts: Sequence[str], modality: str | None = None) -> tuple[str, ...]:
        """One line for everything odd about the prompts for an image of a modality, if known."""
        warnings = [line for text in prompts for line in self._check_one(text, modality)]
        warnings += [line for a, b in combinations(prompts, 2) for line in _check_pair(a, b)]
        return tuple(warnings)

    def nearest(self, text: str, count: int = 3, modality: str | None = None) -> list[Neighbour]:
        """Known classes, nearest first, a name only once; those of the modality come first."""
        scores = self._nearness(text)
        best: dict[str, Neighbour] = {}
        order = np.argsort(-scores - [0.1 * (c.modality == modality) for c in self.known.classes])
        for index in order:
            known = self.known.classes[index]
            best.setdefault(known.name, Neighbour(known, float(scores[index])))
        return list(best.values())[:count]

    def _check_one(self, text: str, modality: str | None) -> list[str]:
        told, sides, warnings = modalities_of(text), sides_of(text), []
        if modality is not None and told and modality not in told:
            warnings.append(f'"{text}" speaks of {_listed(told)}, the image is {modality}')
        if len(told) > 1 and not told & {"PET"}:
            warnings.append(f'"{text}" speaks of {_listed(told)} at once')
        if len(sides) > 1 and not joins_sides(text):
            warnings.append(f'"{text}" says both left and right')
        for word, meant_word in self._misspelt(text).items():
            warnings.append(f'"{text}": "{word}" is not a known word, "{meant_word}" is')
        meant = self._meant(text)
        if not meant:
            near = ", ".join(f'"{n.known.name}" ({n.known.modality})' for n in self.nearest(text))
            return [*warnings, f'"{text}" is far from everything known; nearest: {near}']
        wanted = told if len(told) == 1 else {modality} if modality else frozenset()
        known_in = {c.modality for c in meant}
        if wanted and not known_in & wanted:
            warnings.append(
                f'"{text}" is known in {_listed(known_in)} only, not in {_listed(wanted)}'
            )
        return [*warnings, *_check_side(text, sides, meant)]

    def _meant(self, text: str) -> list[KnownClass]:
        """The known classes a prompt can mean: of one structure, on any side, in any modality."""
        words = self._corrected(text)
        exact = [
            c for c, names in zip(self.known.classes, self._words, strict=True) if words in names
        ]
        if words and exact:
            return exact
        neighbour = self.nearest(text, 1)[0]
        if neighbour.nearness < LEAST_NEARNESS:
            return []
        target = structure_words(neighbour.known.name)
        return [c for c in self.known.classes if structure_words(c.name) == target]

    def _corrected(self, text: str) -> frozenset[str]:
        misspelt = self._misspelt(text)
        return frozenset(misspelt.get(word, word) for word in structure_words(text))

    def _misspelt(self, text: str) -> dict[str, str]:
        """Long words that are unknown -> the known word that looks alike, where there is one."""
        found = {}
        for word in sorted(structure_words(text) - set(self._vocabulary)):
            alike = get_close_matches(word, self._vocabulary, 1, LEAST_LIKENESS)
            if alike and len(word) >= SHORTEST_MISSPELT:
                found[word] = alike[0]
        return found

    def _nearness(self, text: str) -> np.ndarray:
        """(classes,) mean of the cosine and of the share of words, best wording of each class."""
        if self._vectors is None:
            texts = [name for c in self.known.classes for name in _compared(c)]
            self._vectors = self._embed(texts)
        cosines = self._vectors @ self._embed([text])[0]
        lengths = [len(_compared(c)) for c in self.known.classes]
        starts = np.cumsum([0, *lengths[:-1]])
        words = self._corrected(text)
        shared = [max(_share(name, words) for name in names) for names in self._words]
        nearness: np.ndarray = (np.maximum.reduceat(cosines, starts) + np.array(shared)) / 2
        return nearness


def embedder(model: Text3DSAM, tokenizer: PromptTokenizer) -> Embed:
    """Texts -> unit vectors of a bundle's text encoder."""

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> np.ndarray:
        device = next(model.text_projector.parameters()).device
        longest = model.config.text_encoder.max_position_embeddings
        parts = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            tokens = tokenizer.encode(texts[start : start + TEXTS_AT_ONCE], max_length=longest)
            vectors = model.encode_text(tokens.ids.to(device), tokens.mask.to(device))
            parts.append(F.normalize(vectors.float(), dim=1).cpu().numpy())
        return np.concatenate(parts)

    return embed


def _compared(known: KnownClass) -> tuple[str, ...]:
    return (*known.names[:WORDINGS_COMPARED], *known.examples[:1])


def _check_side(text: str, sides: frozenset[str], meant: Sequence[KnownClass]) -> list[str]:
    """Whether the side asked for is one that the structure is known with.

    A wording can have none where the name has one, as "LV".
    """
    words = structure_words(text)
    known = [
        sides_of(name)
        for c in meant
        for name in c.names
        if name == c.name or structure_words(name) == words
    ]
    if any(s == sides or (not s and len(sides) != 1) for s in known):
        return []
    names = " and ".join(f'"{name}"' for name in sorted({c.name for c in meant}))
    if not sides:
        return [f'"{text}" names no side; known: {names}']
    return [f'"{text}" names a side; known: {names}'] if len(sides) == 1 else []


def _check_pair(a: str, b: str) -> list[str]:
    """Whether two prompts contradict each other or claim the same voxels."""
    told_a, told_b = modalities_of(a), modalities_of(b)
    if told_a and told_b and not told_a & told_b:
        return [f'"{a}" speaks of {_listed(told_a)}, "{b}" of {_listed(told_b)}']
    words, sides_a, sides_b = structure_words(a), sides_of(a), sides_of(b)
    if not words or words != structure_words(b):
        return []
    if sides_a == sides_b:
        return [f'"{a}" and "{b}" ask for the same: every voxel gets only one label']
    if len(sides_a) == 1 and len(sides_b) == 1:
        return []
    return [f'"{a}" and "{b}" overlap in side: every voxel gets only one label']


def _share(name: frozenset[str], words: frozenset[str]) -> float:
    """How much of a name occurs among the words."""
    return len(name & words) / max(1, len(name))


def _listed(names: Set[str]) -> str:
    return " and ".join(sorted(names))
