"""Prediction as a Ray Data job: a pool of workers, each with the network on a device of its own.

A worker that is lost is replaced by Ray, and its cases are predicted again. That is safe since an
output appears whole or not at all, and the same case gives the same bytes.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predict.attempts import begin_attempt, end_attempt, forget_attempts
from predict.bundle import load_bundle
from predict.errors import BundleError, UsageError
from predict.folder import Options, give_up, predict_case
from predict.predictor import ImagePredictor, choose_device
from predict.report import CaseReport, device_name

MOST_ATTEMPTS = 4
MOST_BLOCKS = 2000
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
OBJECT_STORE_BYTES = 128 * 2**20  # reports pass through it, no voxels


class JobError(RuntimeError):
    """The job has ended before its cases were done."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every worker is told; paths are absolute and the same on all machines.

    Attributes:
        bundle_sha256: Of the bundle that is meant; a worker that finds another refuses.
        device: ``cpu`` or ``cuda``.
        batch_size: Prompts at once; what fits if None.
    """

    outputs: Path
    bundle: Path
    bundle_sha256: str
    device: str
    batch_size: int | None = None
    skip_existing: bool = False
    all_instances: bool = False
    previews: bool = False

    def options(self) -> Options:
        """How each case is predicted."""
        preview = None
        if self.previews:
            from predict.sheet import preview_writer

            preview = preview_writer(self.outputs)
        return Options(
            skip_existing=self.skip_existing, all_instances=self.all_instances, preview=preview
        )


@dataclass(frozen=True)
class Finished:
    """A case's report, and the device and precision it was predicted with."""

    report: CaseReport
    device: str
    precision: str


class Worker:
    """The network in a process of its own; called with a case at a time."""

    def __init__(self, plan: Plan) -> None:
        bundle = load_bundle(plan.bundle)
        if bundle.sha256 != plan.bundle_sha256:
            raise BundleError(
                f"{plan.bundle}: expected the bundle {plan.bundle_sha256}, received {bundle.sha256}"
            )
        device = choose_device(plan.device)
        self.plan = plan
        self.predictor = ImagePredictor(bundle, device, batch_size=plan.batch_size)
        self.options = plan.options()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Predict ``row["source"]``; the answer is a pickled :class:`Finished`."""
        source = Path(row["source"])
        output = self.plan.outputs / source.name
        attempts = begin_attempt(self.plan.outputs, source.name)
        if attempts > MOST_ATTEMPTS:
            lost = attempts - 1
            report = give_up(source, output, f"given up: its worker was lost {lost} times")
        else:
            report = predict_case(self.predictor, source, output, self.options)
            if attempts > 1:
                report.warnings.append(f"its worker was lost: attempt {attempts}")
        end_attempt(self.plan.outputs, source.name)
        precision = str(self.predictor.precision).removeprefix("torch.")
        finished = Finished(report, device_name(self.predictor.device), precision)
        return {"finished": pickle.dumps(finished)}


@contextmanager
def session(address: str, workers: int, cpus: int) -> Iterator[None]:
    """Ray on this machine (``local``), or a running cluster.

    Raises:
        UsageError: Ray is not installed or does not start, or the cluster cannot be reached.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            f"ray-run: {error.name} is not installed; "
            "install it with: pip install -r predict/requirements-ray.txt"
        ) from error
    before = signal.getsignal(signal.SIGTERM)
    here: dict[str, Any] = {
        "num_cpus": workers * cpus,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    started = here if address == "local" else {}
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **started)
    except Exception as error:  # the library raises bare Exception
        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(f"--address {address}: Ray cannot be had there ({reason})") from error
    try:
        signal.signal(signal.SIGTERM, before)  # Ray has set one of its own
        yield
    finally:
        ray.shutdown()


def choose_worker_device(name: str, workers: int, cpus: int) -> str:
    """``auto`` takes CUDA where the session has a GPU, else the CPU.

    Raises:
        UsageError: The device is unknown, or there is not enough for so many workers at a time.
    """
    import ray

    has = ray.cluster_resources()
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device: expected auto, cpu or cuda, received {name}")
    device = ("cuda" if has.get("GPU", 0) else "cpu") if name == "auto" else name
    wanted = {"CPU": workers * cpus, "GPU": workers if device == "cuda" else 0}
    for kind, count in wanted.items():
        if count > has.get(kind, 0):
            raise UsageError(
                f"--workers {workers} with {cpus} cores on {device}: expected at most "
                f"{has.get(kind, 0):g} {kind}s in use, received {count}"
            )
    return device


def predict_on_workers(
    plan: Plan, sources: Sequence[Path], workers: int, cpus: int
) -> Iterator[Finished]:
    """Predict cases inside a :func:`session`; they come back as they are finished.

    Args:
        plan: What the workers are told.
        sources: Cases with absolute paths, in the order in which they are begun.
        workers: How many; each takes a GPU where the device is ``cuda``.
        cpus: Cores of each.

    Raises:
        JobError: The job cannot go on, such as when no worker can be started.
    """
    import ray.data

    forget_attempts(plan.outputs)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what it says is in the JobError
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = [{"source": str(source)} for source in sources]
    cases = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
    done = cases.map(
        Worker,
        fn_constructor_args=(plan,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cpus,
        num_gpus=1 if plan.device == "cuda" else 0,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}},
    )
    try:
        for batch in done.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
            yield from map(pickle.loads, batch["finished"].to_pylist())
    except ray.exceptions.RayError as error:
        raise JobError(f"Ray: {str(error).strip().splitlines()[-1]}") from error
    finally:
        forget_attempts(plan.outputs)
