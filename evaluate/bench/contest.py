"""Floor, product and, if there is one, reference by turns on the same cases."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluate.bench.cases import Workload, unpack_masks
from evaluate.bench.process import Spent, spend
from evaluate.bench.product import predict_command, slowest_stages, stages_of, start_seconds
from evaluate.bench.reference import equal_voxels, reference_command
from evaluate.bench.runs import Run, Series
from predict.json_files import read_json_table
from predict.npz import list_cases


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured, and how often.

    Attributes:
        bundle: Weights of the product.
        device: auto, cpu or cuda.
        threads: OMP_NUM_THREADS of every process; as it is if None.
        repeats: Rounds, in each of which everyone has a turn.
        reference: Folder with a predict.sh, or None.
    """

    bundle: Path
    device: str = "auto"
    threads: int | None = None
    repeats: int = 5
    reference: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What came out.

    Attributes:
        name: What everyone had to do.
        floor: Importing torch and the files alone.
        product: ``python -m predict run``.
        reference: Other code, if there is any.
        foreground: Share of the voxels in which the product found something.
        equal: Share of voxels in which reference and product agree.
        machine: What the floor's last report.json says about device, threads and versions.
    """

    name: str
    floor: Series
    product: Series
    reference: Series | None
    foreground: float
    equal: float | None
    machine: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """Median of the product over median of the floor."""
        return self.product.seconds / self.floor.seconds


def compete(workload: Workload, setting: Setting) -> Contest:
    """Measure everyone on one workload; what is written on the way is deleted.

    The product's first run is not counted: it warms the page cache and makes the masks that the
    floor writes.

    Raises:
        UsageError: A process fails, or the reference writes no mask.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        arena = _Arena(Path(name), workload.inputs(Path(name) / "inputs"), setting)
        arena.run_product()
        foreground = arena.keep_masks()
        floor, product, reference = [], [], []
        for turn in range(setting.repeats):
            floor.append(arena.run_floor())
            product.append(arena.run_product())
            if setting.reference is not None:
                reference.append(arena.run_reference(setting.reference))
            told = f"floor {floor[-1].seconds:.2f} s, product {product[-1].seconds:.2f} s"
            print(f"{workload.name}: {turn + 1}/{setting.repeats}: {told}", file=sys.stderr)
        return Contest(
            name=workload.name,
            floor=Series(floor),
            product=Series(product),
            reference=Series(reference) if reference else None,
            foreground=foreground,
            equal=arena.equal_voxels() if reference else None,
            machine=arena.machine(),
        )


class _Arena:
    """Folders that the processes of one contest read and write."""

    def __init__(self, root: Path, inputs: Path, setting: Setting) -> None:
        self.root, self.inputs, self.setting = root, inputs, setting
        self.sources = list_cases(inputs)
        self.masks = root / "masks"
        self.masks.mkdir()

    def keep_masks(self) -> float:
        """Keep the product's masks for the floor; share of foreground."""
        return unpack_masks(self.root / "product", self.masks)

    def run_floor(self) -> Run:
        outputs = self._empty("floor")
        folders = (str(path.resolve()) for path in (self.inputs, self.masks, outputs))
        command = [sys.executable, "-m", "evaluate.bench.floor", *folders, self.setting.device]
        return self._reported(outputs, spend(command, threads=self.setting.threads))

    def run_product(self) -> Run:
        outputs = self._empty("product")
        setting = self.setting
        command = predict_command(self.inputs, outputs, setting.bundle, setting.device)
        return self._reported(outputs, spend(command, threads=setting.threads))

    def run_reference(self, folder: Path) -> Run:
        command = reference_command(self.inputs, self._empty("reference"), self.setting.bundle)
        spent = spend(command, folder=folder, threads=self.setting.threads)
        return _run(spent)

    def equal_voxels(self) -> float:
        """Agreement of reference and product, the mean over the cases."""
        ours, theirs = self.root / "product", self.root / "reference"
        shares = [equal_voxels(ours / path.name, theirs / path.name) for path in self.sources]
        return sum(shares) / len(shares)

    def machine(self) -> dict[str, Any]:
        """Device, threads and versions, as the last floor saw them."""
        report = read_json_table(self.root / "floor" / "report.json")
        return {key: report[key] for key in ("device", "threads", "versions")}

    def _empty(self, name: str) -> Path:
        shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / name).mkdir()
        return self.root / name

    def _reported(self, outputs: Path, spent: Spent) -> Run:
        report = read_json_table(outputs / "report.json")
        return replace(
            _run(spent),
            stages=stages_of(report, spent),
            start=start_seconds(report),
            slowest=slowest_stages(report),
        )


def _run(spent: Spent) -> Run:
    return Run(
        seconds=spent.seconds,
        cpu_seconds=spent.cpu_seconds,
        peak_memory_mb=spent.peak_memory_mb,
        stages={},
    )
