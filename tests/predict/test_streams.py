from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from predict.streams import usable_streams

SCRIPT = """
import os, sys
from predict.streams import usable_streams
with usable_streams():
    print("to stdout")
    sys.stdout.flush()
    print("to stderr", file=sys.stderr)
    with open(sys.argv[1], "x") as file:
        file.write(str(file.fileno()))
        file.flush()
        os.write(2, b"from a C library")
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, closed: str) -> None:
    shell = f'exec "$0" -c "$1" "$2" {closed}'
    status = subprocess.run(
        ["sh", "-c", shell, sys.executable, SCRIPT, tmp_path / "file"], check=False
    ).returncode
    assert int((tmp_path / "file").read_text()) > 2
    assert status == (1 if "/dev/full" in closed else 0)  # the script's own os.write


def test_a_full_stdout_is_still_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" /dev/null/x >/dev/full', sys.executable, SCRIPT],
        check=False,
    )
    assert done.returncode != 0
    assert "No space left" in capfd.readouterr().err


def test_the_streams_are_given_back() -> None:
    before = sys.stdout, sys.stderr
    with usable_streams():
        assert sys.stderr is not before[1]
        assert sys.stderr.encoding == before[1].encoding
    assert (sys.stdout, sys.stderr) == before
