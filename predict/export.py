"""Turn a published-style checkpoint folder into a bundle."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from predict.atomic import replacing
from predict.bundle import build_model
from predict.bundle_files import (
    CONFIG,
    FORMAT,
    MANIFEST,
    PROMPTS,
    TOKENIZER,
    WEIGHTS,
    parse_json,
    read_manifest,
)
from predict.errors import BundleError
from predict.freeze import freeze_tokenizer
from predict.known_prompts import KnownPrompts
from predict.model.config import (
    ImageEncoderConfig,
    MaskDecoderConfig,
    ModelConfig,
    PromptEncoderConfig,
    TextEncoderConfig,
)
from predict.pipeline import Pipeline

NO_INFLUENCE = re.compile(
    r"text_encoder\.pooler\.|output_hypernetworks_mlps\.[1-9]|num_batches_tracked$|position_ids$"
    r"|token_type_ids$"
)
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def export_bundle(
    checkpoint: Path,
    bundle: Path,
    *,
    dtype: str = "bfloat16",
    source: str | None = None,
    pipeline: Pipeline | None = None,
) -> dict[str, Any]:
    """Freeze a checkpoint.

    Matrices and convolutions are stored in ``dtype``; vectors, BatchNorm statistics and the
    Fourier matrix stay float32, which costs next to nothing and keeps their precision.

    Args:
        checkpoint: Folder with config.json, one or more ``*.safetensors``, tokenizer files and, as
            our training writes it, prompts.json.
        bundle: Folder to write; files of an earlier bundle there are replaced.
        dtype: ``bfloat16`` or ``float32``.
        source: One line on where the weights come from, kept in the manifest.
        pipeline: What prediction does around the network; what the checkpoint's configuration says
            if None, and as published if that says nothing.

    Returns:
        The manifest.

    Raises:
        BundleError: The checkpoint is incomplete or its parts do not fit together.
    """
    original = read_tensors(checkpoint)
    values = parse_json(_config_text(checkpoint), str(checkpoint / CONFIG))
    stated, values = Pipeline.split({"mode": "paper", **values})
    config = model_config(values, {k: tuple(v.shape) for k, v in original.items()})
    kept = {
        key: tensor.to(torch.float32 if _is_sensitive(key, tensor) else DTYPES[dtype]).contiguous()
        for key, tensor in original.items()
        if not NO_INFLUENCE.search(key)
    }
    build_model(config, kept, str(checkpoint))
    tokenizer = freeze_tokenizer(checkpoint)
    if tokenizer.get_vocab_size() > config.text_encoder.vocab_size:
        raise BundleError(
            f"{checkpoint}: the tokenizer has {tokenizer.get_vocab_size()} tokens, "
            f"the text encoder {config.text_encoder.vocab_size}"
        )
    contents = {
        WEIGHTS: save(kept),
        CONFIG: _json({**(pipeline or stated).to_dict(), **config.to_dict()}),
        TOKENIZER: (tokenizer.to_str(pretty=True) + "\n").encode(),
    }
    if (checkpoint / PROMPTS).is_file():
        source_of_prompts = str(checkpoint / PROMPTS)
        table = parse_json((checkpoint / PROMPTS).read_bytes(), source_of_prompts)
        contents[PROMPTS] = KnownPrompts.from_table(table, source_of_prompts).to_json()
    manifest = {
        "format": FORMAT,
        "files": {name: _sha256(data) for name, data in contents.items()},
        "parameters": _count_parameters(original),
        "parameters_kept": _count_parameters(kept),
        "dtype": dtype,
        "provenance": {
            "source": source or checkpoint.name,
            "checkpoint_dtype": sorted({str(t.dtype).split(".")[-1] for t in original.values()}),
            "exported": datetime.now(UTC).date().isoformat(),
        },
    }
    bundle.mkdir(parents=True, exist_ok=True)
    if PROMPTS not in contents:
        (bundle / PROMPTS).unlink(missing_ok=True)
    _write(bundle, {**contents, MANIFEST: _json(manifest)})
    return manifest


def write_known_prompts(bundle: Path, known: KnownPrompts) -> None:
    """Put a list of what it was trained on into a finished bundle; the weights stay untouched.

    Raises:
        BundleError: No bundle.
    """
    manifest, data = read_manifest(bundle), known.to_json()
    manifest["files"][PROMPTS] = _sha256(data)
    _write(bundle, {PROMPTS: data, MANIFEST: _json(manifest)})


def read_tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """All tensors of the folder's ``*.safetensors`` files."""
    files = sorted(checkpoint.glob("*.safetensors"))
    if not files:
        raise BundleError(f"{checkpoint}: expected *.safetensors files, found none")
    index = checkpoint / "model.safetensors.index.json"
    if index.exists():
        weight_map = parse_json(index.read_bytes(), str(index)).get("weight_map", {})
        absent = sorted({str(name) for name in weight_map.values()} - {f.name for f in files})
        if absent:
            raise BundleError(f"{checkpoint}: {index.name} names {absent[0]}, which is missing")
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        try:
            part = load_file(file)
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{file}: not a readable safetensors file ({error})") from error
        twice = sorted(set(part) & set(tensors))
        if twice:
            raise BundleError(f"{file}: tensor {twice[0]} is in an earlier file too")
        tensors.update(part)
    return tensors


