"""The contract on two made-up cases: npz in, npz out, checked as an organizer would."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from predict.doctor.check import Check
from predict.folder import Options, predict_case
from predict.predictor import ImagePredictor

SHAPE = (20, 48, 40)
PROMPTS = {"1": "liver in abdominal CT", "7": "left kidney"}
REPORT = "report this line: the installation or the bundle is broken"


def check_dry_run(predictor: ImagePredictor) -> Check:
    """Predict a semantic and an instance case in a temporary folder and look at the outputs."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="text3dsam-doctor-") as folder:
            problems = [
                f"{kind} case: {problem}"
                for kind, instance in (("semantic", 0), ("instance", 1))
                for problem in _problems(predictor, Path(folder), kind, instance)
            ]
    except OSError as error:
        advice = "set TMPDIR to a folder that can be written, or mount --tmpfs /tmp"
        return Check("dry run", "warn", f"not tried: no temporary folder ({error})", advice)
    if problems:
        return Check("dry run", "fail", "; ".join(problems), REPORT)
    seconds = time.perf_counter() - start
    return Check("dry run", "ok", f"semantic and instance case, outputs right, {seconds:.1f} s")


def _problems(predictor: ImagePredictor, folder: Path, kind: str, instance: int) -> list[str]:
    source, output = folder / f"{kind}.npz", folder / "outputs" / f"{kind}.npz"
    output.parent.mkdir(exist_ok=True)
    prompts = np.array({**PROMPTS, "instance_label": instance}, dtype=object)
    np.savez_compressed(source, imgs=_volume(), spacing=np.ones(3), text_prompts=prompts)
    report = predict_case(predictor, source, output, Options())
    if not report.good:
        return report.errors
    allowed = range(256) if instance else (0, *map(int, PROMPTS))
    return wrong_with(output, SHAPE, allowed)


def wrong_with(output: Path, shape: tuple[int, ...], allowed: range | tuple[int, ...]) -> list[str]:
    """What an output has that the contract does not allow.

    Args:
        output: NAME.npz as written.
        shape: (D, H, W) of the case.
        allowed: Ids that may occur.
    """
    with np.load(output, allow_pickle=False) as arrays:
        if arrays.files != ["segs"]:
            return [f"expected the key segs, received {arrays.files}"]
        segs = arrays["segs"]
    problems = []
    if segs.dtype != np.uint8:
        problems.append(f"expected uint8, received {segs.dtype}")
    if segs.shape != shape:
        problems.append(f"expected shape {shape}, received {segs.shape}")
    foreign = sorted(set(np.unique(segs).tolist()) - set(allowed))
    if foreign:
        problems.append(f"ids that were not asked for: {foreign[:5]}")
    return problems


def _volume() -> np.ndarray:
    """(D, H, W) uint8: a bright ellipsoid in a darker body."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    body = 90.0 * (y**2 + x**2 < 0.8)
    body[z**2 + (y + 0.2) ** 2 + (x + 0.3) ** 2 < 0.2] = 170
    return body.astype(np.uint8)
