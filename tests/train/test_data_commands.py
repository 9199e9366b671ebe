from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.cli import main
from train.data_commands import split_roots
from train.source_files import SplitRoot


def run(*arguments: str | Path) -> int:
    return main([*map(str, arguments), "--workers", "0"])


def test_index_then_pack(
    tmp_path: Path,
    corpus_folder: Path,
    write_case: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_case("val/CT_A_v.npz", gts=None)
    write_case("gt/CT_A_v.npz", imgs=None)
    out, cache = tmp_path / "made" / "index.sqlite", tmp_path / "cache"
    index = (
        *("index", corpus_folder / "data", corpus_folder / "prompts.json", "--out", out),
        *("--provenance", corpus_folder / "provenance.json"),
        *("--split-root", f"val={tmp_path / 'data' / 'val'}"),
        *("--split-labels", f"val={tmp_path / 'data' / 'gt'}"),
    )
    assert run(*index) == 0
    assert "5 cases: 5 opened" in capsys.readouterr().out
    assert "# Training set" in (tmp_path / "made" / "index.md").read_text()
    assert run(*index, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["run"]["opened"], summary["run"]["unchanged"]) == (0, 5)
    assert summary["totals"]["trainable"] == 5
    assert run("pack", out, cache, "--max-size", "8", "8", "8") == 0
    assert "5 packed" in capsys.readouterr().out
    assert run("pack", out, cache, "--json", "--prune") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["packed"], done["pruned"], done["failed"]) == (5, 5, [])


def test_a_case_that_cannot_be_packed_shows_in_the_status(
    tmp_path: Path,
    corpus_folder: Path,
    write_case: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_case("CT/CT_A/kept.npz")
    gone = write_case("CT/CT_A/gone.npz", seed=1)
    prompts, out = corpus_folder / "prompts.json", tmp_path / "i.sqlite"
    assert run("index", tmp_path / "data", prompts, "--out", out) == 0
    gone.unlink()
    assert run("pack", out, tmp_path / "cache") == 1
    assert "train: CT/CT_A/gone.npz" in capsys.readouterr().out


def test_wrong_calls_are_one_line(
    tmp_path: Path, corpus_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, out = corpus_folder / "prompts.json", tmp_path / "i.sqlite"
    assert run("index", tmp_path / "none", prompts, "--out", out) == 2
    assert run("index", tmp_path, tmp_path / "none.json", "--out", out) == 2
    assert run("pack", tmp_path / "none.sqlite", tmp_path / "cache") == 2
    assert run("pack", out, tmp_path / "cache", "--max-size", "0", "1", "1") == 2
    assert run("index", tmp_path, prompts, "--out", tmp_path / "i.md") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("error: ") for line in lines)


def test_splits_of_the_command_line() -> None:
    assert split_roots("train", Path("a"), ["val=b=c"], ["val=d"]) == [
        SplitRoot(split="train", folder=Path("a")),
        SplitRoot(split="val", folder=Path("b=c"), labels=Path("d")),
    ]
    with pytest.raises(UsageError, match="expected NAME=DIR, received b"):
        split_roots("train", Path("a"), ["b"], [])
    with pytest.raises(UsageError, match="split train was already given"):
        split_roots("train", Path("a"), ["train=b"], [])
    with pytest.raises(UsageError, match="expected one of train, received val"):
        split_roots("train", Path("a"), [], ["val=b"])
