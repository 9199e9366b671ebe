"""A WordPiece vocabulary of our own, in the frozen form of the published one."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
GREEK = "αβγδεζηθικλμνξοπρστυφχψως"
CYRILLIC = "абвгдежзиклмнопрстуфхцчшщъыьэюя"
LATIN = "ßæøđłœþðıµ°±²³×÷«»¿¡§"
CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation + GREEK + CYRILLIC + LATIN


def medical_words() -> list[str]:
    """The word list beside this file."""
    return (Path(__file__).parent / "medical_words.txt").read_text(encoding="utf-8").split()


def train_vocabulary(texts: Iterable[str], words: Iterable[str], size: int = 4000) -> Tokenizer:
    """Build a lower-casing BERT tokenizer.

    Tokens are, in this order: special ones; every character, alone and as continuation, so that
    no word is lost; the words, most frequent first; then the beginnings and endings that occur in
    most words, so that unseen words fall into familiar pieces.

    Args:
        texts: Prompts.
        words: Further words to keep whole.
        size: Upper bound of the number of tokens.

    Returns:
        A tokenizer that adds [CLS] and [SEP]; the same input gives the same tokenizer.
    """
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()

    def split(text: str) -> list[str]:
        normal = tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]

    counts = Counter(word for text in (*texts, *words) for word in split(text))
    pieces = dict.fromkeys((*SPECIAL_TOKENS, *CHARACTERS, *("##" + c for c in CHARACTERS)))
    pieces.update(dict.fromkeys(_by_frequency(counts)))
    pieces.update(dict.fromkeys(_by_frequency(_word_parts(counts))))
    vocabulary = {token: i for i, token in enumerate(islice(pieces, size))}
    tokenizer.model = WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=200)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _word_parts(words: Iterable[str]) -> Counter[str]:
    """How much of the words each beginning and ending of two to six letters covers."""
    cover: Counter[str] = Counter()
    for word in words:
        for length in range(2, min(7, len(word))):
            cover[word[:length]] += length
            cover["##" + word[-length:]] += length
    return cover


def _by_frequency(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda token: (-counts[token], token))
