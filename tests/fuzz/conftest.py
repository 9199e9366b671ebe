"""One guard for all tests, since an audit hook stays for the life of the process."""

from __future__ import annotations

import pytest

from fuzz.guard import Guard


@pytest.fixture(scope="session")
def guard() -> Guard:
    """A guard that is not armed."""
    return Guard()
