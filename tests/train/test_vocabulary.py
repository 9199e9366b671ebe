from __future__ import annotations

import pytest

from predict.errors import UsageError
from predict.tokenizer import PromptTokenizer
from train.vocabulary import medical_words, train_vocabulary

TEXTS = ("Segment the liver in CT", "left kidney in CT")


@pytest.fixture(scope="module")
def tokenizer() -> PromptTokenizer:
    return PromptTokenizer(train_vocabulary(TEXTS, medical_words()))


def test_known_words_are_one_token(tokenizer: PromptTokenizer) -> None:
    tokens = tokenizer.tokenizer.encode("LIVER in CT").tokens
    assert tokens == ["[CLS]", "liver", "in", "ct", "[SEP]"]


@pytest.mark.parametrize(
    "text",
    [
        "xyzzyplugh",
        "\u00f6d\u00e8me",
        "5.2mm\u00d73",
        "\u03b2-amyloid",
        "\u043f\u0435\u0447\u044c",
        "a" * 150,
    ],
)
def test_no_word_is_lost(tokenizer: PromptTokenizer, text: str) -> None:
    encoding = tokenizer.tokenizer.encode(text)
    assert "[UNK]" not in encoding.tokens
    assert len(encoding.tokens) > 2


def test_special_tokens_in_a_prompt_are_text(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.tokenizer.encode("[SEP]").tokens[1:-1] != ["[SEP]"]


def test_same_input_same_vocabulary() -> None:
    first, again = (train_vocabulary(TEXTS, medical_words()) for _ in range(2))
    assert first.to_str() == again.to_str()
    assert first.get_vocab_size() <= 3000


def test_a_vocabulary_too_small_for_the_characters_is_an_error() -> None:
    with pytest.raises(UsageError, match="vocabulary size of at least"):
        train_vocabulary(TEXTS, (), size=50)
