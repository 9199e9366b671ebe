from __future__ import annotations

import random
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.phrasing import Phrasebook
from train.synthetic import Synthetic


def test_a_class_has_many_wordings(phrasebook: Phrasebook) -> None:
    rng = random.Random(0)
    texts = {phrasebook.sample("CT_A", 1, rng) for _ in range(200)}
    assert len(texts) > 80
    assert "liver in abdominal CT" in texts


def test_wordings_are_reproducible(phrasebook: Phrasebook) -> None:
    first, again = ([phrasebook.sample("CT_A", 2, r) for _ in range(9)] for r in _twice(5))
    assert first == again


def _twice(seed: int) -> tuple[random.Random, random.Random]:
    return random.Random(seed), random.Random(seed)


def test_a_side_is_kept_and_never_mixed(phrasebook: Phrasebook) -> None:
    for text in phrasebook.wordings("left kidney"):
        assert "right" not in text.lower()
        assert "left" in text.lower() or text.startswith("L "), text


def test_the_modality_is_that_of_all_prompts(phrasebook: Phrasebook) -> None:
    assert "abdominal CT" in phrasebook.modalities["CT_A"]
    assert not any("MR" in text for text in phrasebook.modalities["CT_A"])


def test_a_class_without_a_name_gets_its_own_prompts_only(corpus_folder: Path) -> None:
    nameless = Phrasebook.load(corpus_folder / "prompts.json", None)
    rng = random.Random(0)
    assert {nameless.sample("CT_A", 1, rng) for _ in range(50)} == set(nameless.prompts["CT_A"][1])
    assert nameless.class_name("CT_A", 1) == "liver in abdominal CT"


def test_extra_data_sets_are_added(corpus_folder: Path) -> None:
    ours = Synthetic(names={"made": {4: "cell nucleus"}}, prompts={"made": {4: ("each ball",)}})
    book = Phrasebook.load(corpus_folder / "prompts.json", None, ours)
    rng = random.Random(0)
    texts = {book.sample("made", 4, rng) for _ in range(60)}
    assert "each ball" in texts
    assert any("nucle" in text.lower() for text in texts)
    assert book.class_name("made", 4) == "cell nucleus"
    assert "made" in book.instance_datasets


def test_some_wordings_have_words_around_them(phrasebook: Phrasebook) -> None:
    rng = random.Random(0)
    texts = [phrasebook.sample("CT_A", 1, rng) for _ in range(400)]
    longest = max(len(t.split()) for t in phrasebook.prompts["CT_A"][1])
    assert any(text.isupper() for text in texts)
    assert any("background:" in text.lower() for text in texts)
    assert max(len(text.split()) for text in texts) > longest + 6


def test_a_class_with_neither_prompt_nor_name_is_an_error(phrasebook: Phrasebook) -> None:
    with pytest.raises(UsageError, match="class 9 of CT_A"):
        phrasebook.sample("CT_A", 9, random.Random(0))


@pytest.mark.parametrize("content", [None, "{", '{"CT_A": {"x": ["liver"]}}', "[1]"])
def test_an_unusable_prompt_file_is_an_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "prompts.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="expected"):
        Phrasebook.load(path, None)
