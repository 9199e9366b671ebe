"""An earlier benchmark, to be shown beside the new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluate.bench.runs import Run, Series
from predict.errors import UsageError
from predict.json_files import read_json_table


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What floor and product took then."""

    floor: Series
    product: Series


def read_earlier(path: Path) -> Mapping[str, Earlier]:
    """Main contests of a bench.json by their names.

    Raises:
        UsageError: Something else.
    """
    table = read_json_table(path)
    try:
        return {
            contest["name"]: Earlier(
                floor=Series([Run(**run) for run in contest["floor"]["runs"]]),
                product=Series([Run(**run) for run in contest["product"]["runs"]]),
            )
            for contest in table["main"]
        }
    except (KeyError, TypeError) as error:
        raise UsageError(f"--before {path}: expected a bench.json ({error!r})") from error
