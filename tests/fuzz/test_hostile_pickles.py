from __future__ import annotations

import pickle

import numpy as np
import pytest

from fuzz.guard import Guard, runs
from fuzz.hostile_pickles import CALLS, MARK, TRICKS, hostile_pickles
from predict.errors import CaseError
from predict.pickles import load_restricted

HOSTILE = hostile_pickles()


def test_there_are_many() -> None:
    assert len(CALLS) + len(TRICKS) > 100
    assert len(set(HOSTILE.values())) == len(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE)
def test_each_is_refused_in_one_line_and_nothing_is_done(guard: Guard, name: str) -> None:
    with pytest.raises(CaseError, match="pickled object: ") as caught:
        runs(guard, lambda: load_restricted(HOSTILE[name]))
    assert not guard.breaches
    assert "\n" not in str(caught.value)
    assert not MARK.exists()


def test_good_prompts_are_read_under_the_same_guard(guard: Guard) -> None:
    data = pickle.dumps(np.array({"1": "liver"}, dtype=object), protocol=4)
    assert runs(guard, lambda: load_restricted(data)) == {"1": "liver"}
