"""Where a run's network comes from: random weights, a pretrained text encoder, or a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from predict.bundle import read_bundle
from predict.bundle_files import CONFIG, PROMPTS, TOKENIZER, WEIGHTS
from predict.errors import UsageError
from predict.export import NO_INFLUENCE
from predict.known_prompts import KnownPrompts
from predict.model.config import ModelConfig, TextEncoderConfig
from predict.model.text3dsam import Text3DSAM
from predict.tokenizer import PromptTokenizer

PRESENCE_HEAD = "seg_decoder.mask_decoder.presence."
FIXED_BERT = {"hidden_act": "gelu", "position_embedding_type": "absolute", "model_type": "bert"}


def new_model(config: ModelConfig, seed: int) -> Text3DSAM:
    """A network with random weights, ready to be trained from scratch."""
    torch.manual_seed(seed)
    model = Text3DSAM(config)
    text = model.text_encoder
    # Words must outweigh positions, and attention must carry them to [CLS] undiminished: with
    # BERT's own small initial weights all prompts look alike and stay so.
    nn.init.normal_(text.embeddings.word_embeddings.weight)
    nn.init.normal_(text.embeddings.position_embeddings.weight, std=0.1)
    nn.init.zeros_(text.embeddings.token_type_embeddings.weight)
    for module in text.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
            nn.init.zeros_(module.bias)
    # The encoder multiplies its attention scores by sqrt(head width): start them soft.
    for name, module in model.image_encoder.named_modules():
        if isinstance(module, nn.Linear) and name.endswith("attn.qkv"):
            nn.init.normal_(module.weight, std=0.01)
    return model


def pretrained_text_config(folder: Path) -> TextEncoderConfig:
    """Sizes of a BERT folder, from its config.json.

    Raises:
        UsageError: Unreadable, or not the kind of BERT that the text encoder is.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for key, expected in FIXED_BERT.items():
            if values.get(key, expected) != expected:
                raise UsageError(f"{path}: {key}: expected {expected}, received {values[key]}")
        values["dropout"] = values.get("hidden_dropout_prob", TextEncoderConfig.dropout)
        known = {f.name for f in fields(TextEncoderConfig)}
        return TextEncoderConfig(**{k: v for k, v in values.items() if k in known})
    except (OSError, ValueError, AttributeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: expected a readable BERT configuration ({error})") from error


def load_pretrained_text(model: Text3DSAM, folder: Path) -> None:
    """Put the weights of a BERT folder, as transformers saves it, into the text encoder.

    Reads model.safetensors or pytorch_model.bin; heads of other tasks are left out, and so is a
    missing pooler, which has no influence.

    Raises:
        UsageError: Weights are missing or of another shape.
    """
    given = {_bert_key(key): value for key, value in _read_bert(folder).items()}
    expected = model.text_encoder.state_dict()
    for key, value in expected.items():
        if key not in given and not key.startswith("pooler."):
            raise UsageError(f"{folder}: expected the tensor {key}, which is missing")
        if key in given and given[key].shape != value.shape:
            raise UsageError(
                f"{folder}: {key}: expected shape {tuple(value.shape)}, "
                f"received {tuple(given[key].shape)}"
            )
    known = {k: v.to(torch.float32) for k, v in given.items() if k in expected}
    model.text_encoder.load_state_dict({**expected, **known})


def model_from_bundle(
    folder: Path, seed: int = 0, *, presence: bool = False
) -> tuple[Text3DSAM, PromptTokenizer]:
    """A trainable network with a bundle's weights, and its tokenizer.

    A bundle stores BatchNorms beside their convolutions (they are folded only when it is loaded for
    prediction), so training goes on from just what was exported. What export leaves out has no
    influence on any mask and is random here.

    Args:
        folder: The bundle.
        seed: Of what is random.
        presence: Add a presence head with random weights where the bundle has none.

    Raises:
        BundleError: The bundle is damaged.
        UsageError: It lacks weights that matter.
    """
    parts = read_bundle(folder)
    config: ModelConfig = parts.config
    added: tuple[str, ...] = ()
    if presence and not config.mask_decoder.presence:
        config = replace(config, mask_decoder=replace(config.mask_decoder, presence=True))
        added = (PRESENCE_HEAD,)
    model = new_model(config, seed)
    tensors = {k: v.to(torch.float32) for k, v in parts.tensors.items()}
    result = model.load_state_dict(tensors, strict=False)
    lost = [
        key
        for key in result.missing_keys
        if not NO_INFLUENCE.search(key) and not key.startswith(added)
    ]
    if lost or result.unexpected_keys:
        raise UsageError(
            f"{folder}: expected the weights of its configuration, "
            f"missing {lost[:1]}, unknown {result.unexpected_keys[:1]}"
        )
    return model, parts.tokenizer


def with_vocabulary(config: ModelConfig, size: int) -> ModelConfig:
    """The network for a tokenizer of so many tokens."""
    return replace(config, text_encoder=replace(config.text_encoder, vocab_size=size))


def write_checkpoint(
    folder: Path,
    weights: Mapping[str, Tensor],
    config: ModelConfig,
    tokenizer: Tokenizer,
    known: KnownPrompts | None = None,
) -> None:
    """Write what ``python -m predict export`` reads: config, weights, tokenizer, and the list of
    what the network was trained on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.cpu().contiguous() for k, v in weights.items()}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config.to_dict(), indent=2) + "\n")
    tokenizer.save(str(folder / TOKENIZER))
    if known is not None:
        (folder / PROMPTS).write_bytes(known.to_json())


def _read_bert(folder: Path) -> dict[str, Tensor]:
    safe, pickled = folder / WEIGHTS, folder / "pytorch_model.bin"
    try:
        if safe.is_file():
            return load_file(safe)
        if pickled.is_file():
            return dict(torch.load(pickled, map_location="cpu", weights_only=True))
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{folder}: the weights cannot be read ({error})") from error
    raise UsageError(f"{folder}: expected {WEIGHTS} or {pickled.name}, found neither")


def _bert_key(key: str) -> str:
    """Our name of a BERT tensor: no prefix, LayerNorms with weight and bias."""
    key = key.removeprefix("bert.")
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )
