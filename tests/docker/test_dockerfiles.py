from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def packages_stage(dockerfile: str) -> str:
    """Instructions of the first stage, without comments."""
    text = (ROOT / dockerfile).read_text()
    stage = re.search(r"^FROM \S+ AS packages\n.*?(?=^FROM)", text, re.MULTILINE | re.DOTALL)
    assert stage is not None
    lines = [line for line in stage.group().splitlines() if line and not line.startswith("#")]
    return "\n".join(lines)


def test_both_images_share_the_layers_of_the_packages() -> None:
    assert packages_stage("Dockerfile") == packages_stage("docker/train.Dockerfile")


def test_torch_is_the_pinned_one() -> None:
    pinned = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"ARG TORCH={pinned.group()}\n" in (ROOT / "Dockerfile").read_text()
