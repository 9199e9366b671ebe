"""Whether the weights are those of their manifest."""

from __future__ import annotations

from pathlib import Path

from predict.bundle import Bundle, load_bundle
from predict.doctor.check import Check
from predict.errors import BundleError


def check_bundle(folder: Path) -> tuple[Check, Bundle | None]:
    """Verify and load a bundle.

    Returns:
        The check, and the bundle if it is good.
    """
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        advice = "take the folder from the release again, or name another with --bundle"
        return Check("bundle", "fail", str(error), advice), None
    detail = (
        f"{folder}: every SHA-256 right, manifest {bundle.sha256[:12]}, "
        f"{bundle.manifest['parameters_kept'] / 1e6:.1f} M parameters"
    )
    return Check("bundle", "ok", detail), bundle
