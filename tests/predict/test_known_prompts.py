from __future__ import annotations

import json

import pytest

from predict.errors import BundleError
from predict.known_prompts import NOTHING, KnownClass, KnownPrompts

LIVER = KnownClass(name="liver", modality="CT", datasets=("A",), examples=("liver in CT",))
HEART = KnownClass(name="heart", modality="MR", wordings=("cor",))


def test_json_keeps_everything_in_a_fixed_order() -> None:
    known = KnownPrompts((HEART, LIVER))
    again = KnownPrompts.from_table(json.loads(known.to_json()), "here")
    assert again.classes == (LIVER, HEART)
    assert again.modalities == ("CT", "MR")
    assert again.of("MR") == (HEART,)
    assert again.of(None) == again.classes


def test_joining_merges_what_both_have() -> None:
    more = KnownClass(name="liver", modality="CT", datasets=("B", "A"), wordings=("hepar",))
    (joined,) = KnownPrompts((LIVER,)).joined(KnownPrompts((more,))).classes
    assert joined.datasets == ("A", "B")
    assert joined.wordings == ("hepar",)
    assert joined.examples == ("liver in CT",)
    assert joined.names == ("liver", "hepar")
    assert NOTHING.joined(NOTHING).classes == ()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"format": 2, "classes": []}, "expected format 1, received 2"),
        ({"format": 1, "classes": [{"name": "liver"}]}, "expected a list of classes"),
        ({"format": 1}, "expected a list of classes"),
        (
            {"format": 1, "classes": [{"name": "liver", "modality": "X-ray"}]},
            "expected one of CT, MR, PET, US, Microscopy",
        ),
    ],
)
def test_something_else_is_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        KnownPrompts.from_table(table, "here")
