"""How far a bundle's probability of presence can be trusted, and where to cut it off.

Prompts whose target is in a training volume, and prompts whose target is certainly not, are asked
of whole volumes. Training cases flatter the network: the numbers choose a limit and prove nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from evaluate.report import format_rows
from predict.bundle import Bundle, load_bundle
from predict.errors import UsageError
from train.config import AugmentationConfig, SamplingConfig
from train.sampling import SampleDataset
from train.sources import Source, open_source

LIMITS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 5
PLAIN = AugmentationConfig(full_view=1.0, scale=0.0, shift=0.0, gamma=0.0, noise=0.0)


@dataclass(frozen=True)
class Told:
    """Probabilities of presence (N,) and whether the target was there (N,)."""

    probability: np.ndarray
    there: np.ndarray

    def lost(self, limit: float) -> float:
        """Share of the present targets whose probability lies below a limit."""
        return float(np.mean(self.probability[self.there] < limit))

    def kept(self, limit: float) -> float:
        """Share of the absent targets whose probability does not."""
        return float(np.mean(self.probability[~self.there] >= limit))

    def error(self) -> float:
        """Expected calibration error over BINS bins, present and absent counting one half each."""
        weight = np.where(self.there, 0.5 / self.there.sum(), 0.5 / (~self.there).sum())
        place = np.minimum((self.probability * BINS).astype(int), BINS - 1)
        gaps = [
            abs(float(np.sum(weight[place == b] * (self.probability - self.there)[place == b])))
            for b in range(BINS)
        ]
        return sum(gaps)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``train calibrate``."""
    parser = commands.add_parser("calibrate", help="choose --least-presence for a bundle")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--data", type=Path, required=True, help="as given to fit")
    parser.add_argument("--prompts", type=Path, required=True, help="as given to fit")
    parser.add_argument("--provenance", type=Path, help="as given to fit")
    parser.add_argument("--volumes", type=int, default=300, help="default: %(default)s")


def _run(options: argparse.Namespace) -> None:
    source = open_source(options.data, options.prompts, options.provenance)
    told = ask(load_bundle(options.bundle), source, options.volumes)
    print(table(told))


def ask(bundle: Bundle, source: Source, volumes: int, seed: int = 0) -> Told:
    """Ask for what is there and what is not.

    Args:
        bundle: With a presence head.
        source: Cases and wordings.
        volumes: How many volumes to draw, data sets as evenly as their roots allow.
        seed: Of the draw.

    Raises:
        UsageError: The bundle tells no presence, or nothing absent could be asked for.
    """
    model = bundle.model
    if not model.config.mask_decoder.presence:
        raise UsageError("expected a bundle that tells presence, received one without that head")
    dataset = SampleDataset(
        source.corpus,
        range(len(source.corpus.entries)),
        source.phrasebook,
        model.config.image_size,
        SamplingConfig(images_per_step=1, dataset_power=0.5, absent_prompt=1.0),
        PLAIN,
        seed,
    )
    probability: list[float] = []
    there: list[bool] = []
    longest = model.config.text_encoder.max_position_embeddings
    for slot in range(volumes):
        sample = dataset[slot]
        prompts = bundle.tokenizer.encode(sample.texts, max_length=longest)
        with torch.inference_mode():
            text = model.encode_text(prompts.ids, prompts.mask)
            (seen,) = model.decode(model.encode_image(sample.image[None, None]), text, 0)
            logits = model.presence(text, seen)
        assert logits is not None
        probability += logits.sigmoid().tolist()
        there += sample.masks.flatten(1).any(dim=1).tolist()
    told = Told(np.array(probability), np.array(there))
    if told.there.all() or not told.there.any():
        raise UsageError("expected prompts for present and for absent targets, found one kind only")
    return told


def table(told: Told, limits: Sequence[float] = LIMITS) -> str:
    """Markdown: what each limit would lose and keep, and the calibration error."""
    rows = [[f"{x:.2f}", f"{told.lost(x):.3f}", f"{told.kept(x):.3f}"] for x in limits]
    head = ["least presence", "present targets lost", "absent targets kept"]
    return (
        f"{told.there.sum()} present and {(~told.there).sum()} absent targets\n\n"
        f"{format_rows([head, *rows])}\n\nexpected calibration error {told.error():.3f}"
    )
