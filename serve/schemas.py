"""What the REST service takes and gives, as documented by its OpenAPI description."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serve.limits import PROMPT_LENGTH

API_VERSION = "1"
Prompt = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=PROMPT_LENGTH)
]


class ErrorAnswer(BaseModel):
    """Every error: one line; what to choose from where the request was ambiguous."""

    error: str
    choices: list[str] = []


class About(BaseModel):
    """What this server runs and what it accepts."""

    version: str
    network: dict[str, str]
    suffixes: list[str] = Field(description="File name endings that can be uploaded")
    upload_bytes: int
    images: int = Field(description="Images kept at most")
    idle_seconds: float = Field(description="An unused image is removed after this time")
    prompts: int = Field(description="Prompts of one job at most")
    folder: bool = Field(description="Whether a folder of cases is served")


class Known(BaseModel):
    """What may be asked for with some hope."""

    structures: dict[str, list[str]] = Field(description="Modality -> names")


class CaseList(BaseModel):
    """Cases of the served folder."""

    cases: list[str] = Field(description="Paths relative to the folder")
    complete: bool = Field(description="False if there are more than are listed")


class OpenCase(BaseModel):
    """Open a case of the served folder."""

    model_config = ConfigDict(extra="forbid")
    case: str = Field(min_length=1, max_length=4096, description="As listed")
    series: str | None = Field(default=None, max_length=256, description="DICOM series to take")


class ImageAnswer(BaseModel):
    """An image that prompts can be put to."""

    id: str
    name: str
    kind: str = Field(description="nifti, nrrd, mha, dicom, tiff or npz")
    modality: str | None
    shape: list[int] = Field(description="(D, H, W) voxels, axes (z, y, x) of the file's grid")
    spacing: list[float] = Field(description="(x, y, z) mm")
    range: list[float] = Field(description="Intensities to show: 1st and 99th percentile")
    warnings: list[str] = Field(default=[], description="What a person should know about the file")
    expires_in: float = Field(description="Seconds until it is removed if left unused")


class ImageList(BaseModel):
    """Images kept."""

    images: list[ImageAnswer]


class JobRequest(BaseModel):
    """Prompts to put to an image."""

    model_config = ConfigDict(extra="forbid")
    image: str = Field(min_length=1, max_length=64, description="Id of an image")
    prompts: list[Prompt] = Field(min_length=1, max_length=255)
    extends: str | None = Field(
        default=None,
        max_length=64,
        description="Id of a finished job on the same image: its prompts come first, so that "
        "their ids stay; the image is not encoded again while it is the current one",
    )


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ClassAnswer(BaseModel):
    """What was found for one prompt."""

    id: int = Field(description="Value in the mask")
    text: str
    voxels: int = Field(description="0: not found")
    millilitres: float
    presence: float | None = Field(description="Probability that it is there, if told")
    colour: str = Field(description="#rrggbb")


class JobAnswer(BaseModel):
    """State of a job and, when done, what was found."""

    id: str
    image: str
    prompts: list[str]
    state: State
    stage: str = Field(description="queued, reading, encoding, segmenting, writing, or finished")
    progress: float = Field(ge=0, le=1)
    error: str | None = None
    reused: bool | None = Field(default=None, description="Whether the image was encoded before")
    classes: list[ClassAnswer] = []
    seconds: dict[str, float] = {}
    warnings: list[str] = []
    mask_name: str | None = Field(
        default=None, description="File name of the mask in the image's format"
    )


class Token(BaseModel):
    """What the server printed when it was started."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(min_length=1, max_length=512)
