"""Refusals: a status and one line that says what was expected and what was received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class RefusalError(Exception):
    """A request that cannot be served.

    Attributes:
        status: HTTP status, 4xx.
        message: One line.
        choices: What to choose from where the request was ambiguous.
    """

    def __init__(self, status: int, message: str, choices: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.choices = list(choices)


def answer(status: int, message: str, **more: Any) -> JSONResponse:
    """The body of every error: ``{"error": "one line"}``."""
    line = " ".join(message.split())
    return JSONResponse({"error": line, **more}, status, headers={"Cache-Control": "no-store"})


def install(app: FastAPI) -> None:
    """Answer every refusal of the app in one form."""

    @app.exception_handler(RefusalError)
    async def _refused(_: Request, refusal: RefusalError) -> JSONResponse:
        more = {"choices": refusal.choices} if refusal.choices else {}
        return answer(refusal.status, refusal.message, **more)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        return answer(422, f"{place or 'request'}: {first['msg'].lower()}")

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        reply = answer(error.status_code, str(error.detail).lower())
        reply.headers.update(error.headers or {})
        return reply
