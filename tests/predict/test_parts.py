from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predict.errors import UsageError
from predict.parts import Part, deal, file_sizes, listing_digest, take_share

folders = st.dictionaries(
    st.text(st.characters(exclude_characters="/\0"), min_size=1).map(Path),
    st.integers(0, 2**40),
    max_size=60,
)
counts = st.integers(1, 40)


@settings(deadline=None)
@given(folders, counts)
def test_parts_are_disjoint_and_complete(sizes: dict[Path, int], count: int) -> None:
    parts = deal(sizes, count)
    assert len(parts) == count
    dealt = [path for part in parts for path in part]
    assert len(dealt) == len(set(dealt))
    assert set(dealt) == set(sizes)
    assert all(part == sorted(part) for part in parts)


@settings(deadline=None)
@given(folders, counts, st.randoms())
def test_the_order_of_the_listing_does_not_matter(
    sizes: dict[Path, int], count: int, chance: random.Random
) -> None:
    shuffled = list(sizes.items())
    chance.shuffle(shuffled)
    assert deal(dict(shuffled), count) == deal(sizes, count)
    assert listing_digest(dict(shuffled)) == listing_digest(sizes)


@settings(deadline=None)
@given(folders, counts)
def test_no_part_exceeds_another_by_more_than_its_smallest_file(
    sizes: dict[Path, int], count: int
) -> None:
    held = [sum(sizes[path] for path in part) for part in deal(sizes, count)]
    for part, total in zip(deal(sizes, count), held, strict=True):
        assert not part or total - min(sizes[path] for path in part) <= min(held)


def test_largest_first() -> None:
    sizes = {Path(name): size for name, size in [("a", 1), ("b", 2), ("c", 3), ("d", 4)]}
    assert deal(sizes, 2) == [[Path("a"), Path("d")], [Path("b"), Path("c")]]


def test_files_of_one_size_are_dealt_evenly() -> None:
    parts = deal({Path(f"{i:02}"): 0 for i in range(10)}, 4)
    assert [len(part) for part in parts] == [3, 3, 2, 2]


def test_another_listing_has_another_digest() -> None:
    one = listing_digest({Path("x/a"): 1, Path("x/b"): 2})
    assert one == listing_digest({Path("y/b"): 2, Path("y/a"): 1})
    assert one != listing_digest({Path("x/a"): 1, Path("x/b"): 3})
    assert one != listing_digest({Path("x/a"): 1})


def test_sizes_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    assert file_sizes([tmp_path / "a", tmp_path / "absent"]) == {
        tmp_path / "a": 4,
        tmp_path / "absent": 0,
    }


def test_a_part_has_a_report_of_its_own() -> None:
    part = Part.parse("3/8")
    assert (part.number, part.count, str(part)) == (3, 8, "3/8")
    assert part.report_name == "report.part-003-of-008.json"


@pytest.mark.parametrize(
    "text",
    ["", "3", "0/8", "9/8", "-1/8", "1/0", "a/b", "1/8/2", "1.0/8", "1 /8", "1/100000", "१/८"],
)
def test_other_parts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"--part: expected I/N.*received") as caught:
        Part.parse(text)
    assert "\n" not in str(caught.value)


def test_a_share_is_everything_unless_a_part_is_asked_for(tmp_path: Path) -> None:
    sources = [tmp_path / "a", tmp_path / "b"]
    for path, size in zip(sources, (1, 2), strict=True):
        path.write_bytes(bytes(size))
    assert take_share(sources, None) == (sources, "report.json", {})
    facts = {"part": "1/2", "listing_sha256": listing_digest({sources[0]: 1, sources[1]: 2})}
    assert take_share(sources, "1/2") == ([sources[1]], "report.part-001-of-002.json", facts)
