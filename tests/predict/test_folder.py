from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from predict import case_size, read_ahead
from predict import folder as folder_module
from predict.bundle import load_bundle
from predict.folder import Options, predict_case, predict_folder
from predict.free_memory import FreeMemory
from predict.governor import Governor
from predict.labels import View
from predict.predictor import Answer, ImagePredictor
from predict.report import CaseReport

WriteNpz = Callable[..., Path]


@pytest.fixture(scope="module")
def predictor(tiny_bundle: Path) -> ImagePredictor:
    return ImagePredictor(load_bundle(tiny_bundle), torch.device("cpu"))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs" / "case.npz"


def _read(path: Path) -> np.ndarray:
    with np.load(path) as arrays:
        assert list(arrays) == ["segs"]
        return np.asarray(arrays["segs"])


def _answer(*logits: np.ndarray) -> Callable[[list[str], list[int]], Answer]:
    stack = torch.from_numpy(np.stack(logits)).float()

    def answer(texts: list[str], class_ids: list[int], _: Governor) -> Answer:
        view = View(logits=stack[: len(texts)], class_ids=class_ids)
        return Answer([view], None, (False,) * len(texts), {})

    return answer


def test_a_good_case(write_npz: WriteNpz, predictor: ImagePredictor, output: Path) -> None:
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.status == "ok"
    labels = _read(output)
    assert labels.shape == (6, 7, 8)
    assert labels.dtype == np.uint8
    assert [p.voxels for p in report.prompts] == [(labels == i).sum() for i in (1, 2)]
    assert {"read", "resize", "encode_image", "encode_text", "decode", "labels", "write"} < set(
        report.seconds
    )
    assert report.peak_memory_mb > 0


