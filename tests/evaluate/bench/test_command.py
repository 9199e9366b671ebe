from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluate.bench import bundles, scaling, targets
from evaluate.bench import contest as contests
from evaluate.bench.cases import Workload
from evaluate.bench.command import orderly_end
from evaluate.bench.contest import Contest, Setting
from evaluate.bench.process import spend
from evaluate.bench.table import BEGIN, END
from evaluate.cli import main

Names = list[str]
BUNDLE = Path("far") / "somewhere"
DESCRIPTION = {
    "parameters": 1_000_000,
    "image_size": [32, 64, 32],
    "mode": "paper",
    "dtype": "float32",
    "provenance": {"source": "somewhere"},
    "sha256": "0123456789abcdef",
}


@pytest.fixture
def measured(make_contest: Callable[..., Contest], monkeypatch: pytest.MonkeyPatch) -> Names:
    """Nothing is run; the names of what would be."""
    names: Names = []

    def stand_in(workload: Workload, setting: Setting) -> Contest:  # noqa: ARG001
        names.append(workload.name)
        return make_contest(workload.name)

    for module in (contests, targets, scaling):
        monkeypatch.setattr(module, "compete", stand_in)
    monkeypatch.setattr(bundles, "describe_bundle", lambda _: DESCRIPTION)
    return names


def bench(tmp_path: Path, bundle: Path, *more: str) -> int:
    return main(["bench", f"--out={tmp_path / 'out'}", f"--bundle={bundle}", *more])


def test_results_in_a_folder_and_in_a_document(
    tmp_path: Path, measured: Names, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "docs.md"
    document.write_text(f"{BEGIN}\n{END}\n")
    assert bench(tmp_path, BUNDLE, "--quick", "--scale", f"--into={document}") == 0
    text = (tmp_path / "out" / "bench.md").read_text()
    assert text in capsys.readouterr().out
    assert "`python -m evaluate bench --bundle somewhere --scale --repeats 5" in text
    assert str(tmp_path) not in text
    assert "(scaling.svg)" in text
    assert "(docs.svg)" in document.read_text()
    assert (tmp_path / "docs.svg").read_text() == (tmp_path / "out" / "scaling.svg").read_text()
    values = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [c["name"] for c in values["main"]] == measured[:2]
    assert str(tmp_path) not in json.dumps(values)


def test_sizes_by_options(tmp_path: Path, measured: Names) -> None:
    sizes = ["--shape=8x16x16", "--prompts=3", "--scale-prompts=1,5"]
    sizes += ["--scale-shapes=2x3x4,3x3x4", "--scale-cases=2"]
    assert bench(tmp_path, BUNDLE, "--quick", "--scale", *sizes) == 0
    assert measured == [
        "3 prompts, 8x16x16",
        "1 prompt, 8x16x16",
        "5 prompts, 8x16x16",
        "2 prompts, 2x3x4",
        "2 prompts, 3x3x4",
        "2 cases, 2 prompts, 16x32x32",
    ]
    told = (tmp_path / "out" / "bench.md").read_text().splitlines()[0]
    assert "--shape 8x16x16 --prompts 3 --scale-prompts 1,5 --scale-shapes 2x3x4,3x3x4" in told


def test_targets_of_other_sizes_are_not_judged(tmp_path: Path, measured: Names) -> None:
    assert bench(tmp_path, BUNDLE, "--targets") == 0
    assert measured[2:] == [
        "64 prompts, 600x512x512",
        "32 cases, 4 prompts, 96x256x256",
        "4 prompts, 200x512x512",
    ]
    assert "figures only" in (tmp_path / "out" / "bench.md").read_text()


@pytest.mark.parametrize(("more", "judged"), [([], True), (["--shape=8x16x16"], False)])
def test_targets_of_the_official_network_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Names, more: list[str], judged: bool
) -> None:
    monkeypatch.setitem(DESCRIPTION, "image_size", [128, 256, 256])
    assert bench(tmp_path, BUNDLE, "--targets", *more) == 0
    assert len(measured) == 5
    assert ("figures only" not in (tmp_path / "out" / "bench.md").read_text()) == judged


def test_own_cases(tmp_path: Path, measured: Names, write_npz: Callable[..., Path]) -> None:
    folder = write_npz().parent
    assert bench(tmp_path, BUNDLE, f"--inputs={folder}") == 0
    assert measured == [folder.name]


def test_sigterm_ends_the_running_process_and_cleans_up(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    script = f"echo $$ > pid; sleep 1; kill -TERM {os.getpid()}; exec sleep 600"

    def work() -> None:
        with orderly_end(), tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
            Path(scratch, "file").touch()
            spend(["sh", "-c", script], folder=tmp_path)

    with pytest.raises(SystemExit) as raised:
        work()
    assert raised.value.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--inputs=nowhere"], "input folder nowhere: not a folder"),
        (["--reference=nowhere"], "--reference nowhere: expected a folder with predict.sh"),
        (["--bundle=nowhere"], "--bundle nowhere: expected a folder with a bundle"),
        (["--before=nowhere.json"], "nowhere.json: expected a readable JSON file"),
        (["--into=nowhere.md"], "--into nowhere.md: not readable"),
        (["--targets", "--prompts=8"], "expected synthetic cases with two numbers of --prompts"),
        (["--prompts=8,256"], "prompts: expected at most 255, received 256"),
    ],
)
def test_wrong_calls_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main(["bench", f"--out={tmp_path}", *more]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--shape=200x512", "expected a shape such as 200x512x512, received 200x512"),
        ("--shape=0x1x1", "expected a shape such as 200x512x512, received 0"),
        ("--scale-prompts=4,2", "expected rising values, received 4,2"),
        ("--scale-shapes=2x2x2,2x2x2", "expected rising values"),
        ("--repeats=0", "expected a number of 1 or more, received 0"),
        ("--prompts=1,x", "expected rising numbers such as 1,2,4, received x"),
    ],
)
def test_sizes_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["bench", f"--out={tmp_path}", option])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
