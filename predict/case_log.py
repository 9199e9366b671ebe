"""How far a folder of cases has come, on the terminal and for the report."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

from predict.exit_status import GOOD, SOME_FAILED
from predict.report import CaseReport


class CaseLog:
    """Reports as they come in, a bar, and a line on stderr for each case that is not good.

    Attributes:
        reports: Of the cases that are finished.
    """

    def __init__(self, count: int) -> None:
        """Of ``count`` cases."""
        self.reports: list[CaseReport] = []
        self._count = count
        self._seconds = 0.0

    def __enter__(self) -> CaseLog:
        self._start = time.perf_counter()
        self._bar = tqdm(total=self._count, unit="case", disable=self._count < 2, mininterval=1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._seconds = time.perf_counter() - self._start
        self._bar.close()
        if error is not None:
            print(
                f"{len(self.reports)} of {self._count} cases are done, none is half written; "
                "the same command with --skip-existing goes on",
                file=sys.stderr,
            )

    def done(self, report: CaseReport) -> None:
        """Take the report of a finished case."""
        self.reports.append(report)
        if not report.good:
            tqdm.write(f"{report.status}: {report.errors[0]}", file=sys.stderr)
        self._bar.update()

    @property
    def status(self) -> int:
        """Exit status."""
        good = len(self.reports) == self._count and all(report.good for report in self.reports)
        return GOOD if good else SOME_FAILED

    def to_dict(self) -> dict[str, object]:
        """What the report says of the run as a whole, once it has ended.

        ``wall_seconds`` are those from the first case's reading to the last one's writing;
        ``unfinished`` is the number of cases that an interrupted run has not come to.
        """
        return {
            "wall_seconds": round(self._seconds, 4),
            "unfinished": self._count - len(self.reports),
        }
