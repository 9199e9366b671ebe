"""A short run with a fixed seed of the fuzzer itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzz.__main__ import main

pytest.importorskip("atheris", reason="atheris has no wheel for this system")


@pytest.mark.parametrize("target", ["prompts", "npz"])
def test_a_short_run_finds_nothing(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--executions", "600", "--seconds", "60", "--seed", "7", "--out", str(tmp_path)]
    status = main([target, *options])
    figures = json.loads(capsys.readouterr().out)
    assert figures["found"] == []
    assert status == 0
    assert figures["executions"] >= 600
