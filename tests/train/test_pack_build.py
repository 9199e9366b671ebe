from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import UsageError
from train.catalogue import Catalogue
from train.index_build import build_index
from train.pack_build import PackSummary, build_packs
from train.packed_corpus import PackedCorpus, pack_names
from train.packing import PackSettings, read_pack
from train.source_files import SplitRoot

SETTINGS = PackSettings((4, 8, 8))
ROOT = Path(__file__).resolve().parents[2]
KILLED_AT_THE_THIRD = """
import os, signal, sys
from pathlib import Path
from train import pack_build, packing

replace, count = os.replace, 0

def killing(*paths):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)

os.replace = killing
settings = packing.PackSettings((4, 8, 8))
pack_build.build_packs(Path(sys.argv[1]), Path(sys.argv[2]), settings, 0)
"""


@pytest.fixture
def index(
    tmp_path: Path, write_case: Callable[..., Path], catalogue: Catalogue
) -> Callable[[], Path]:
    """Five cases to train on, a broken one and one without prompts; indexes them, also again."""
    for number in range(4):
        write_case(f"CT/CT_A/{number}.npz", seed=number)
    write_case("Microscopy/Microscopy_B/m.npz")
    write_case("CT/CT_A/broken.npz", gts=None)
    write_case("CT/CT_new/n.npz")

    def indexed() -> Path:
        roots = [SplitRoot(split="train", folder=tmp_path / "data")]
        build_index(tmp_path / "index", roots, catalogue, 0)
        return tmp_path / "index"

    return indexed


@pytest.fixture
def pack(tmp_path: Path, index: Callable[[], Path]) -> Callable[..., PackSummary]:
    """Index, then pack in this process."""

    def packed(settings: PackSettings = SETTINGS, prune: bool = False) -> PackSummary:
        return build_packs(index(), tmp_path / "cache", settings, 0, prune=prune)

    return packed


def times(cache: Path) -> dict[str, int]:
    return {name: (cache / name).stat().st_mtime_ns for name in pack_names(cache)}


def test_a_second_run_packs_nothing(tmp_path: Path, pack: Callable[..., PackSummary]) -> None:
    first = pack()
    assert (first.packed, first.present, first.failed, first.pruned) == (5, 0, (), 0)
    assert first.cache_bytes == sum(f.stat().st_size for f in tmp_path.glob("cache/*/*.pack"))
    assert first.voxel_bytes == 6 * 480
    before = times(tmp_path / "cache")
    second = pack()
    assert (second.packed, second.present) == (0, 5)
    assert times(tmp_path / "cache") == before


def test_only_the_pack_of_a_changed_source_is_made_again(
    tmp_path: Path, write_case: Callable[..., Path], pack: Callable[..., PackSummary]
) -> None:
    pack()
    before = times(tmp_path / "cache")
    write_case("CT/CT_A/2.npz", seed=77)
    assert (pack().packed, pack().packed) == (1, 0)
    after = times(tmp_path / "cache")
    assert len(after) == 6
    assert before.items() <= after.items()
    assert pack(prune=True).pruned == 1
    left = times(tmp_path / "cache")
    assert len(left) == 5
    assert len(left.keys() & before.keys()) == 4


def test_the_same_bytes_under_a_new_time_are_not_packed_again(
    tmp_path: Path, pack: Callable[..., PackSummary]
) -> None:
    pack()
    os.utime(tmp_path / "data/CT/CT_A/1.npz", ns=(1, 1))
    assert pack().packed == 0


def test_other_settings_make_other_packs(tmp_path: Path, pack: Callable[..., PackSummary]) -> None:
    pack()
    assert pack(PackSettings((2, 2, 2))).packed == 5
    assert PackSettings.load(tmp_path / "cache") == PackSettings((2, 2, 2))
    assert len(pack_names(tmp_path / "cache")) == 10
    assert pack(prune=True).pruned == 5
    assert PackSettings.load(tmp_path / "cache") == SETTINGS


def test_what_killed_runs_left_is_pruned_but_not_what_is_being_written(
    tmp_path: Path, pack: Callable[..., PackSummary]
) -> None:
    pack()
    folder = next(path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    old, young = folder / ".old.partial", folder / ".young.partial"
    old.touch()
    young.touch()
    os.utime(old, (0, time.time() - 7200))
    assert pack(prune=True).pruned == 1
    assert young.exists()


def test_a_source_that_changed_since_it_was_indexed_fails_alone(
    tmp_path: Path, index: Callable[[], Path], write_case: Callable[..., Path]
) -> None:
    path = index()
    write_case("CT/CT_A/3.npz", seed=5)
    (tmp_path / "data/CT/CT_A/0.npz").unlink()
    summary = build_packs(path, tmp_path / "cache", SETTINGS, 0)
    assert (summary.packed, summary.present) == (3, 0)
    assert [line.split(": ")[1] for line in summary.failed] == ["CT/CT_A/0.npz", "CT/CT_A/3.npz"]
    assert "changed since it was indexed" in summary.failed[1]
    with pytest.raises(UsageError, match="expected packs of 5 cases, 2 are missing"):
        PackedCorpus(tmp_path / "cache", path)


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, index: Callable[[], Path], pack: Callable[..., PackSummary]
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_THIRD, index(), tmp_path / "cache"],
        cwd=ROOT,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    before = times(tmp_path / "cache")
    assert len(before) == 2
    summary = pack()
    assert (summary.packed, summary.present, summary.failed) == (3, 2, ())
    assert before.items() <= times(tmp_path / "cache").items()


def test_two_runs_on_one_cache_give_valid_packs(tmp_path: Path, index: Callable[[], Path]) -> None:
    path = index()
    build_packs(path, tmp_path / "alone", SETTINGS, 0)
    spawn = multiprocessing.get_context("spawn")
    runs = [
        spawn.Process(target=build_packs, args=(path, tmp_path / "cache", SETTINGS, workers))
        for workers in (0, 2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
        assert run.exitcode == 0
    names = pack_names(tmp_path / "cache")
    assert names == pack_names(tmp_path / "alone")
    for name in names:
        one, other = read_pack(tmp_path / "cache" / name), read_pack(tmp_path / "alone" / name)
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.labels, other.labels)
    assert not list(tmp_path.glob("cache/**/.*"))


def test_an_index_without_cases_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    roots = [SplitRoot(split="train", folder=tmp_path / "empty")]
    build_index(tmp_path / "index", roots, Catalogue({}), 0)
    with pytest.raises(UsageError, match="expected cases to train on, found none"):
        build_packs(tmp_path / "index", tmp_path / "cache", SETTINGS, 0)
