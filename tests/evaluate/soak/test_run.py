from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluate.cli import main
from evaluate.soak import run
from evaluate.soak.bounds import Finding
from evaluate.soak.run import soak
from predict.errors import UsageError
from predict.exit_status import GOOD, SOME_FAILED


@pytest.fixture(autouse=True)
def smallest_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluate.soak.cases.LEAST", 8)
    monkeypatch.setattr("evaluate.soak.cases.MOST", 12)
    monkeypatch.setattr("evaluate.soak.watch.INTERVAL", 0.001)


def test_a_run_is_watched_and_judged(tiny_bundle: Path, tmp_path: Path) -> None:
    findings = soak(tmp_path, 80, [f"--bundle={tiny_bundle}"])
    held = {finding.what.split(",")[0]: finding.held for finding in findings}
    assert held["10 of 100 cases fail"]
    assert held["open files"]
    assert held["temporary files"]
    assert {path.name for path in tmp_path.iterdir()} == {"soak.csv", "soak.log", "soak.md"}
    with (tmp_path / "soak.csv").open() as file:
        assert max(int(row["done"]) for row in csv.DictReader(file)) > 50
    assert (tmp_path / "soak.md").read_text().count("\n") == len(findings) + 2


def test_a_run_that_does_not_even_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected exit status 1, received 2"):
        soak(tmp_path, 4, [f"--bundle={tmp_path / 'none'}"])


@pytest.mark.parametrize(("held", "status"), [(True, GOOD), (False, SOME_FAILED)])
def test_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: bool,
    status: int,
) -> None:
    calls: list[Any] = []

    def pretend(folder: Path, count: int, options: Sequence[str]) -> list[Finding]:
        calls.append((folder, count, options))
        return [Finding("memory", "1", "2", held)]

    monkeypatch.setattr(run, "soak", pretend)
    out = tmp_path / "out"
    assert main(["soak", "--cases=8", f"--out={out}", "--bundle=b", "--device=cpu"]) == status
    assert calls == [(out, 8, ["--device=cpu", "--bundle=b"])]
    assert f"| memory | 1 | 2 | {'yes' if held else 'NO'} |" in capsys.readouterr().out
