from __future__ import annotations

from predict.errors import CaseError


def test_case_error_carries_what_is_known_of_the_shape() -> None:
    assert CaseError("broken", shape=(1, 2, 3)).shape == (1, 2, 3)
    assert CaseError("broken").shape is None
