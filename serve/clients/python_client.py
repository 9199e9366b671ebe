"""A client of the Text3DSAM server in one file, without dependencies: copy it where you need it.

client = Client("http://127.0.0.1:8080")
image = client.upload("scan.nii.gz")
result = client.segment(image, ["liver", "left kidney"])
client.download_mask(result, "mask.nii.gz")
"""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.3


class ServerError(RuntimeError):
    """What the server refused, in its own words, with the HTTP status as ``status``.

    ``choices`` names the DICOM series to choose from where that was the reason.
    """

    def __init__(self, status: int, message: str, choices: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.choices = list(choices)


class Client:
    """Speaks to one server."""

    def __init__(
        self, url: str = "http://127.0.0.1:8080", token: str | None = None, *, timeout: float = 600
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: As printed by ``python -m predict serve``.
            token: The one printed there, if any.
            timeout: Seconds one request may take.
        """
        self.url = url.split("#")[0].rstrip("/")
        self.token = token
        self.timeout = timeout
        # No proxy: this is a program on the same machine, or one in reach of it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def about(self) -> dict[str, Any]:
        """What the server runs and accepts."""
        return self._json("GET", "/about")

    def images(self) -> list[dict[str, Any]]:
        """Images the server keeps."""
        return list(self._json("GET", "/images")["images"])

    def upload(self, path: str | Path, *, series: str | None = None) -> dict[str, Any]:
        """Send an image file and return its facts, ``id`` among them.

        Args:
            path: NIfTI, NRRD, MHA, TIFF, npz, or a zip of DICOM.
            series: DICOM series: its UID, or its number from 1.
        """
        source = Path(path)
        query = {"name": source.name} | ({"series": series} if series else {})
        with source.open("rb") as file:
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(source.stat().st_size),
            }
            target = f"/images?{urllib.parse.urlencode(query)}"
            with self._open("POST", target, file, headers) as answer:
                facts: dict[str, Any] = json.load(answer)
        return facts

    def segment(
        self,
        image: dict[str, Any],
        prompts: Sequence[str],
        *,
        add_to: dict[str, Any] | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> dict[str, Any]:
        """Ask for structures and wait for the answer.

        Args:
            image: What :meth:`upload` returned.
            prompts: One text per structure; ids are 1, 2, ... in their order.
            add_to: An earlier answer for the same image, whose prompts and ids come first.
            progress: Called with a few words and 0..1; what it raises cancels the job.

        Returns:
            The finished job: ``classes`` (id, text, voxels, presence), ``seconds``, ``warnings``.

        Raises:
            ServerError: It failed or was cancelled.
        """
        asked = {
            "image": image["id"],
            "prompts": list(prompts),
            "extends": None if add_to is None else add_to["id"],
        }
        job = self._json("POST", "/jobs", asked)
        try:
            while job["state"] in ("queued", "running"):
                if progress is not None:
                    progress(job["stage"], job["progress"])
                time.sleep(POLL_SECONDS)
                job = self._json("GET", f"/jobs/{job['id']}")
        except BaseException:
            self._json("DELETE", f"/jobs/{job['id']}")
            raise
        if job["state"] != "done":
            raise ServerError(200, job["error"] or job["state"])
        return job

    def download_mask(
        self, job: dict[str, Any], path: str | Path, *, as_nifti: bool = False
    ) -> Path:
        """Write the mask of a finished job.

        Args:
            job: What :meth:`segment` returned.
            path: File, or a folder where the server's name for it is used.
            as_nifti: NIfTI whatever the image's format is.
        """
        target = Path(path)
        if target.is_dir():
            target /= "mask.nii.gz" if as_nifti else Path(job["mask_name"]).name
        part = "viewer-mask.nii.gz" if as_nifti else "mask"
        with self._open("GET", f"/jobs/{job['id']}/{part}") as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)
        return target

    def remove(self, image: dict[str, Any]) -> None:
        """Remove an image and its masks from the server."""
        self._open("DELETE", f"/images/{image['id']}").close()

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with self._open(method, path, data, {"Content-Type": "application/json"}) as answer:
            values: dict[str, Any] = json.load(answer)
            return values

    def _open(
        self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api{path}", data, dict(headers or {}), method=method
        )
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            return self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except urllib.error.URLError as error:
            raise ServerError(0, f"{self.url}: no server answers ({error.reason})") from error


def _refusal(error: urllib.error.HTTPError) -> ServerError:
    try:
        body = json.load(error)
        return ServerError(error.code, str(body["error"]), body.get("choices", ()))
    except (ValueError, KeyError, TypeError):
        return ServerError(error.code, f"status {error.code}")
