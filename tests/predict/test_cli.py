from __future__ import annotations

import json
from pathlib import Path

import pytest

from predict.cli import advice_on_command, main
from predict.exit_status import GOOD, INTERRUPTED, WRONG_CALL


def test_export_then_info(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    assert main(["export", str(tiny_checkpoint), str(bundle), "--source", "a test"]) == GOOD
    assert "bfloat16" in capsys.readouterr().out
    assert main(["info", str(bundle), "--json"]) == GOOD
    description = json.loads(capsys.readouterr().out)
    assert description["provenance"]["source"] == "a test"
    assert main(["info", str(bundle)]) == GOOD
    assert "bfloat16" in capsys.readouterr().out


def test_a_damaged_bundle_is_a_wrong_call(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    main(["export", str(tiny_checkpoint), str(bundle)])
    (bundle / "tokenizer.json").write_text("{}")
    capsys.readouterr()
    assert main(["info", str(bundle)]) == WRONG_CALL
    assert "SHA-256" in capsys.readouterr().err


COMMANDS = ["segment", "prompts", "run", "export", "info"]


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (["scan.nii.gz"], 'python -m predict segment scan.nii.gz -p "liver"'),
        (["a b.nii", "-p", "left kidney"], "python -m predict segment 'a b.nii' -p 'left kidney'"),
        (["-p", "liver", "scan.nii"], "python -m predict segment -p liver scan.nii"),
        (["segmant", "scan.nii"], "did you mean: python -m predict segment scan.nii"),
    ],
)
def test_wrong_words_are_answered_with_what_to_type(given: list[str], advice: str) -> None:
    line = advice_on_command(given, COMMANDS)
    assert line is not None
    assert line.endswith(advice)


@pytest.mark.parametrize("given", [[], ["--help"], ["run", "a", "b"]])
def test_right_words_need_no_advice(given: list[str]) -> None:
    assert advice_on_command(given, COMMANDS) is None


def test_advice_and_help_are_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan.nii.gz"]) == WRONG_CALL
    assert main([]) == WRONG_CALL
    shown = capsys.readouterr()
    assert "error: expected a command (segment, prompts, run" in shown.err
    assert "segment your own scans" in shown.err
    assert shown.out == ""


def test_ctrl_c_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("predict.bundle.describe_bundle", interrupted)
    assert main(["info", str(tmp_path)]) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"
