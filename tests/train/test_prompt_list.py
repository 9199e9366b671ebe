from __future__ import annotations

import json
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.corpus import CaseEntry
from train.phrasing import Phrasebook
from train.prompt_list import MOST_WORDINGS, classes_of, list_prompts, provenance_classes

OWN_SENTENCE = "the sentence of the corpus"
PROMPTS = {"CT_A": {1: [OWN_SENTENCE], 2: [OWN_SENTENCE]}, "MR_B": {1: [OWN_SENTENCE]}}
NAMES = {"CT_A": {1: "liver", 2: "left kidney"}, "MR_B": {1: "liver"}}


def test_names_and_our_own_wordings_only() -> None:
    book = Phrasebook(PROMPTS, NAMES)
    known = list_prompts(book, [("CT", "CT_A", 1), ("CT", "CT_A", 2), ("MR", "MR_B", 1)])
    assert [(c.modality, c.name) for c in known.classes] == [
        ("CT", "left kidney"),
        ("CT", "liver"),
        ("MR", "liver"),
    ]
    kidney, liver, _ = known.classes
    assert liver.datasets == ("CT_A",)
    assert liver.wordings == tuple(book.synonyms["liver"])
    assert liver.examples[0] == "liver in CT"
    assert kidney.wordings
    assert all(wording.startswith("left ") for wording in kidney.wordings)
    assert all(len(c.wordings) <= MOST_WORDINGS for c in known.classes)
    assert OWN_SENTENCE not in known.to_json().decode()


def test_classes_without_a_name_are_left_out_unless_none_has_one() -> None:
    some = Phrasebook(PROMPTS, {"CT_A": {1: "liver"}})
    assert [c.name for c in list_prompts(some, [("CT", "CT_A", i) for i in (1, 2)]).classes] == [
        "liver"
    ]
    mine = Phrasebook({"mine": {1: ("the cyst in CT", "cyst")}}, {})
    assert [c.name for c in list_prompts(mine, [("CT", "mine", 1)]).classes] == ["cyst"]
    assert [c.modality for c in list_prompts(mine, [("", "mine", 1)]).classes] == ["CT"]
    unsaid = Phrasebook({"mine": {1: ("cyst",)}}, {})
    assert list_prompts(unsaid, [("", "mine", 1)]).classes == ()


def test_classes_of_cases() -> None:
    cases = [
        CaseEntry(name=name, dataset="CT_A", modality="CT", subject=name, classes=classes)
        for name, classes in (("a", (1, 2)), ("b", (2,)))
    ]
    assert classes_of(cases) == {("CT", "CT_A", 1), ("CT", "CT_A", 2)}


def test_classes_of_a_provenance_file(tmp_path: Path) -> None:
    path = tmp_path / "provenance.json"
    case = {"modality": "MR", "dataset": "MR_B", "classes": {"1": "liver"}}
    path.write_text(json.dumps({"train": {"a": case}, "val": {}}))
    assert provenance_classes(path) == {("MR", "MR_B", 1)}
    path.write_text(json.dumps({"train": {"a": {}}}))
    with pytest.raises(UsageError, match="expected train -> case -> modality"):
        provenance_classes(path)
