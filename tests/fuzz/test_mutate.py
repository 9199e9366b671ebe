from __future__ import annotations

import io
import zipfile

from fuzz.hostile_archives import good_npz
from fuzz.mutate import change_npz


def test_members_change_and_their_checksums_are_right() -> None:
    data, changed = good_npz(), 0
    for seed in range(40):
        result = change_npz(data, 4096, seed, lambda part, _room: part[:-1] + b"!")
        if result == data[:-1] + b"!":
            continue
        with zipfile.ZipFile(io.BytesIO(result)) as archive:
            assert archive.testzip() is None
            changed += any(archive.read(name).endswith(b"!") for name in archive.namelist())
    assert changed > 20


def test_what_is_no_archive_is_changed_as_it_lies() -> None:
    assert change_npz(b"noise", 4096, 1, lambda part, _room: part + b"!") == b"noise!"
