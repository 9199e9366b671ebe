"""Command line of training: ``python -m train --help``."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from predict.tokenizer import PromptTokenizer
from train.config import TrainConfig, half_width_model
from train.corpus import read_corpus
from train.data_commands import add_commands, run_command
from train.fit import fit
from train.phrasing import Phrasebook
from train.synthetic import synthetic_corpus, synthetic_prompts
from train.vocabulary import medical_words, train_vocabulary

SYNTHETIC_SEEDS = range(100, 106)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("fit", help="train the default bundle's network from scratch")
    run.add_argument("--data", type=Path, required=True, help="ROOT/MODALITY/DATASET/*.npz")
    run.add_argument(
        "--prompts", type=Path, required=True, help="JSON: data set -> class -> prompts"
    )
    run.add_argument("--provenance", type=Path, help="JSON with class names per case")
    run.add_argument("--out", type=Path, required=True, help="run folder; resumed if it exists")
    run.add_argument("--minutes", type=float, default=TrainConfig.minutes)
    run.add_argument("--seed", type=int, default=TrainConfig.seed)
    add_commands(commands)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if hasattr(arguments, "run"):
        sys.exit(run_command(arguments))
    volumes = read_corpus(arguments.data, arguments.prompts) + synthetic_corpus(SYNTHETIC_SEEDS)
    phrasebook = Phrasebook.load(
        arguments.prompts, arguments.provenance, extra=synthetic_prompts(SYNTHETIC_SEEDS)
    )
    tokenizer_file = arguments.out / "tokenizer.json"
    if not tokenizer_file.exists():
        arguments.out.mkdir(parents=True, exist_ok=True)
        train_vocabulary(phrasebook.all_texts(), medical_words()).save(str(tokenizer_file))
    tokenizer = PromptTokenizer.from_file(tokenizer_file)
    config = replace(TrainConfig(), minutes=arguments.minutes, seed=arguments.seed)
    model = half_width_model(tokenizer.tokenizer.get_vocab_size())
    print(fit(volumes, phrasebook, tokenizer, model, config, arguments.out))


if __name__ == "__main__":
    main()
