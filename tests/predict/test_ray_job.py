from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from predict.attempts import FOLDER, begin_attempt
from predict.bundle import describe_bundle
from predict.errors import BundleError, UsageError
from predict.ray_job import MOST_ATTEMPTS, Finished, Plan, Worker, choose_worker_device

WriteNpz = Callable[..., Path]


@pytest.fixture
def plan(tiny_bundle: Path, tmp_path: Path) -> Plan:
    (tmp_path / "out").mkdir()
    sha256 = describe_bundle(tiny_bundle)["sha256"]
    return Plan(
        outputs=tmp_path / "out",
        bundle=tiny_bundle,
        bundle_sha256=sha256,
        device="cpu",
        previews=True,
    )


def _predict(plan: Plan, source: Path) -> Finished:
    finished = pickle.loads(Worker(plan)({"source": str(source)})["finished"])
    assert isinstance(finished, Finished)
    return finished


def test_a_worker_predicts_and_reports_a_case(plan: Plan, write_npz: WriteNpz) -> None:
    finished = _predict(plan, write_npz())
    assert (finished.report.status, finished.report.warnings) == ("ok", [])
    assert (finished.device, finished.precision) == ("cpu", "float32")
    assert {path.name for path in plan.outputs.iterdir()} == {"case.npz", "previews", FOLDER}
    assert list((plan.outputs / FOLDER).iterdir()) == []


def test_a_case_of_a_lost_worker_is_done_again(plan: Plan, write_npz: WriteNpz) -> None:
    begin_attempt(plan.outputs, "case.npz")
    report = _predict(plan, write_npz()).report
    assert report.status == "ok"
    assert report.warnings == ["its worker was lost: attempt 2"]


def test_a_case_that_kills_its_workers_is_given_up(plan: Plan, write_npz: WriteNpz) -> None:
    for _ in range(MOST_ATTEMPTS):
        begin_attempt(plan.outputs, "case.npz")
    report = _predict(plan, write_npz()).report
    assert report.status == "failed"
    assert report.errors[0] == "case.npz: given up: its worker was lost 4 times"
    with np.load(plan.outputs / "case.npz") as arrays:
        assert arrays["segs"].shape == (6, 7, 8)
        assert not arrays["segs"].any()


def test_a_worker_refuses_another_bundle(plan: Plan) -> None:
    other = Plan(outputs=plan.outputs, bundle=plan.bundle, bundle_sha256="ab", device="cpu")
    with pytest.raises(BundleError, match="expected the bundle ab, received"):
        Worker(other)


@pytest.mark.parametrize(
    ("name", "gpus", "expected"), [("auto", 2, "cuda"), ("auto", 0, "cpu"), ("cpu", 2, "cpu")]
)
def test_the_device_is_what_the_cluster_has(
    monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, expected: str
) -> None:
    resources = {"CPU": 8.0, "GPU": float(gpus)}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(cluster_resources=lambda: resources))
    assert choose_worker_device(name, 2, 4) == expected


@pytest.mark.parametrize(
    ("name", "workers", "cpus", "message"),
    [
        ("auto", 3, 1, "expected at most 2 GPUs in use, received 3"),
        ("cpu", 3, 4, "expected at most 8 CPUs in use, received 12"),
        ("tpu", 1, 1, "expected auto, cpu or cuda, received tpu"),
    ],
)
def test_more_than_the_cluster_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, workers: int, cpus: int, message: str
) -> None:
    resources = {"CPU": 8.0, "GPU": 2.0}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(cluster_resources=lambda: resources))
    with pytest.raises(UsageError, match=message):
        choose_worker_device(name, workers, cpus)
