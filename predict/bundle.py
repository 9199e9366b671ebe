"""A frozen bundle of weights (see :mod:`predict.bundle_files`): how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from predict.bundle_files import (
    CONFIG,
    PROMPTS,
    TOKENIZER,
    WEIGHTS,
    BundleFiles,
    parse_json,
    verify_files,
)
from predict.errors import BundleError
from predict.known_prompts import KnownPrompts
from predict.model.config import ModelConfig
from predict.model.decomposed_conv import fold_batch_norms
from predict.model.text3dsam import Text3DSAM
from predict.pipeline import Pipeline
from predict.skeleton import skeleton
from predict.tokenizer import PromptTokenizer


@dataclass(frozen=True)
class Bundle:
    """A loaded, verified bundle.

    Attributes:
        model: In eval mode, BatchNorms folded, float32.
        pipeline: What prediction does around it.
        tokenizer: Frozen tokenizer.
        manifest: Contents of manifest.json.
        sha256: Hash of manifest.json, which stands for the whole bundle.
        known_prompts: What it was trained on; None where it does not say.
    """

    model: Text3DSAM
    pipeline: Pipeline
    tokenizer: PromptTokenizer
    manifest: Mapping[str, Any]
    sha256: str
    known_prompts: KnownPrompts | None = None


@dataclass(frozen=True)
class BundleParts:
    """A verified bundle as it is stored.

    Attributes:
        config: Sizes of the network.
        pipeline: What prediction does around it.
        tensors: By their names in the network, BatchNorms not folded, in the stored precision.
        tokenizer: Frozen tokenizer.
        manifest: Contents of manifest.json.
        sha256: Hash of manifest.json, which stands for the whole bundle.
        known_prompts: What it was trained on; None where it does not say.
    """

    config: ModelConfig
    pipeline: Pipeline
    tensors: dict[str, torch.Tensor]
    tokenizer: PromptTokenizer
    manifest: Mapping[str, Any]
    sha256: str
    known_prompts: KnownPrompts | None = None


def load_bundle(folder: Path, files: BundleFiles | None = None) -> Bundle:
    """Verify and load for prediction.

    Args:
        folder: The bundle.
        files: Its files, where they were verified already.

    Raises:
        BundleError: A file is missing or differs from the manifest, or they do not fit together.
    """
    parts = read_bundle(folder, files)
    model = build_model(parts.config, parts.tensors, str(folder))
    return Bundle(
        model,
        parts.pipeline,
        parts.tokenizer,
        parts.manifest,
        parts.sha256,
        parts.known_prompts,
    )


def read_bundle(folder: Path, files: BundleFiles | None = None) -> BundleParts:
    """Verify and read, without building the network; arguments as of :func:`load_bundle`.

    Raises:
        BundleError: A file is missing or differs from the manifest, or cannot be read.
    """
    files = files or verify_files(folder)
    config, pipeline = read_config(files.contents[CONFIG], str(folder / CONFIG))
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as weights:
            tensors = {key: weights.get_tensor(key) for key in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{folder / WEIGHTS}: not a safetensors file ({error})") from error
    tokenizer = PromptTokenizer.from_bytes(files.contents[TOKENIZER], str(folder / TOKENIZER))
    if tokenizer.vocabulary > config.text_encoder.vocab_size:
        raise BundleError(
            f"{folder / TOKENIZER}: expected at most {config.text_encoder.vocab_size} ids as in "
            f"the network's vocabulary, received {tokenizer.vocabulary}"
        )
    known = _known_prompts(files)
    return BundleParts(config, pipeline, tensors, tokenizer, files.manifest, files.sha256, known)


def read_known_prompts(folder: Path) -> KnownPrompts | None:
    """What a bundle was trained on, verified; None where it does not say.

    Raises:
        BundleError: As of :func:`read_bundle`.
    """
    return _known_prompts(verify_files(folder))


def describe_bundle(folder: Path) -> dict[str, Any]:
    """What a bundle is: verified hashes, sizes and provenance, as plain values."""
    files = verify_files(folder)
    manifest = files.manifest
    config, pipeline = read_config(files.contents[CONFIG], str(folder / CONFIG))
    known = _known_prompts(files)
    return {
        "bundle": str(folder),
        "sha256": files.sha256,
        "parameters": manifest["parameters"],
        "parameters_kept": manifest["parameters_kept"],
        "dtype": manifest["dtype"],
        "size_mb": round(sum(files.sizes.values()) / 1e6, 1),
        "image_size": list(config.image_size),
        "logit_size": list(config.logit_size),
        "passes": 1 + config.refinements,
        "mode": pipeline.mode,
        "vocabulary": config.text_encoder.vocab_size,
        "known_classes": len(known.classes) if known else None,
        "provenance": manifest["provenance"],
        "files": manifest["files"],
    }


def build_model(config: ModelConfig, tensors: dict[str, torch.Tensor], source: str) -> Text3DSAM:
    """Network for inference from a bundle's tensors.

    Raises:
        BundleError: Tensors are missing, unknown or of another shape.
    """
    with skeleton():
        model = Text3DSAM(config)
    model.prune()
    expected = {k: v for k, v in model.state_dict().items() if not _is_counter(k)}
    missing, unknown = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing or unknown:
        raise BundleError(
            f"{source}: the weights do not fit the configuration: {len(missing)} tensors missing "
            f"(first: {missing[:1]}), {len(unknown)} unknown (first: {unknown[:1]})"
        )
    for key, value in expected.items():
        if tensors[key].shape != value.shape:
            raise BundleError(
                f"{source}: {key}: expected shape {tuple(value.shape)}, "
                f"received {tuple(tensors[key].shape)}"
            )
    model.load_state_dict(
        {k: v.to(torch.float32) for k, v in tensors.items()}, strict=False, assign=True
    )
    model.eval().requires_grad_(False)
    fold_batch_norms(model)
    return model


def read_config(text: bytes, source: str) -> tuple[ModelConfig, Pipeline]:
    """Parse a bundle's config.json."""
    values = parse_json(text, source)
    try:
        pipeline, rest = Pipeline.split(values)
    except BundleError as error:
        raise BundleError(f"{source}: {error}") from error
    return ModelConfig.from_dict(rest), pipeline


def _known_prompts(files: BundleFiles) -> KnownPrompts | None:
    if PROMPTS not in files.contents:
        return None
    source = str(files.folder / PROMPTS)
    return KnownPrompts.from_table(parse_json(files.contents[PROMPTS], source), source)


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")
