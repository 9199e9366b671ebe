from __future__ import annotations

from pathlib import Path

import pytest

from serve.errors import RefusalError
from serve.images import ImageStore, KeptImage
from serve.limits import Limits


class Clock:
    """A time that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def add(store: ImageStore) -> KeptImage:
    """A new image with a file."""
    with store.arriving() as image:
        (image.folder / "file").touch()
    return image


@pytest.fixture
def clock() -> Clock:
    """See :class:`Clock`."""
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> ImageStore:
    """Two images for 60 seconds."""
    return ImageStore(tmp_path, Limits(images=2, idle_seconds=60), clock)


def test_images_are_kept_in_folders_of_their_own(store: ImageStore) -> None:
    a, b = add(store), add(store)
    assert store.all() == [a, b]
    assert store.get(a.id) is a
    assert a.folder != b.folder
    assert a.folder.stat().st_mode & 0o777 == 0o700


def test_a_failed_arrival_leaves_nothing(store: ImageStore, tmp_path: Path) -> None:
    def fail() -> None:
        with store.arriving() as image:
            (image.folder / "file").touch()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert store.all() == []
    assert list(tmp_path.iterdir()) == []
    add(store), add(store)


def test_the_image_unused_for_longest_makes_room(store: ImageStore, clock: Clock) -> None:
    a, b = add(store), add(store)
    clock.now += 1
    store.get(a.id)
    c = add(store)
    assert store.all() == [a, c]
    assert not b.folder.exists()


def test_images_with_jobs_and_arrivals_hold_their_places(store: ImageStore) -> None:
    a = add(store)
    store.hold(a, +1)
    with store.arriving(), pytest.raises(RefusalError, match="places are in use") as refusal:
        add(store)
    assert refusal.value.status == 429
    store.hold(a, -1)
    with store.arriving():
        add(store)


def test_unused_images_expire_and_held_ones_do_not(store: ImageStore, clock: Clock) -> None:
    a, b = add(store), add(store)
    store.hold(b, +1)
    clock.now += 59
    store.expire()
    assert store.all() == [a, b]
    assert store.expires_in(a) == 1
    clock.now += 1
    store.expire()
    assert store.all() == [b]
    assert not a.folder.exists()


def test_removal_tells_and_cleans(store: ImageStore) -> None:
    told: list[str] = []
    store.on_removed = told.append
    a = add(store)
    store.remove(a.id)
    assert told == [a.id]
    assert not a.folder.exists()
    for call in (store.get, store.remove):
        with pytest.raises(RefusalError, match="not here"):
            call(a.id)


def test_what_a_late_job_writes_is_swept(store: ImageStore) -> None:
    a = add(store)
    store.sweep(a)
    assert a.folder.exists()
    store.remove(a.id)
    a.folder.mkdir()
    store.sweep(a)
    assert not a.folder.exists()
