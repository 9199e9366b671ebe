"""Take an image in: from a request's body, or from the served folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from predict import formats
from predict.errors import CaseError, UsageError
from predict.volumes import Volume
from predict.windows import is_ct
from serve.errors import RefusalError
from serve.files import check_upload, clean_name, shown_range, write_viewer_image
from serve.images import ImageStore, KeptImage


@dataclass(frozen=True)
class Arrivals:
    """Brings images into the store.

    Attributes:
        images: Where they are kept.
        upload_bytes: Largest upload.
    """

    images: ImageStore
    upload_bytes: int

    async def upload(
        self, name: str, series: str | None, length: str | None, body: AsyncIterator[bytes]
    ) -> KeptImage:
        """Stream a body to a file, check it and read it.

        Args:
            name: File name; its ending tells the format.
            series: DICOM series to take.
            length: The request's Content-Length, if it has one.
            body: Chunks.

        Raises:
            RefusalError: 413 too large; 415 unknown ending; 409 several series; 422 unreadable;
                429 no place.
        """
        plain = clean_name(name)
        if length is not None and length.isdigit() and int(length) > self.upload_bytes:
            raise self._too_large()
        with self.images.arriving() as image:
            image.name, image.series = plain, series
            image.path = image.folder / plain
            await self._receive(body, image.path)
            await run_in_threadpool(check_upload, image.path, self.upload_bytes)
            await run_in_threadpool(_look_at, image)
        return image

    def open(self, path: Path, series: str | None) -> KeptImage:
        """Read a case of the served folder where it lies.

        Raises:
            RefusalError: 409 several series; 422 unreadable; 429 no place.
        """
        with self.images.arriving() as image:
            image.name, image.path, image.series = path.name, path, series
            _look_at(image)
        return image

    async def _receive(self, body: AsyncIterator[bytes], path: Path) -> None:
        received = 0
        try:
            with path.open("xb") as file:
                async for chunk in body:
                    received += len(chunk)
                    if received > self.upload_bytes:
                        raise self._too_large()
                    await run_in_threadpool(file.write, chunk)
        except ClientDisconnect as error:
            raise RefusalError(400, "upload: the connection ended before the file did") from error
        except OSError as error:
            raise RefusalError(507, f"upload: not stored ({error.strerror})") from error
        if received == 0:
            raise RefusalError(422, "upload: expected a file as the body, received nothing")

    def _too_large(self) -> RefusalError:
        return RefusalError(
            413, f"upload: expected at most {self.upload_bytes} bytes, received more"
        )


def _look_at(image: KeptImage) -> None:
    """Read the image for what the page shows; its voxels are read again when it is segmented."""
    volume = _read(image)
    low, high = shown_range(volume.array)
    image.facts = {
        "kind": volume.kind,
        "modality": "CT" if is_ct(volume) else volume.modality,
        "shape": list(volume.array.shape),
        "spacing": [float(value) for value in volume.spacing],
        "range": [low, high],
        "warnings": [str(line) for line in volume.extra.get("warnings", ())],
    }
    try:
        write_viewer_image(volume, image.viewer_path)
    except Exception as error:  # a grid that NIfTI cannot hold, or a full disk
        raise RefusalError(
            422, f"{image.name}: cannot be shown ({type(error).__name__})"
        ) from error


def _read(image: KeptImage) -> Volume:
    try:
        return formats.read_volume(image.path, series=image.series)
    except CaseError as error:
        raise RefusalError(422, _without_folder(str(error), image)) from error
    except UsageError as error:
        choices = _series(image.path) if image.series is None else []
        status = 409 if len(choices) > 1 else 422
        raise RefusalError(status, _without_folder(str(error), image), choices) from error
    except MemoryError as error:
        raise RefusalError(422, f"{image.name}: too large for this machine's memory") from error
    except Exception as error:  # a hostile or broken file; the server goes on
        raise RefusalError(422, f"{image.name}: not readable ({type(error).__name__})") from error


def _series(path: Path) -> list[str]:
    try:
        return [str(series) for series in formats.list_series(path)]
    except (CaseError, UsageError):
        return []


def _without_folder(message: str, image: KeptImage) -> str:
    """A message without the server's own folders in it."""
    return message.replace(str(image.path), image.name).replace(f"{image.folder}/", "")
