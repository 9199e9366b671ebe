"""A frozen bundle of weights: what it holds, how it is verified and loaded.

A bundle is a folder with ``model.safetensors`` (only tensors that matter), ``config.json``,
``tokenizer.json``, optionally ``prompts.json`` (what may be asked), ``manifest.json`` (SHA-256 of
each) and, for people, ``MODEL_CARD.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors

from predict.errors import BundleError
from predict.known_prompts import KnownPrompts
from predict.model.config import ModelConfig
from predict.model.decomposed_conv import fold_batch_norms
from predict.model.text3dsam import Text3DSAM
from predict.pipeline import Pipeline
from predict.skeleton import skeleton
from predict.tokenizer import PromptTokenizer

WEIGHTS, CONFIG, TOKENIZER, PROMPTS, MANIFEST = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "prompts.json",
    "manifest.json",
)
FORMAT = 1


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


def load_bundle(folder: Path) -> Bundle:
    """Verify and load for prediction.

    Raises:
        BundleError: A file is missing or differs from the manifest, or they do not fit together.
    """
    parts = read_bundle(folder)
    model = build_model(parts.config, parts.tensors, str(folder))
    return Bundle(
        model,
        parts.pipeline,
        parts.tokenizer,
        parts.manifest,
        parts.sha256,
        parts.known_prompts,
    )


def read_bundle(folder: Path) -> BundleParts:
    """Verify and read, without building the network.

    Raises:
        BundleError: A file is missing or differs from the manifest, or cannot be read.
    """
    manifest, contents, sha256 = _verified_contents(folder)
    config, pipeline = read_config(contents[CONFIG], str(folder / CONFIG))
    try:
        tensors = parse_safetensors(contents[WEIGHTS])
    except SafetensorError as error:
        raise BundleError(f"{folder / WEIGHTS}: not a safetensors file ({error})") from error
    tokenizer = PromptTokenizer.from_bytes(contents[TOKENIZER], str(folder / TOKENIZER))
    if tokenizer.vocabulary > config.text_encoder.vocab_size:
        raise BundleError(
            f"{folder / TOKENIZER}: expected at most {config.text_encoder.vocab_size} ids as in "
            f"the network's vocabulary, received {tokenizer.vocabulary}"
        )
    known = _known_prompts(folder, contents)
    return BundleParts(config, pipeline, tensors, tokenizer, manifest, sha256, known)


def read_known_prompts(folder: Path) -> KnownPrompts | None:
    """What a bundle was trained on, verified; None where it does not say.

    Raises:
        BundleError: As of :func:`read_bundle`.
    """
    return _known_prompts(folder, _verified_contents(folder)[1])


def describe_bundle(folder: Path) -> dict[str, Any]:
    """What a bundle is: verified hashes, sizes and provenance, as plain values."""
    manifest, contents, sha256 = _verified_contents(folder)
    config, pipeline = read_config(contents[CONFIG], str(folder / CONFIG))
    known = _known_prompts(folder, contents)
    return {
        "bundle": str(folder),
        "sha256": sha256,
        "parameters": manifest["parameters"],
        "parameters_kept": manifest["parameters_kept"],
        "dtype": manifest["dtype"],
        "size_mb": round(sum(len(data) for data in contents.values()) / 1e6, 1),
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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Parse manifest.json without verifying the files it names."""
    if not folder.is_dir():
        raise BundleError(f"no bundle: {folder} is not a folder")
    manifest = parse_json(_read(folder / MANIFEST), str(folder / MANIFEST))
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("files"), dict):
        raise BundleError(
            f"{folder / MANIFEST}: expected format {FORMAT} with a table of files, "
            f"received format {manifest.get('format')!r}"
        )
    return manifest


def parse_json(text: bytes, source: str) -> dict[str, Any]:
    """JSON object or a BundleError that names the file."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{source}: not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise BundleError(f"{source}: expected a JSON object, received {type(values).__name__}")
    return values


def _verified_contents(folder: Path) -> tuple[dict[str, Any], dict[str, bytes], str]:
    manifest = read_manifest(folder)
    contents = {}
    optional = [PROMPTS] if PROMPTS in manifest["files"] else []
    for name in (WEIGHTS, CONFIG, TOKENIZER, *optional):
        stated = manifest["files"].get(name)
        contents[name] = _read(folder / name)
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != stated:
            raise BundleError(
                f"{folder / name}: SHA-256 expected {stated} (manifest), received {actual}: "
                "the file is damaged or not the bundle's"
            )
    return manifest, contents, hashlib.sha256(_read(folder / MANIFEST)).hexdigest()


def _known_prompts(folder: Path, contents: Mapping[str, bytes]) -> KnownPrompts | None:
    if PROMPTS not in contents:
        return None
    source = str(folder / PROMPTS)
    return KnownPrompts.from_table(parse_json(contents[PROMPTS], source), source)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")
