from __future__ import annotations

from predict.colours import label_colour


def test_colours_of_neighbouring_labels_differ() -> None:
    assert len({label_colour(i) for i in range(1, 60)}) == 59
