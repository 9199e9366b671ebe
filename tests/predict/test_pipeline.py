from __future__ import annotations

import argparse

import pytest

from predict.errors import BundleError
from predict.pipeline import Pipeline


def test_settings_are_told_from_the_networks() -> None:
    values = {"mode": "precise", "least_presence": 0.25, "image_size": [64, 64, 64]}
    pipeline, rest = Pipeline.split(values)
    assert pipeline == Pipeline(mode="precise", least_presence=0.25)
    assert rest == {"image_size": [64, 64, 64]}
    assert Pipeline.split({**pipeline.to_dict(), **rest}) == (pipeline, rest)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "mode: expected one of .* received None"),
        ({"mode": "fast"}, "mode: expected one of .* received 'fast'"),
        ({"mode": "paper", "least_presence": 1.0}, r"least_presence: expected 0\.\.1"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Pipeline.split(values)


def test_options_of_a_command() -> None:
    parser = argparse.ArgumentParser()
    Pipeline.add_options(parser)
    assert Pipeline.from_options(parser.parse_args([])) is None
    options = parser.parse_args(["--mode", "precise", "--least-presence", "0.5"])
    assert Pipeline.from_options(options) == Pipeline(mode="precise", least_presence=0.5)
