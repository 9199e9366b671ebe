"""Nothing to lean on: read-only root, no home, no rights, no network, little shared memory."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults.conftest import Job

NO_RIGHTS = ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
ANOTHER_USER = ("--reuid=12345", "--regid=12345", "--clear-groups", *NO_RIGHTS)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize("who", [NO_RIGHTS, ANOTHER_USER], ids=["no rights", "another user"])
def test_the_barest_surroundings_change_no_mask(
    job: Job,
    expected: dict[str, bytes],
    in_own_mounts: Callable[..., tuple[str, ...]],
    who: tuple[str, ...],
) -> None:
    """Only the output folder can be written, not even /tmp."""
    reach = [*("setpriv", *who), *("test", "-x", sys.executable, "-a", "-r", str(job.bundle))]
    if subprocess.run(reach, check=False).returncode:
        pytest.skip("another user cannot reach the interpreter or the temporary folder here")
    job.outputs.mkdir()
    job.outputs.chmod(0o777)
    script = (
        f'mount --bind "{job.outputs}" "{job.outputs}"\n'
        "mount -t tmpfs -o size=64m tmpfs /dev/shm\n"
        "mount -o remount,ro,bind /\n"
        "if touch /tmp/x 2>/dev/null; then exit 99; fi\n"
        f'set -- env -i OMP_NUM_THREADS=1 setpriv {" ".join(who)} "$@"'
    )
    status, messages = dataclasses.replace(job, prefix=in_own_mounts(script, "-n")).run()
    assert status == 0, messages
    assert job.masks() == expected