def test_ids_are_those_prompted(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low, high = np.full((4, 4, 4), -1.0), np.full((4, 4, 4), -1.0)
    low[:2], high[2:] = 1.0, 1.0
    monkeypatch.setattr(predictor, "predict", _answer(low, high))
    prompts = {"200": "liver", "7": "spleen", "instance_label": 0}
    report = predict_case(predictor, write_npz(text_prompts=prompts), output, Options())
    labels = _read(output)
    assert set(np.unique(labels)) >= {7, 200}
    assert labels[0, 0, 0] == 200
    assert labels[-1, 0, 0] == 7
    assert [p.class_id for p in report.prompts] == [200, 7]


def _two_blobs() -> np.ndarray:
    logits = np.full((6, 7, 8), -1.0)
    logits[0, 0, 0] = 1.0
    logits[3:, 3:, 3:] = 1.0
    return logits


def test_instances_are_separated_largest_first(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "predict", _answer(_two_blobs()))
    prompts = {"4": "nuclei", "5": "never read", "instance_label": 1}
    report = predict_case(predictor, write_npz(text_prompts=prompts), output, Options())
    labels = _read(output)
    assert labels[-1, -1, -1] == 1
    assert labels[0, 0, 0] == 2
    assert report.instances == 2
    assert [p.class_id for p in report.prompts] == [4]
    assert "only the first prompt" in report.warnings[0]


def test_instances_beyond_255_are_dropped_and_counted(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkerboard = np.where(np.indices((12, 10, 10)).sum(0) % 2, -1.0, 1.0)
    monkeypatch.setattr(predictor, "predict", _answer(checkerboard))
    prompts = {"1": "nuclei", "instance_label": 1}
    path = write_npz(imgs=np.zeros((12, 10, 10), np.uint8), text_prompts=prompts)
    report = predict_case(predictor, path, output, Options())
    assert _read(output).max() == 255
    assert report.instances == 600
    assert report.dropped_instances == 345
    assert "345 of 600 instances dropped" in report.warnings[0]
    predict_case(predictor, path, output, Options(all_instances=True))
    assert _read(output).dtype == np.int32
    assert _read(output).max() == 600


def test_a_prompt_without_voxels_is_not_found(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "predict", _answer(*np.full((2, 4, 4, 4), -1.0)))
    report = predict_case(predictor, write_npz(), output, Options())
    assert [p.to_dict()["found"] for p in report.prompts] == ["not found"] * 2
    assert not _read(output).any()


def test_rejected_prompts_make_a_case_partial(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path
) -> None:
    prompts = {"1": "liver", "999": "spleen", "instance_label": 0}
    report = predict_case(predictor, write_npz(text_prompts=prompts), output, Options())
    assert report.status == "partial"
    assert not report.good
    assert "1..255" in report.errors[0]
    assert output.exists()


def test_a_long_prompt_is_reported(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path
) -> None:
    prompts = {"1": "liver " * 5000, "instance_label": 0}
    report = predict_case(predictor, write_npz(text_prompts=prompts), output, Options())
    assert report.status == "ok"
    assert "too long" in report.warnings[0]


@pytest.mark.parametrize(
    "broken",
    [
        {"text_prompts": None},
        {"text_prompts": {"instance_label": 0}},
        {"text_prompts": np.array("liver")},
        {"imgs": np.full((6, 7, 8), np.nan)},
        {"imgs": np.zeros((6, 7, 8), np.complex64)},
        {"imgs": np.zeros((6, 7), np.uint8)},
        {"imgs": np.zeros((0, 7, 8), np.uint8)},
    ],
)
def test_a_broken_case_still_gets_a_valid_background(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, broken: dict[str, object]
) -> None:
    path = write_npz(**broken)
    report = predict_case(predictor, path, output, Options())
    assert report.status == "failed"
    assert report.errors[0].startswith("case.npz: ")
    labels = _read(output)
    image = broken.get("imgs")
    assert labels.shape == (image.shape if isinstance(image, np.ndarray) else (6, 7, 8))
    assert labels.dtype == np.uint8
    assert not labels.any()


def test_an_unidentifiable_case_gets_a_reason_and_no_output(
    tmp_path: Path, predictor: ImagePredictor, output: Path
) -> None:
    path = tmp_path / "noise.npz"
    path.write_bytes(b"noise")
    report = predict_case(predictor, path, output, Options())
    assert report.status == "failed"
    assert "not a readable npz" in report.errors[0]
    assert not output.exists()


@pytest.mark.parametrize("error", [RuntimeError("a\nb"), MemoryError(), OSError("gone")])
def test_any_failure_of_the_network_stays_with_its_case(
    write_npz: WriteNpz,
    predictor: ImagePredictor,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(predictor, "set_image", fail)
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.status == "failed"
    assert type(error).__name__ in report.errors[0]
    assert "\n" not in report.errors[0]
    assert _read(output).shape == (6, 7, 8)


def test_a_full_disk_is_reported(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "write_labels", refuse)
    monkeypatch.setattr(folder_module, "write_stand_in", refuse)
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.status == "failed"
    assert "No space left" in report.errors[0]
    assert "no output could be written" in report.errors[-1]
    assert report.warnings == []
    output.touch()
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.warnings == ["case.npz is of an earlier run"]


def test_existing_outputs_are_redone_unless_skipped(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path
) -> None:
    np.savez(output, segs=np.ones((1, 1, 1), np.uint8))
    report = predict_case(predictor, write_npz(), output, Options(skip_existing=True))
    assert report.status == "skipped"
    assert _read(output).shape == (1, 1, 1)
    assert predict_case(predictor, write_npz(), output, Options()).status == "ok"
    assert _read(output).shape == (6, 7, 8)


@pytest.mark.parametrize("content", [b"", b"half of a file"])
def test_a_damaged_output_is_redone(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, content: bytes
) -> None:
    output.write_bytes(content)
    report = predict_case(predictor, write_npz(), output, Options(skip_existing=True))
    assert report.status == "ok"


def test_the_stand_in_of_a_failure_is_redone(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    source, skipping = write_npz(), Options(skip_existing=True)
    with monkeypatch.context() as patch:
        patch.setattr(predictor, "set_image", fail)
        assert predict_case(predictor, source, output, skipping).status == "failed"
    assert not _read(output).any()
    assert predict_case(predictor, source, output, skipping).status == "ok"
    assert _read(output).any()
    assert predict_case(predictor, source, output, skipping).status == "skipped"


def test_the_preview_is_named_in_the_report(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, tmp_path: Path
) -> None:
    options = Options(preview=lambda case, _: tmp_path / f"{case.name}.png")
    report: CaseReport = predict_case(predictor, write_npz(), output, options)
    assert report.preview == str(tmp_path / "case.png")


def test_a_failing_preview_costs_no_mask(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path
) -> None:
    def fail(*_: object) -> Path:
        raise IndexError("no such plane")

    source = write_npz()
    predict_case(predictor, source, output, Options())
    mask = _read(output)
    report = predict_case(predictor, source, output, Options(preview=fail))
    assert report.status == "ok"
    assert "no picture could be drawn: no such plane" in report.warnings
    np.testing.assert_array_equal(_read(output), mask)


@pytest.fixture
def sources(write_npz: WriteNpz) -> list[Path]:
    """Good, odd and broken cases of different sizes."""
    chance = np.random.default_rng(0)
    good = [
        write_npz(f"{i}.npz", imgs=chance.integers(0, 255, (4 + i, 20, 9 + i), np.uint8))
        for i in range(3)
    ]
    flawed = write_npz("3.npz", text_prompts={"1": "liver", "999": "spleen"})
    objects = write_npz("4.npz", text_prompts={"1": "liver", "instance_label": 1})
    shapeless, noise = write_npz("5.npz", imgs=np.zeros((6, 7), np.uint8)), write_npz("6.npz")
    noise.write_bytes(b"noise")
    return [*good, flawed, objects, shapeless, noise, write_npz("7.npz")]


def _told(report: CaseReport) -> dict[str, object]:
    values = report.to_dict()
    del values["peak_memory_mb"], values["planned_memory_mb"]
    values["seconds"] = sorted(values["seconds"])
    return values


@pytest.mark.parametrize("free", [0, 2**40])
def test_a_folder_gives_what_its_cases_give_one_by_one(
    sources: list[Path],
    predictor: ImagePredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
) -> None:
    """Byte for byte, whether there is room to read ahead or not."""
    monkeypatch.setattr(read_ahead, "free_memory", lambda: FreeMemory(free, "a test"))
    plain, beside = tmp_path / "plain", tmp_path / "beside"
    plain.mkdir()
    beside.mkdir()
    expected = [predict_case(predictor, s, plain / s.name, Options()) for s in sources]
    reports: list[CaseReport] = []
    predict_folder(predictor, sources, beside, Options(), reports.append)
    assert [_told(report) for report in reports] == [_told(report) for report in expected]
    assert {p.name: p.read_bytes() for p in beside.iterdir()} == {
        p.name: p.read_bytes() for p in plain.iterdir()
    }
    assert len(list(beside.iterdir())) == len(sources) - 1
    assert {report.status for report in reports} == {"ok", "partial", "failed"}


def test_the_total_of_a_case_is_what_was_spent_on_it(
    sources: list[Path], predictor: ImagePredictor, output: Path
) -> None:
    reports: list[CaseReport] = []
    predict_folder(predictor, sources[:3], output.parent, Options(), reports.append)
    for report in reports:
        stages = {stage: value for stage, value in report.seconds.items() if stage != "total"}
        assert {"read", "decode", "write"} < set(stages)
        assert report.seconds["total"] >= sum(stages.values())


def test_a_case_that_finds_no_memory_beside_others_is_done_alone(
    sources: list[Path],
    predictor: ImagePredictor,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_image, calls = predictor.set_image, []

    def starve_once(image: np.ndarray) -> None:
        calls.append(image.shape)
        if len(calls) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        set_image(image)

    monkeypatch.setattr(predictor, "set_image", starve_once)
    reports: list[CaseReport] = []
    predict_folder(predictor, sources[:3], output.parent, Options(), reports.append)
    assert [report.status for report in reports] == ["ok"] * 3
    assert calls == [(4, 20, 9), (5, 20, 10), (5, 20, 10), (6, 20, 11)]


def test_finished_cases_of_a_folder_are_skipped(
    sources: list[Path], predictor: ImagePredictor, output: Path
) -> None:
    predict_case(predictor, sources[1], output.parent / "1.npz", Options())
    reports: list[CaseReport] = []
    options = Options(skip_existing=True)
    predict_folder(predictor, sources[:3], output.parent, options, reports.append)
    assert [report.status for report in reports] == ["ok", "skipped", "ok"]


def test_a_case_without_room_is_refused_before_it_is_read(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(case_size, "free_memory", lambda: FreeMemory(10**6, "a test"))
    monkeypatch.setattr(folder_module, "read_case", lambda *_, **__: read.append(1))
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.status == "failed"
    assert "of memory, 0.001 GB are free (limited by a test)" in report.errors[0]
    assert _read(output).shape == (6, 7, 8)
    assert not read


def test_time_and_memory_are_reported(
    write_npz: WriteNpz, predictor: ImagePredictor, output: Path
) -> None:
    report = predict_case(predictor, write_npz(), output, Options())
    assert report.planned_memory_mb is not None
    assert report.planned_memory_mb > 10
    assert report.time_limit == 120
    assert report.coarse_only == []
    late = predict_case(predictor, write_npz(), output, Options(), spent=500.0)
    assert late.status == "ok"
    assert late.coarse_only == [1, 2]
    assert late.warnings[0] == "time: 2 of 2 prompts keep their coarse mask (limit 120 s)"
    assert late.warnings[1].startswith("time: 50")
    endless = Options(seconds_per_class=math.inf)
    report = predict_case(predictor, write_npz(), output, endless, spent=500.0)
    assert report.time_limit is None
    assert report.warnings == []
