from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from train.corpus import CaseEntry
from train.holdout import split_subjects


def _entry(dataset: str, subject: str) -> CaseEntry:
    return CaseEntry(
        name=f"{dataset}_{subject}", dataset=dataset, modality="CT", subject=subject, classes=(1,)
    )


ENTRIES = st.lists(
    st.builds(_entry, st.sampled_from("ABCD"), st.sampled_from("mnopqrstuvw")), max_size=40
)


@given(entries=ENTRIES, fraction=st.floats(0, 0.5), seed=st.integers(0, 5))
def test_no_subject_is_on_both_sides_and_no_data_set_is_lost(
    entries: list[CaseEntry], fraction: float, seed: int
) -> None:
    split = split_subjects(entries, fraction, seed)
    assert sorted(split.training + split.held_out) == list(range(len(entries)))
    training = {entries[i].subject for i in split.training}
    assert not training & {entries[i].subject for i in split.held_out}
    assert {entries[i].dataset for i in split.training} == {e.dataset for e in entries}


def test_the_share_of_subjects_is_as_configured() -> None:
    entries = [_entry(d, f"{d}{n}") for d in "AB" for n in range(40)]
    split = split_subjects(entries, 0.1, 0)
    assert len(split.held_out) == 8
    assert [entries[i].dataset for i in split.held_out] == ["A"] * 4 + ["B"] * 4


def test_the_choice_does_not_depend_on_the_order() -> None:
    entries = [_entry("A", f"s{n}") for n in range(30)]
    names = {entries[i].name for i in split_subjects(entries, 0.2, 1).held_out}
    backwards = entries[::-1]
    assert {backwards[i].name for i in split_subjects(backwards, 0.2, 1).held_out} == names
    assert {entries[i].name for i in split_subjects(entries, 0.2, 2).held_out} != names


def test_nothing_is_held_out_where_nothing_is_asked_for() -> None:
    assert split_subjects([_entry("A", "m"), _entry("A", "n")], 0.0, 0).held_out == []
