"""The endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from predict.colours import label_colour
from serve.errors import RefusalError
from serve.files import SUFFIXES
from serve.images import ImageStore, KeptImage
from serve.jobs import Job, JobQueue
from serve.library import Library
from serve.schemas import (
    API_VERSION,
    About,
    CaseList,
    ClassAnswer,
    ErrorAnswer,
    ImageAnswer,
    ImageList,
    JobAnswer,
    JobRequest,
    Known,
    OpenCase,
    State,
    Token,
)
from serve.security import COOKIE, same_token
from serve.settings import Settings
from serve.uploads import Arrivals

STATIC = Path(__file__).parent / "static"
_NIFTI = "application/octet-stream"


@dataclass(frozen=True)
class Parts:
    """What the endpoints work on."""

    images: ImageStore
    jobs: JobQueue
    arrivals: Arrivals
    library: Library | None
    settings: Settings


def make_router(app: FastAPI, parts: Parts) -> None:
    """Add the page and all endpoints to an application."""
    api = APIRouter(prefix="/api", responses=_errors(401, 403, 421))
    _add_about(api, parts)
    _add_folder(api, parts)
    _add_images(api, parts)
    _add_jobs(api, parts)
    app.include_router(api)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorAnswer} for status in statuses}


def _file(summary: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": summary, "content": {_NIFTI: {"schema": schema}}}}


def _add_about(api: APIRouter, parts: Parts) -> None:
    @api.get("/about", tags=["server"])
    def about() -> About:
        """What this server runs and accepts."""
        limits = parts.settings.limits
        return About(
            version=API_VERSION,
            network=dict(parts.settings.about),
            suffixes=list(SUFFIXES),
            upload_bytes=limits.upload_bytes,
            images=limits.images,
            idle_seconds=limits.idle_seconds,
            prompts=limits.prompts,
            folder=parts.library is not None,
        )

    @api.post("/login", status_code=204, tags=["server"], responses=_errors(400, 422))
    def login(given: Token, response: Response) -> None:
        """Exchange the token for a cookie, for the page; programs send it as a bearer header."""
        token = parts.settings.token
        if token is not None:
            if not same_token(given.token, token):
                raise RefusalError(401, "token: expected the one printed at the server's start")
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")

    @api.get("/prompts", tags=["server"])
    def prompts() -> Known:
        """Structures the network was trained on, by modality; empty if the bundle does not tell."""
        return Known(structures={m: list(names) for m, names in parts.settings.known.items()})


def _add_folder(api: APIRouter, parts: Parts) -> None:
    @api.get("/cases", tags=["folder"], responses=_errors(404))
    def cases() -> CaseList:
        """Cases of the served folder."""
        found, complete = _library(parts).cases(parts.settings.limits.listed)
        return CaseList(cases=found, complete=complete)

    @api.post(
        "/cases/open", status_code=201, tags=["folder"], responses=_errors(400, 404, 409, 422, 429)
    )
    def open_case(wanted: OpenCase) -> ImageAnswer:
        """Open a case of the served folder; nothing is copied or changed there."""
        path = _library(parts).find(wanted.case)
        return _describe_image(parts, parts.arrivals.open(path, wanted.series))


def _add_images(api: APIRouter, parts: Parts) -> None:
    @api.get("/images", tags=["images"])
    def images() -> ImageList:
        """Images kept."""
        return ImageList(images=[_describe_image(parts, image) for image in parts.images.all()])

    @api.post(
        "/images",
        status_code=201,
        tags=["images"],
        responses=_errors(400, 409, 413, 415, 422, 429, 507),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {_NIFTI: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=255, description="File name")],
        series: Annotated[
            str | None, Query(max_length=256, description="DICOM series: UID, or number from 1")
        ] = None,
    ) -> ImageAnswer:
        """Upload an image as the request's body, as it is on the disk.

        Several DICOM series in one archive are answered with 409 and ``choices``.
        """
        length = request.headers.get("content-length")
        image = await parts.arrivals.upload(name, series, length, request.stream())
        return _describe_image(parts, image)

    @api.get("/images/{image}", tags=["images"], responses=_errors(404))
    def image_facts(image: str) -> ImageAnswer:
        """Facts of an image."""
        return _describe_image(parts, parts.images.get(image))

    @api.get(
        "/images/{image}/viewer.nii",
        tags=["images"],
        response_class=FileResponse,
        responses={**_errors(404), **_file("The image as NIfTI, for viewers")},
    )
    def viewer_image(image: str) -> FileResponse:
        """The image as NIfTI, whatever it was uploaded as."""
        return _send(parts.images.get(image).viewer_path, "image.nii")

    @api.delete("/images/{image}", status_code=204, tags=["images"], responses=_errors(404))
    def delete_image(image: str) -> None:
        """Remove an image, its jobs and every file of them."""
        parts.images.remove(image)


def _add_jobs(api: APIRouter, parts: Parts) -> None:
    @api.post("/jobs", status_code=202, tags=["jobs"], responses=_errors(400, 404, 409, 422, 429))
    def submit(wanted: JobRequest) -> JobAnswer:
        """Put prompts to an image; they wait in a queue for the network."""
        image = parts.images.get(wanted.image)
        return _describe_job(parts.jobs.submit(image, wanted.prompts, wanted.extends))

    @api.get("/jobs/{job}", tags=["jobs"], responses=_errors(404))
    def job_state(job: str) -> JobAnswer:
        """State of a job and, when done, what was found."""
        return _describe_job(parts.jobs.get(job))

    @api.delete("/jobs/{job}", tags=["jobs"], responses=_errors(404))
    def cancel(job: str) -> JobAnswer:
        """Cancel a job: at once while it waits, before its next stage while it runs."""
        return _describe_job(parts.jobs.cancel(job))

    @api.get(
        "/jobs/{job}/mask",
        tags=["jobs"],
        response_class=FileResponse,
        responses={**_errors(404, 409), **_file("The mask in the image's own format")},
    )
    def mask(job: str) -> FileResponse:
        """The mask in the image's own format and grid; values are the classes' ids."""
        path = _done(parts.jobs.get(job)).mask
        assert path is not None
        return _send(path, path.name)

    @api.get(
        "/jobs/{job}/viewer-mask.nii.gz",
        tags=["jobs"],
        response_class=FileResponse,
        responses={**_errors(404, 409), **_file("The mask as NIfTI")},
    )
    def viewer_mask(job: str) -> FileResponse:
        """The mask as NIfTI, whatever the image's format is."""
        path = _done(parts.jobs.get(job)).viewer_mask
        assert path is not None
        return _send(path, f"{Path(parts.jobs.get(job).image.name).stem}-mask.nii.gz")


