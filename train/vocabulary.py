"""A WordPiece vocabulary of our own, in the frozen form of the published one."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from predict.errors import UsageError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TYPOGRAPHY = (
    "\u2010\u2011\u2012\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026\u2032\u2033\u2264\u2265"
)
LATIN = range(0xA1, 0x180)
GREEK = range(0x386, 0x3CF)
CYRILLIC = (*range(0x400, 0x460), 0x490, 0x491)
MAX_WORD = 200


def medical_words() -> list[str]:
    """The word list beside this file."""
    return (Path(__file__).parent / "medical_words.txt").read_text(encoding="utf-8").split()


def train_vocabulary(texts: Iterable[str], words: Iterable[str], size: int = 3000) -> Tokenizer:
    """Build a lower-casing BERT tokenizer.

    Tokens are, in this order: special ones; printable ASCII, Latin, Greek and Cyrillic
    characters, alone and as continuation, so that no word written with these is lost (up to
    ``MAX_WORD`` characters); the words, most frequent first; then the beginnings and endings that
    cover most of the words, so that unseen words fall into familiar pieces. The special tokens
    are not recognised inside a text: there, "[SEP]" is three ordinary tokens.

    Args:
        texts: Prompts.
        words: Further words to keep whole.
        size: Upper bound of the number of tokens.

    Returns:
        A tokenizer that adds [CLS] and [SEP]; the same input gives the same tokenizer.

    Raises:
        UsageError: ``size`` is too small for the characters.
    """
    normalizer = BertNormalizer(lowercase=True, strip_accents=True)
    pre_tokenizer = BertPreTokenizer()

    def split(text: str) -> list[str]:
        normal = normalizer.normalize_str(text)
        return [word for word, _ in pre_tokenizer.pre_tokenize_str(normal)]

    characters = _characters(normalizer)
    base = (*SPECIAL_TOKENS, *characters, *("##" + c for c in characters))
    if size < len(base):
        raise UsageError(f"expected a vocabulary size of at least {len(base)}, received {size}")
    counts = Counter(word for text in chain(texts, words) for word in split(text))
    pieces = dict.fromkeys((*base, *_by_frequency(counts), *_by_frequency(_word_parts(counts))))
    vocabulary = {token: i for i, token in enumerate(islice(pieces, size))}
    tokenizer = Tokenizer(
        WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=MAX_WORD)
    )
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = WordPieceDecoder()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _characters(normalizer: BertNormalizer) -> list[str]:
    """What is left of the supported characters after normalisation, in a fixed order."""
    symbols = string.ascii_lowercase + string.digits + string.punctuation + TYPOGRAPHY
    letters = "".join(c for c in map(chr, (*GREEK, *CYRILLIC)) if c.isalpha())
    normal = normalizer.normalize_str(symbols + "".join(map(chr, LATIN)) + letters)
    return list(dict.fromkeys("".join(normal.split())))


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