def model_config(values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> ModelConfig:
    """Configuration of a checkpoint.

    Our own config.json says everything. A published one says little more than the input size and
    the decoder's; the rest is fixed in the published code and read from the tensors' shapes.
    """
    if "image_encoder" in values:
        return ModelConfig.from_dict(values)
    try:
        return _published_config(values, shapes)
    except KeyError as error:
        raise BundleError(f"the checkpoint lacks {error}, so its sizes cannot be told") from error


def _published_config(
    values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> ModelConfig:
    words = shapes["text_encoder.embeddings.word_embeddings.weight"]
    bert = "text_encoder.encoder.layer"
    mask = "seg_decoder.prompt_encoder.mask_downscaling"
    nested = values.get("text_config")
    heads = nested.get("num_attention_heads", 12) if isinstance(nested, Mapping) else 12
    return ModelConfig(
        image_size=tuple(values["image_size"]),
        refinements=values["pass_num"],
        image_encoder=ImageEncoderConfig(
            channels=tuple(
                shapes[f"image_encoder.encoder.{k}"][0]
                for k in ("s0.0.0.c1.0.weight", *(f"s{i}.0.proj.weight" for i in (1, 2, 3, 4)))
            ),
            depths=tuple(
                _count_modules(shapes, f"image_encoder.encoder.s{i}.") for i in (1, 2, 3, 4)
            ),
        ),
        text_encoder=TextEncoderConfig(
            vocab_size=words[0],
            hidden_size=words[1],
            num_hidden_layers=_count_modules(shapes, f"{bert}."),
            num_attention_heads=heads,
            intermediate_size=shapes[f"{bert}.0.intermediate.dense.weight"][0],
            max_position_embeddings=shapes["text_encoder.embeddings.position_embeddings.weight"][0],
            type_vocab_size=shapes["text_encoder.embeddings.token_type_embeddings.weight"][0],
        ),
        prompt_encoder=PromptEncoderConfig(
            mask_channels=tuple(shapes[f"{mask}.{i}.c1.0.weight"][0] for i in (0, 2, 4, 6))
        ),
        mask_decoder=MaskDecoderConfig(
            depth=values["transformer_depth"],
            num_heads=values["num_heads"],
            mlp_dim=values["mlp_dim"],
            num_mask_tokens=shapes["seg_decoder.mask_decoder.mask_tokens.weight"][0],
        ),
    )


def _count_modules(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    return len({k[len(prefix) :].split(".")[0] for k in shapes if k.startswith(prefix)})


def _config_text(checkpoint: Path) -> bytes:
    path = checkpoint / CONFIG
    if not path.is_file():
        raise BundleError(f"{checkpoint}: expected a {CONFIG}, found none")
    return path.read_bytes()


def _is_sensitive(key: str, tensor: torch.Tensor) -> bool:
    return tensor.ndim < 2 or key.endswith("positional_encoding_gaussian_matrix")


def _count_parameters(tensors: Mapping[str, torch.Tensor]) -> int:
    buffers = ("running_mean", "running_var", "num_batches_tracked", "gaussian_matrix", "_ids")
    return sum(t.numel() for k, t in tensors.items() if not k.endswith(buffers))


def _write(bundle: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        with replacing(bundle / name) as partial:
            partial.write_bytes(data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