def _library(parts: Parts) -> Library:
    if parts.library is None:
        raise RefusalError(404, "cases: this server was started without --folder")
    return parts.library


def _done(job: Job) -> Job:
    if job.state is not State.DONE:
        raise RefusalError(409, f"job {job.id}: expected a finished one, it is {job.state}")
    return job


def _send(path: Path, name: str) -> FileResponse:
    if not path.is_file():
        raise RefusalError(404, "file: removed with its image")
    return FileResponse(path, media_type=_NIFTI, filename=name)


def _describe_image(parts: Parts, image: KeptImage) -> ImageAnswer:
    return ImageAnswer.model_validate(
        {
            "id": image.id,
            "name": image.name,
            "expires_in": round(parts.images.expires_in(image), 1),
            **image.facts,
        }
    )


def _describe_job(job: Job) -> JobAnswer:
    answer = JobAnswer(
        id=job.id,
        image=job.image.id,
        prompts=list(job.prompts),
        state=job.state,
        stage=job.stage,
        progress=round(job.progress, 3),
        error=job.error,
    )
    if job.state is State.DONE and job.result is not None and job.mask is not None:
        answer.reused = job.reused
        answer.classes = [
            ClassAnswer(
                id=p.class_id,
                text=p.text,
                voxels=p.voxels,
                millilitres=round(p.volume_mm3 / 1000, 3),
                presence=p.presence,
                colour="#{:02x}{:02x}{:02x}".format(*label_colour(p.class_id)),
            )
            for p in job.result.prompts
        ]
        answer.seconds = {stage: round(value, 4) for stage, value in job.result.seconds.items()}
        answer.warnings = list(job.result.warnings)
        answer.mask_name = job.mask.name
    return answer
