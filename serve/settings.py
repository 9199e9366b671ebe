"""How a server is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serve.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server is set up.

    Attributes:
        token: What API requests must carry; None where none is asked for.
        loopback: Whether it listens on loopback only.
        folder: Cases the page may open.
        limits: Bounds.
        about: Bundle and device, for people.
        known: Modality -> names of the structures the network was trained on, if it tells.
    """

    token: str | None = None
    loopback: bool = True
    folder: Path | None = None
    limits: Limits = field(default_factory=Limits)
    about: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
