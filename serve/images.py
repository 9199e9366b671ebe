"""The images a server keeps: on disk in one temporary folder, bounded in number and age."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from serve.errors import RefusalError
from serve.limits import Limits


@dataclass
class KeptImage:
    """One image.

    Attributes:
        folder: Its own folder; removed with it.
        path: The file to read: uploaded into the folder, or a case of the served folder.
        series: DICOM series to take.
        facts: What the page is told: kind, modality, shape, spacing, range.
        used: When it was last asked for, of time.monotonic.
        waiting: Jobs that have not ended.
    """

    id: str
    name: str
    folder: Path
    path: Path
    series: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
    used: float = 0.0
    waiting: int = 0

    @property
    def viewer_path(self) -> Path:
        """The image as NIfTI for the page."""
        return self.folder / "viewer.nii"


class ImageStore:
    """Adds, finds and removes images; thread-safe.

    Attributes:
        lock: Guards the images; the queue of jobs shares it, so that both change together.
        on_removed: Called with the id of every image removed, the lock held.
    """

    def __init__(
        self, root: Path, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep images below ``root``, a folder of this server alone."""
        self.root = root
        self.limits = limits
        self.on_removed: Callable[[str], None] = lambda _: None
        self._clock = clock
        self.lock = threading.RLock()
        self._images: dict[str, KeptImage] = {}
        self._arriving = 0

    @contextmanager
    def arriving(self) -> Iterator[KeptImage]:
        """A new image in a folder of its own; kept if the body ends well, else removed at once.

        Raises:
            RefusalError: 429, all places are taken by images with unfinished jobs or uploads.
        """
        with self.lock:
            self._make_room()
            self._arriving += 1
        identity = secrets.token_hex(8)
        folder = self.root / identity
        image = KeptImage(identity, "", folder, folder)
        try:
            folder.mkdir(mode=0o700)
            yield image
            with self.lock:
                image.used = self._clock()
                self._images[identity] = image
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self.lock:
                self._arriving -= 1

    def get(self, identity: str) -> KeptImage:
        """The image, which counts as a use of it.

        Raises:
            RefusalError: 404.
        """
        with self.lock:
            image = self._images.get(identity)
            if image is None:
                raise RefusalError(404, f"image {identity}: not here, or removed after its time")
            image.used = self._clock()
            return image

    def all(self) -> list[KeptImage]:
        """All images, the earliest first."""
        with self.lock:
            return list(self._images.values())

    def expires_in(self, image: KeptImage) -> float:
        """Seconds until an image is removed if it is left alone."""
        return max(0.0, image.used + self.limits.idle_seconds - self._clock())

    def hold(self, image: KeptImage, change: int) -> None:
        """Count an unfinished job of an image, which keeps it from being removed for its age."""
        with self.lock:
            image.waiting += change
            image.used = self._clock()

    def remove(self, identity: str) -> None:
        """Remove an image and all files of it.

        Raises:
            RefusalError: 404.
        """
        with self.lock:
            image = self._images.pop(identity, None)
            if image is None:
                raise RefusalError(404, f"image {identity}: not here, or removed after its time")
            self.on_removed(identity)
        shutil.rmtree(image.folder, ignore_errors=True)

    def sweep(self, image: KeptImage) -> None:
        """Remove what a job wrote into the folder of an image that was removed meanwhile."""
        with self.lock:
            gone = image.id not in self._images
        if gone:
            shutil.rmtree(image.folder, ignore_errors=True)

    def expire(self) -> None:
        """Remove the images unused for too long."""
        with self.lock:
            old = [i.id for i in self.all() if not i.waiting and self.expires_in(i) <= 0]
        for identity in old:
            self.remove(identity)

    def _make_room(self) -> None:
        while len(self._images) + self._arriving >= self.limits.images:
            idle = [image for image in self._images.values() if not image.waiting]
            if not idle:
                raise RefusalError(429, f"images: all {self.limits.images} places are in use; wait")
            self.remove(min(idle, key=lambda image: image.used).id)
