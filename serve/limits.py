"""What one server accepts and keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that keep a server's disk, memory and queue finite.

    Attributes:
        upload_bytes: Largest upload; also what the files of an uploaded archive may unpack to,
            four times over.
        images: Images kept; the one unused for longest makes room for a new one.
        idle_seconds: An image unused for so long is removed with its masks.
        queue: Jobs waiting; more are refused with status 429.
        results: Finished jobs kept per image, the latest ones.
        prompts: Prompts of one job.
        listed: Cases of the folder that are listed.
    """

    upload_bytes: int = 2 * 2**30
    images: int = 8
    idle_seconds: float = 2 * 3600
    queue: int = 16
    results: int = 20
    prompts: int = 64
    listed: int = 2000


PROMPT_LENGTH = 500
