"""Freeze a checkpoint's tokenizer files into one tokenizer that needs no library of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from predict.bundle_files import TOKENIZER, parse_json
from predict.errors import BundleError

SPECIAL_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def freeze_tokenizer(folder: Path) -> Tokenizer:
    """Read tokenizer.json, or vocab.txt with tokenizer_config.json, as BertTokenizer would.

    Where the files do not say whether text is lower-cased, it is: BertTokenizer's own default.

    Raises:
        BundleError: No tokenizer files, or a broken or contradictory vocabulary.
    """
    whole = folder / TOKENIZER
    if whole.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(whole))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(f"{whole}: not a readable tokenizer ({error})") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    vocabulary = _read_vocabulary(folder / "vocab.txt")
    settings = _settings(folder / "tokenizer_config.json")
    special = {**SPECIAL_TOKENS, **_special_names(folder / "special_tokens_map.json")}
    special = {**special, **{k: _name(settings[k]) for k in SPECIAL_TOKENS if k in settings}}
    return _bert_tokenizer(vocabulary, settings, special, str(folder))


def _bert_tokenizer(
    vocabulary: dict[str, int], settings: dict[str, Any], special: dict[str, str], source: str
) -> Tokenizer:
    for name in (special["cls_token"], special["sep_token"], special["unk_token"]):
        if name not in vocabulary:
            raise BundleError(f"{source}: vocab.txt lacks the special token {name}")
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=special["unk_token"]))
    tokenizer.normalizer = BertNormalizer(
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    cls, sep = special["cls_token"], special["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        special_tokens=[(cls, vocabulary[cls]), (sep, vocabulary[sep])],
    )
    known = [name for name in special.values() if name in vocabulary]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in known])
    return tokenizer


def _read_vocabulary(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise BundleError(f"{path.parent}: expected tokenizer.json or vocab.txt, found neither")
    try:
        tokens = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 ({error})") from error
    if tokens[-1] == "":
        tokens.pop()
    vocabulary = {token.rstrip("\r"): i for i, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens) or not tokens:
        raise BundleError(
            f"{path}: expected distinct tokens, one a line, received {len(tokens)} lines "
            f"with {len(vocabulary)} distinct"
        )
    return vocabulary


def _settings(path: Path) -> dict[str, Any]:
    return parse_json(path.read_bytes(), str(path)) if path.is_file() else {}


def _special_names(path: Path) -> dict[str, str]:
    return {k: _name(v) for k, v in _settings(path).items() if k in SPECIAL_TOKENS}


def _name(token: Any) -> str:
    """A special token is stored as text, or as a table with its text under ``content``."""
    return str(token["content"] if isinstance(token, dict) else token)
