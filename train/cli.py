"""Command line of training: ``python -m train --help``."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from predict.bundle import read_known_prompts
from predict.errors import BundleError, CaseError, UsageError
from predict.export import export_bundle, write_known_prompts
from predict.freeze import freeze_tokenizer
from predict.model.text3dsam import Text3DSAM
from predict.pipeline import Pipeline
from predict.tokenizer import PromptTokenizer
from train import bench, calibrate, data_commands
from train.checkpoints import exportable
from train.config import TrainConfig
from train.config_file import read_config
from train.engine import TrainingData, fit
from train.memory import keep_freed_memory
from train.network import (
    load_pretrained_text,
    model_from_bundle,
    new_model,
    pretrained_text_config,
    with_vocabulary,
)
from train.phrasing import Phrasebook
from train.prompt_list import list_prompts, provenance_classes
from train.sources import Source, open_source
from train.vocabulary import medical_words, train_vocabulary


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 if all went well, 1 if some cases could not be packed, 2 for a wrong call, which gets one
        line on stderr.
    """
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keep_freed_memory()
    try:
        return parsed.run(parsed) or 0
    except (UsageError, BundleError, CaseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("fit", help="train a network from scratch, or go on with a run")
    train.set_defaults(run=_fit)
    _add_data_options(train, config="default.yaml")
    tune = commands.add_parser("finetune", help="go on from a bundle with cases of one's own")
    tune.set_defaults(run=_finetune)
    tune.add_argument("--bundle", type=Path, required=True, help="where to start from")
    tune.add_argument(
        "--presence", action="store_true", help="add a presence head if there is none"
    )
    _add_data_options(tune, config="finetune.yaml")
    export = commands.add_parser("export", help="make a bundle of a run's best weights")
    export.set_defaults(run=_export)
    export.add_argument("run_folder", type=Path, metavar="RUN", help="run, or one of its folders")
    export.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder to write")
    export.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    export.add_argument("--source", help="one line on where the weights come from")
    Pipeline.add_options(export)
    describe = commands.add_parser(
        "describe", help="write into a finished bundle what it was trained on (prompts.json)"
    )
    describe.set_defaults(run=_describe)
    describe.add_argument("bundle", type=Path, metavar="BUNDLE")
    describe.add_argument("--prompts", type=Path, required=True, help="as given to fit")
    describe.add_argument("--provenance", type=Path, required=True, help="as given to fit")
    calibrate.add_command(commands)
    bench.add_commands(commands)
    data_commands.add_commands(commands)
    return parser


def _add_data_options(parser: argparse.ArgumentParser, config: str) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path(config), help=f"YAML file or shipped name ({config})"
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="another value of a field, such as optimizer.learning_rate=1e-5",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="ROOT/MODALITY/DATASET/*.npz, a flat folder of npz files with text_prompts, or with "
        "--index a folder of packs",
    )
    parser.add_argument("--index", type=Path, help="the index that --data was packed from")
    parser.add_argument("--prompts", type=Path, help="JSON: data set -> class id -> phrasings")
    parser.add_argument("--provenance", type=Path, help="JSON: class names and subjects per case")
    parser.add_argument("--out", type=Path, required=True, help="run; resumed if it is there")


def _open(arguments: argparse.Namespace) -> tuple[TrainConfig, Source]:
    config = read_config(arguments.config, arguments.overrides)
    source = open_source(
        arguments.data,
        arguments.prompts,
        arguments.provenance,
        index=arguments.index,
        mixed_in=config.sampling,
    )
    return config, source


def _fit(arguments: argparse.Namespace) -> None:
    config, source = _open(arguments)
    model, tokenizer = _new_network(config, source.phrasebook)
    fit(TrainingData(source.corpus, source.phrasebook, tokenizer), model, config, arguments.out)


def _new_network(config: TrainConfig, phrasebook: Phrasebook) -> tuple[Text3DSAM, PromptTokenizer]:
    """Random weights and a vocabulary of the corpus, or a pretrained text encoder with its own."""
    if config.text_encoder.pretrained is None:
        tokenizer = train_vocabulary(phrasebook.all_texts(), medical_words())
        network = with_vocabulary(config.network, tokenizer.get_vocab_size())
        return new_model(network, config.seed), PromptTokenizer(tokenizer)
    folder = Path(config.text_encoder.pretrained)
    network = replace(config.network, text_encoder=pretrained_text_config(folder))
    model = new_model(network, config.seed)
    load_pretrained_text(model, folder)
    return model, PromptTokenizer(freeze_tokenizer(folder))


def _finetune(arguments: argparse.Namespace) -> None:
    config, source = _open(arguments)
    model, tokenizer = model_from_bundle(arguments.bundle, config.seed, presence=arguments.presence)
    known = read_known_prompts(arguments.bundle)
    data = TrainingData(source.corpus, source.phrasebook, tokenizer, known)
    fit(data, model, config, arguments.out)


def _describe(arguments: argparse.Namespace) -> None:
    phrasebook = Phrasebook.load(arguments.prompts, arguments.provenance)
    known = list_prompts(phrasebook, provenance_classes(arguments.provenance))
    write_known_prompts(arguments.bundle, known)
    print(f"{arguments.bundle}: {len(known.classes)} classes")


def _export(arguments: argparse.Namespace) -> None:
    folder = arguments.run_folder
    if not (folder / "model.safetensors").exists():
        folder = exportable(folder)
    export_bundle(
        folder,
        arguments.bundle,
        dtype=arguments.dtype,
        source=arguments.source,
        pipeline=Pipeline.from_options(arguments),
    )
    print(f"{folder} -> {arguments.bundle}")
