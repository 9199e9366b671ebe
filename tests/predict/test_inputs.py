from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from predict.errors import UsageError
from predict.inputs import find_images, output_folders, read_prompts

Touch = Callable[[str], Path]


@pytest.fixture
def touch(tmp_path: Path) -> Touch:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM" if path.suffix == ".dcm" else b"")
        return path

    return make


def test_a_folder_gives_its_images_without_our_masks(touch: Touch, tmp_path: Path) -> None:
    b, a, deep = touch("s/b.nii.gz"), touch("s/a.nrrd"), touch("s/more/c.mha")
    for other in ("s/a_mask.seg.nrrd", "s/b_mask.nii.gz", "s/notes.txt", "s/.hidden.nii"):
        touch(other)
    assert find_images([str(tmp_path / "s")]) == [a, b, deep]


def test_a_linked_file_is_read_and_a_linked_folder_is_not_entered(
    touch: Touch, tmp_path: Path
) -> None:
    image = touch("s/a.nii")
    for number in range(30):  # twice the folders at each level, without end
        (tmp_path / "s" / f"again{number}").symlink_to(tmp_path / "s")
    (tmp_path / "s" / "link.nii").symlink_to(touch("elsewhere/b.nii"))
    assert find_images([str(tmp_path / "s")]) == [image, tmp_path / "s" / "link.nii"]


def test_prompts_nested_without_end_are_a_wrong_call(tmp_path: Path) -> None:
    for number, text in enumerate(("[" * 100_000, '{"1":' * 100_000)):
        (tmp_path / f"{number}.json").write_text(text)
        with pytest.raises(UsageError, match="expected a"):
            read_prompts([], tmp_path / f"{number}.json")


def test_a_folder_of_slices_is_one_image(touch: Touch, tmp_path: Path) -> None:
    for name in ("study/1.dcm", "study/2.dcm", "study/3.dcm"):
        touch(name)
    assert find_images([str(tmp_path / "study")]) == [tmp_path / "study"]
    other = touch("b.nii")
    assert find_images([str(tmp_path)]) == [other, tmp_path / "study"]


def test_patterns_and_files_each_once_in_their_order(touch: Touch, tmp_path: Path) -> None:
    files = [touch(f"c{i}.nii.gz") for i in (1, 2, 3)]
    assert find_images([str(files[2]), str(tmp_path / "c*")]) == [files[2], *files[:2]]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("left kidney", 'if it is a prompt, type: -p "left kidney"'),
        ("absent.nii.gz", "absent.nii.gz: no such file or folder$"),
        ("absent/*.nii", "nothing fits this pattern"),
        (".", "expected images .* found none in this folder"),
    ],
)
def test_nothing_there_says_what_to_type(
    argument: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        find_images([argument])


def test_masks_go_to_one_folder_unless_names_collide(touch: Touch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    a, b = touch("p1/scan.nii.gz"), touch("p2/scan.nrrd")
    assert output_folders([a, touch("p2/other.nii")], out) == [out, out]
    assert output_folders([a, b], out) == [out / "p1", out / "p2"]
    with pytest.raises(UsageError, match="segment them with different -o"):
        output_folders([a, touch("p1/scan.nrrd")], out)


def test_prompts_of_the_command_line_follow_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# organs\nliver\n\n left kidney \n")
    assert read_prompts(["spleen"], file) == {1: "liver", 2: "left kidney", 3: "spleen"}
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"7": "liver"}))
    assert read_prompts(["spleen"], file) == {7: "liver", 8: "spleen"}
    file.write_text(json.dumps(["liver", "spleen"]))
    assert read_prompts([], file) == {1: "liver", 2: "spleen"}


def test_no_prompt_and_broken_files_say_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='-p "liver"'):
        read_prompts([], None)
    with pytest.raises(UsageError, match="expected a text file"):
        read_prompts([], tmp_path / "absent.txt")
    (tmp_path / "a.json").write_text('{"x": "liver"}')
    with pytest.raises(UsageError, match="class id -> prompt"):
        read_prompts([], tmp_path / "a.json")
