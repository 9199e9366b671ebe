from __future__ import annotations

import json
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.catalogue import Catalogue, DatasetPrompts, Origin


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "prompts.json").write_text(
        json.dumps(
            {
                "CT_A": {"1": ["liver"], "2": [], "12": ["a", "b"], "instance_label": 0},
                "CT_A_more": {"1": ["cells"], "instance_label": 1},
            }
        )
    )
    (tmp_path / "names.json").write_text(
        json.dumps(
            {
                "train": {"x": {"subject": "s1", "dataset": "CT_A", "modality": "CT"}},
                "val": {"x": {"subject": "s2"}, "y": {"subject": 7}},
            }
        )
    )
    return tmp_path


def test_only_classes_with_a_phrasing_have_prompts(written: Path) -> None:
    catalogue = Catalogue.load(written / "prompts.json")
    assert catalogue.prompts["CT_A"] == DatasetPrompts(counts={1: 1, 12: 2}, instance=False)
    assert catalogue.is_instance("CT_A_more")
    assert not catalogue.is_instance("CT_A")
    assert not catalogue.is_instance("unknown")
    assert catalogue.origin("train", "x") == Origin()


def test_an_origin_is_that_of_the_own_split_first(written: Path) -> None:
    catalogue = Catalogue.load(written / "prompts.json", written / "names.json")
    assert catalogue.origin("train", "x") == Origin("train", "CT_A", "CT", "s1")
    assert catalogue.origin("val", "x") == Origin("val", subject="s2")
    assert catalogue.origin("train", "y") == Origin("val", subject="7")
    assert catalogue.origin("train", "z") == Origin()


def test_the_longest_data_set_that_a_name_begins_with(written: Path) -> None:
    catalogue = Catalogue.load(written / "prompts.json")
    assert catalogue.dataset_of("CT_A_more_case1") == "CT_A_more"
    assert catalogue.dataset_of("CT_A_mor") == "CT_A"
    assert catalogue.dataset_of("CT_Another") == ""


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("[]", "expected a JSON table, received list"),
        ("{", "expected a readable JSON file"),
        ('{"A": 3}', "prompts of A: expected a table, received int"),
        ('{"A": {"liver": ["x"]}}', "expected class id -> list, received 'liver'"),
        ('{"A": {"1": "x"}}', "expected class id -> list, received '1'"),
        ('{"A": {"instance_label": 2}}', "instance_label of A: expected 0 or 1, received 2"),
    ],
)
def test_odd_prompts_are_a_usage_error(tmp_path: Path, prompts: str, message: str) -> None:
    file = tmp_path / "prompts.json"
    file.write_text(prompts)
    with pytest.raises(UsageError, match=message):
        Catalogue.load(file)


def test_odd_provenance_is_a_usage_error(written: Path) -> None:
    (written / "names.json").write_text('{"train": ["x"]}')
    with pytest.raises(UsageError, match="provenance: expected split -> case -> table"):
        Catalogue.load(written / "prompts.json", written / "names.json")
