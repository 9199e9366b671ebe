from __future__ import annotations

from pathlib import Path

import pytest

from predict.errors import BundleError
from predict.tokenizer import PromptTokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_bundle: Path) -> PromptTokenizer:
    return PromptTokenizer.from_bytes(
        (tiny_bundle / "tokenizer.json").read_bytes(), "tokenizer.json"
    )


def test_a_batch_is_as_long_as_its_longest_prompt(tokenizer: PromptTokenizer) -> None:
    prompts = tokenizer.encode(["Liver", "segment the left kidney in CT"])
    assert prompts.ids.tolist() == [[2, 5, 3, 0, 0, 0, 0, 0], [2, 13, 11, 7, 6, 9, 10, 3]]
    assert prompts.mask.tolist() == [[1] * 3 + [0] * 5, [1] * 8]
    assert prompts.truncated == (False, False)


def test_a_long_prompt_loses_its_end_but_keeps_the_separator(tokenizer: PromptTokenizer) -> None:
    prompts = tokenizer.encode(["liver " * 5000, "liver"], max_length=6)
    assert prompts.ids[0].tolist() == [2, 5, 5, 5, 5, 3]
    assert prompts.truncated == (True, False)


@pytest.mark.parametrize("text", ["f\u00f6ie", "\u809d\u81d3", "\U0001f9e0", "\u200b", "\x00"])
def test_any_text_has_ids(tokenizer: PromptTokenizer, text: str) -> None:
    ids = tokenizer.encode([text]).ids[0].tolist()
    assert ids[0] == 2
    assert ids[-1] == 3


def test_no_prompts_no_rows(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.encode([]).ids.shape == (0, 0)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_tokenizer_is_an_error(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"a/tokenizer\.json: not a readable tokenizer"):
        PromptTokenizer.from_bytes(data, "a/tokenizer.json")


def test_the_vocabulary_counts_special_tokens(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.vocabulary == 14
