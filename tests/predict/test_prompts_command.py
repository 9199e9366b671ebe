from __future__ import annotations

import json
from pathlib import Path

import pytest

from predict.cli import main
from predict.exit_status import GOOD


def test_lists_by_modality_with_examples(
    known_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompts", "--bundle", str(known_bundle)]) == GOOD
    assert capsys.readouterr().out.splitlines() == [
        "CT: 2 structures",
        "  left kidney",
        "  liver  (also: hepar)",
        '  ask, for example: "left kidney in CT"',
        "",
    ]
    assert main(["prompts", "--modality", "MR", "--json", "--bundle", str(known_bundle)]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"known": []}
    assert main(["prompts", "--json", "--bundle", str(known_bundle)]) == GOOD
    first = json.loads(capsys.readouterr().out)["known"][0]
    assert first["name"] == "left kidney"
    assert first["modality"] == "CT"


def test_checks_prompts(known_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["liver in MRI", "kidney", "left kidney"]
    assert main(["prompts", *texts, "--bundle", str(known_bundle)]) == GOOD
    lines = capsys.readouterr().out.splitlines()
    assert '  warning: "liver in MRI" is known in CT only, not in MR' in lines
    assert lines[-1].startswith('warning: "kidney" and "left kidney" overlap in side')
    assert main(["prompts", *texts, "--json", "--bundle", str(known_bundle)]) == GOOD
    answer = json.loads(capsys.readouterr().out)
    assert [p["text"] for p in answer["prompts"]] == texts
    assert answer["prompts"][2]["warnings"] == []
    assert answer["prompts"][0]["nearest"][0]["name"] == "liver"
    assert len(answer["together"]) == 1


def test_a_bundle_that_does_not_say(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "liver", "--bundle", str(tiny_bundle)]) == GOOD
    assert "does not say what it was trained on" in capsys.readouterr().out
    assert main(["prompts", "--json", "--bundle", str(tiny_bundle)]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"known": None}
