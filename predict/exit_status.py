"""Exit statuses of all commands."""

from __future__ import annotations

GOOD, SOME_FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
EPILOG = (
    "exit status: 0 all cases good; 1 some case failed (a valid output is there wherever the "
    "image's shape could be told, and a line says why); 2 wrong call or no bundle: nothing was "
    "attempted; 130 interrupted, 143 by SIGTERM: what was finished stays, --skip-existing goes on."
)
