from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from predict.bundle import load_bundle
from predict.known_prompts import KnownClass, KnownPrompts
from predict.prompt_help import PromptHelp, embedder

CLASSES = [
    ("liver", "CT", ("hepar", "hepatic parenchyma")),
    ("liver", "MR", ()),
    ("left kidney", "CT", ("left ren",)),
    ("right kidney", "CT", ("right ren",)),
    ("spleen", "CT", ()),
    ("left ventricle", "US", ("LV",)),
]


def embed(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of letter counts: like words are near each other."""
    counts = np.array([[text.lower().count(c) for c in "abcdefghiklmnoprstuvy"] for text in texts])
    return counts / np.maximum(1e-9, np.linalg.norm(counts, axis=1, keepdims=True))


@pytest.fixture
def prompt_help() -> PromptHelp:
    classes = [KnownClass(name=n, modality=m, wordings=w) for n, m, w in CLASSES]
    return PromptHelp(KnownPrompts(tuple(classes)), embed)


@pytest.mark.parametrize(
    "text",
    ["liver", "Segment the liver in this CT scan", "hepatic parenchyma", "left kidney", "L ren"],
)
def test_known_prompts_are_fine(prompt_help: PromptHelp, text: str) -> None:
    assert prompt_help.check([text], "CT") == ()


def test_an_abbreviation_holds_its_side(prompt_help: PromptHelp) -> None:
    assert prompt_help.check(["the LV"], "US") == ()
    assert prompt_help.check(["the ventricle"], "US") == (
        '"the ventricle" names no side; known: "left ventricle"',
    )


def test_known_words_need_no_embedding() -> None:
    def fail(_: Sequence[str]) -> np.ndarray:
        raise AssertionError("embedded")

    known = KnownPrompts((KnownClass(name="liver", modality="CT"),))
    assert PromptHelp(known, fail).check(["the liver"]) == ()


def test_far_from_everything_names_the_nearest(prompt_help: PromptHelp) -> None:
    (warning,) = prompt_help.check(["quick jumping fox"])
    assert warning.startswith('"quick jumping fox" is far from everything known; nearest: ')
    assert warning.count('"') == 8  # the prompt and three neighbours


def test_nearest_first_and_each_name_once(prompt_help: PromptHelp) -> None:
    near = prompt_help.nearest("livers", 4)
    assert near[0].known.name == "liver"
    assert near[0].nearness > 0.9
    assert len({n.known.name for n in near}) == 4
    assert prompt_help.nearest("liver", 1, modality="MR")[0].known.modality == "MR"


@pytest.mark.parametrize(
    ("text", "modality", "warning"),
    [
        ("liver in MRI", "CT", '"liver in MRI" speaks of MR, the image is CT'),
        ("liver in CT or MRI", None, '"liver in CT or MRI" speaks of CT and MR at once'),
        ("spleen", "MR", '"spleen" is known in CT only, not in MR'),
        ("spleen in MRI", None, '"spleen in MRI" is known in CT only, not in MR'),
        ("kidney", None, '"kidney" names no side; known: "left kidney" and "right kidney"'),
        ("left spleen", None, '"left spleen" names a side; known: "spleen"'),
        ("right ventricle", None, '"right ventricle" names a side; known: "left ventricle"'),
        ("left kidney on the right", None, '"left kidney on the right" says both left and right'),
        ("hepattic parenchyma", None, '"hepattic parenchyma": "hepattic" is not a known word, '
         '"hepatic" is'),
    ],
)  # fmt: skip
def test_contradictions(
    prompt_help: PromptHelp, text: str, modality: str | None, warning: str
) -> None:
    assert prompt_help.check([text], modality) == (warning,)


@pytest.mark.parametrize(
    ("pair", "warning"),
    [
        (("liver in CT", "spleen in MRI"), '"liver in CT" speaks of CT, "spleen in MRI" of MR'),
        (("liver", "the liver"), '"liver" and "the liver" ask for the same'),
        (("left kidney", "both kidneys"), '"left kidney" and "both kidneys" overlap in side'),
    ],
)
def test_prompts_that_do_not_go_together(
    prompt_help: PromptHelp, pair: tuple[str, str], warning: str
) -> None:
    assert any(line.startswith(warning) for line in prompt_help.check(pair))


def test_two_sides_of_one_structure_go_together(prompt_help: PromptHelp) -> None:
    assert prompt_help.check(["left kidney", "right kidney", "liver"], "CT") == ()


def test_the_bundles_own_text_encoder(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    vectors = embedder(bundle.model, bundle.tokenizer)(["liver", "spleen"] * 70)
    assert vectors.shape == (140, bundle.model.config.embed_dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[138], atol=1e-5)
