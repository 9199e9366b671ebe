"""What prediction does around the network: as published, or more carefully."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from predict.errors import BundleError

MODES = ("paper", "precise")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Settings of a bundle's config.json beside the network's.

    Attributes:
        mode: ``paper``: plain resizing and all passes on the whole volume, as published.
            ``precise``: resizing that averages, refinement in windows around what was found.
        least_presence: With a presence head: prompts that are less probably there find nothing.
    """

    mode: str = "paper"
    least_presence: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BundleError(f"mode: expected one of {MODES}, received {self.mode!r}")
        if not 0 <= self.least_presence < 1:
            raise BundleError(f"least_presence: expected 0..1, received {self.least_presence}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Options ``--mode`` and ``--least-presence`` for a command."""
        parser.add_argument("--mode", choices=MODES, help="what prediction does around the network")
        parser.add_argument(
            "--least-presence",
            type=float,
            default=0.0,
            help="with --mode: prompts whose target is less probably there find nothing (0..1)",
        )

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Pipeline | None:
        """What those options say; None without ``--mode``."""
        if options.mode is None:
            return None
        return cls(mode=options.mode, least_presence=options.least_presence)

    @classmethod
    def split(cls, values: Mapping[str, Any]) -> tuple[Pipeline, dict[str, Any]]:
        """The pipeline's settings of a config.json, and the rest of it.

        Raises:
            BundleError: No or an unknown mode, or a setting out of range.
        """
        if "mode" not in values:
            raise BundleError(f"mode: expected one of {MODES}, received None")
        names = {field.name for field in fields(cls)}
        own = {key: value for key, value in values.items() if key in names}
        return cls(**own), {key: value for key, value in values.items() if key not in names}
