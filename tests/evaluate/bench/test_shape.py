from __future__ import annotations

from evaluate.bench.shape import Shape


def test_a_shape_reads_as_people_write_it() -> None:
    assert str(Shape(200, 512, 512)) == "200x512x512"
    assert Shape(1, 2, 3) == (1, 2, 3)
