from __future__ import annotations

from pathlib import Path

import pytest

from evaluate.bench.process import Spent
from evaluate.bench.product import predict_command, slowest_stages, stages_of, start_seconds
from predict.cli import _parser
from predict.errors import UsageError

SPENT = Spent(seconds=5.0, cpu_seconds=6.0, peak_memory_mb=400)
REPORT = {
    "startup": {"process": 0.1, "imports": 1.0, "weights": 0.4},
    "cases": [
        {"seconds": {"read": 0.1, "encode_image": 0.5, "decode": 0.2, "write": 0.3, "total": 1.1}},
        {"seconds": {"read": 0.9, "encode_image": 0.3, "decode": 0.1, "write": 0.2, "total": 1.5}},
    ],
}


def test_stages_are_summed_and_add_up_to_the_whole() -> None:
    stages = stages_of(REPORT, SPENT)
    expected = {
        "interpreter": 0.1,
        "imports": 1.0,
        "weights": 0.4,
        "read": 1.0,
        "encode": 0.8,
        "decode": 0.3,
        "write": 0.5,
        "teardown": 0.9,
    }
    assert stages == pytest.approx(expected)
    assert list(stages) == list(expected)


def test_start_is_what_comes_before_the_first_case() -> None:
    assert start_seconds(REPORT) == pytest.approx(1.5)


def test_each_case_counts_with_its_slowest_of_reading_computing_writing() -> None:
    assert slowest_stages(REPORT) == pytest.approx(0.7 + 0.9)


@pytest.mark.parametrize(
    "report", [{}, {"startup": {}, "cases": [{}]}, {"startup": 3, "cases": []}]
)
def test_something_else_is_refused(report: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"^report\.json: expected startup and cases"):
        stages_of(report, SPENT)


def test_the_command_is_one_that_the_product_takes(tmp_path: Path) -> None:
    command = predict_command(tmp_path / "in", tmp_path / "out", tmp_path / "bundle", "cpu")
    options = _parser()[0].parse_args(command[3:])
    assert (options.inputs, options.outputs) == (tmp_path / "in", tmp_path / "out")
    assert (options.bundle, options.device) == (tmp_path / "bundle", "cpu")
