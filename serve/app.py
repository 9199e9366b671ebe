"""The web application: its parts put together."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI

from serve import errors
from serve.engine import Engine
from serve.images import ImageStore
from serve.jobs import JobQueue
from serve.library import Library
from serve.routes import Parts, make_router
from serve.schemas import API_VERSION
from serve.security import Doors
from serve.settings import Settings
from serve.uploads import Arrivals

DESCRIPTION = (
    "Put an image on the server, ask for structures by text, fetch the mask. Every error is "
    '`{"error": "one line"}`. Research only, not a diagnostic device.'
)
_EXPIRY_SECONDS = 30.0


def create_app(engine: Engine, settings: Settings) -> FastAPI:
    """A server around an engine; its temporary folder lives from start-up to shut-down.

    Raises:
        UsageError: The folder to serve is not there.
    """
    library = None if settings.folder is None else Library(settings.folder)
    temporary = tempfile.TemporaryDirectory(prefix="text3dsam-serve-", ignore_cleanup_errors=True)
    images = ImageStore(Path(temporary.name), settings.limits)
    jobs = JobQueue(engine, images, settings.limits)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        jobs.start()
        expiry = asyncio.create_task(_expire(images))
        try:
            yield
        finally:
            expiry.cancel()
            jobs.stop()
            temporary.cleanup()

    app = FastAPI(
        title="Text3DSAM",
        version=API_VERSION,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    errors.install(app)
    arrivals = Arrivals(images, settings.limits.upload_bytes)
    parts = Parts(images, jobs, arrivals, library, settings)
    make_router(app, parts)
    app.add_middleware(Doors, token=settings.token, loopback=settings.loopback)
    return app


async def _expire(images: ImageStore) -> None:
    while True:
        await asyncio.sleep(_EXPIRY_SECONDS)
        await asyncio.to_thread(images.expire)
