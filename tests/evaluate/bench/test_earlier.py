from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from evaluate.bench.contest import Contest
from evaluate.bench.earlier import read_earlier
from predict.errors import UsageError


def test_what_was_written_is_read(tmp_path: Path, make_contest: Callable[..., Contest]) -> None:
    contest = make_contest("eight")
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"main": [asdict(contest)]}))
    (name, earlier), *others = read_earlier(path).items()
    assert name == "eight"
    assert (earlier.floor, earlier.product) == (contest.floor, contest.product)
    assert not others


@pytest.mark.parametrize(
    "table", [{}, {"main": [{}]}, {"main": [{"name": "a", "floor": {"runs": [{"no": 1}]}}]}]
)
def test_something_else_is_refused(tmp_path: Path, table: object) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(table))
    with pytest.raises(UsageError, match=r"^--before .*: expected a bench\.json"):
        read_earlier(path)
