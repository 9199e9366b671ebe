from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.cli import advice_on_command, main
from predict.exit_status import GOOD, INTERRUPTED, SOME_FAILED, WRONG_CALL

WriteNpz = Callable[..., Path]


def _run(source: Path, out: Path, bundle: Path, *options: str) -> int:
    return main(["run", str(source), str(out), "--bundle", str(bundle), *options])


def test_a_folder_is_segmented_and_reported(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = write_npz("b.npz").parent
    write_npz("a case.npz", imgs=np.zeros((3, 9, 5), np.uint8))
    out = tmp_path / "new" / "outputs"
    assert _run(inputs, out, tiny_bundle, "--previews") == GOOD
    assert sorted(p.name for p in out.iterdir()) == [
        "a case.npz",
        "b.npz",
        "previews",
        "report.json",
    ]
    report = json.loads((out / "report.json").read_text())
    assert [c["case"] for c in report["cases"]] == ["a case.npz", "b.npz"]
    assert len(list((out / "previews").iterdir())) == 2
    printed = capsys.readouterr().out
    assert "1: liver" in printed
    assert "report.json" in printed


def test_one_broken_case_does_not_stop_the_others(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = write_npz("good.npz").parent
    write_npz("bad prompts.npz", text_prompts={"x": "liver"})
    (inputs / "a.npz").write_bytes(b"noise")
    assert _run(inputs, tmp_path / "out", tiny_bundle) == SOME_FAILED
    assert {p.name for p in (tmp_path / "out").glob("*.npz")} == {"good.npz", "bad prompts.npz"}
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed")]
    assert len(errors) == 2
    assert errors[0].startswith("failed: a.npz: not a readable npz")


def test_skip_existing(write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path) -> None:
    inputs, out = write_npz().parent, tmp_path / "out"
    assert _run(inputs, out, tiny_bundle) == GOOD
    before = (out / "case.npz").stat().st_mtime_ns
    assert _run(inputs, out, tiny_bundle, "--skip-existing") == GOOD
    assert (out / "case.npz").stat().st_mtime_ns == before
    assert json.loads((out / "report.json").read_text())["cases"][0]["status"] == "skipped"
    assert _run(inputs, out, tiny_bundle) == GOOD
    assert (out / "case.npz").stat().st_mtime_ns > before


def test_seconds_per_class(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, out = write_npz().parent, tmp_path / "out"
    for given, limit, dropped in (("0", None, []), ("1e-9", 2e-9, [1, 2])):
        assert _run(inputs, out, tiny_bundle, "--seconds-per-class", given) == GOOD
        (case,) = json.loads((out / "report.json").read_text())["cases"]
        assert (case["time_limit"], case["coarse_only"]) == (limit, dropped)
    assert "keep their coarse mask" in capsys.readouterr().out
    for wrong in ("-1", "inf", "nan"):
        with pytest.raises(SystemExit):
            _run(inputs, out, tiny_bundle, "--seconds-per-class", wrong)
        assert "expected 0 or more" in capsys.readouterr().err


def test_no_cases_no_bundle_or_no_device_is_a_wrong_call(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, out = write_npz().parent, tmp_path / "out"
    assert _run(tmp_path / "absent", out, tiny_bundle) == WRONG_CALL
    assert _run(tiny_bundle, out, tiny_bundle) == WRONG_CALL
    assert _run(inputs, out, tmp_path / "absent") == WRONG_CALL
    assert _run(inputs, out, tiny_bundle, "--device", "tpu") == WRONG_CALL
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
    assert not list(out.glob("*.npz"))


def test_an_output_folder_that_cannot_be_written_is_a_wrong_call(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert _run(write_npz().parent, blocked, tiny_bundle) == WRONG_CALL
    assert "not writable" in capsys.readouterr().err


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
