"""Frozen prompt tokenizer: texts in, one trimmed batch of ids out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer

from predict.errors import BundleError


class EncodedPrompts(NamedTuple):
    """Token ids of N prompts.

    Attributes:
        ids: (N, L) int64, padded with 0 to the longest prompt.
        mask: (N, L) int64, 1 where a token is real.
        truncated: Per prompt, whether its end was cut off.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    truncated: tuple[bool, ...]


class PromptTokenizer:
    """BERT WordPiece tokenizer read from a bundle's tokenizer.json."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @classmethod
    def from_bytes(cls, data: bytes, source: str) -> PromptTokenizer:
        """Parse the contents of a tokenizer.json.

        Args:
            data: The contents.
            source: Where they come from, for the error.

        Raises:
            BundleError: Not a tokenizer.
        """
        try:
            return cls(Tokenizer.from_buffer(data))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(f"{source}: not a readable tokenizer ({error})") from error

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return int(self.tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str], max_length: int = 512) -> EncodedPrompts:
        """Encode all prompts as one batch, [CLS] first and [SEP] last.

        Args:
            texts: N prompts.
            max_length: Longest sequence; a longer prompt loses its end but keeps [SEP].
        """
        rows, truncated = [], []
        for encoding in self.tokenizer.encode_batch(list(texts)):
            row = encoding.ids
            truncated.append(len(row) > max_length)
            rows.append(row if len(row) <= max_length else [*row[: max_length - 1], row[-1]])
        longest = max((len(row) for row in rows), default=0)
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        return EncodedPrompts(ids, mask, tuple(truncated))
