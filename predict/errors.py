"""Errors a user can cause; each message is one line: what was expected, what was received."""

from __future__ import annotations


class UsageError(ValueError):
    """The call itself is wrong: nothing was attempted."""


class BundleError(ValueError):
    """A bundle or checkpoint is missing, incomplete or not what its manifest says."""


class CaseError(ValueError):
    """A case cannot be segmented as given.

    Attributes:
        shape: Shape of the case's image as far as it could be told, so that a valid
            all-background answer can still be written; None where it is unknown.
    """

    def __init__(self, message: str, *, shape: tuple[int, ...] | None = None) -> None:
        super().__init__(message)
        self.shape = shape
