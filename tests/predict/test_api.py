from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import predict
from predict.api import MOST_ENCODED, Segmenter
from predict.bundle import load_bundle
from predict.errors import CaseError, UsageError
from predict.labels import fuse_labels
from predict.predictor import ImagePredictor, choose_device
from predict.volumes import Volume

RNG = np.random.default_rng(0)
HOUNSFIELD = RNG.integers(-1000, 1200, (12, 20, 16)).astype(np.int16)
CT = Volume(array=HOUNSFIELD, spacing=(1.0, 2.0, 3.0), modality="CT")


@pytest.fixture(scope="module")
def loaded(tiny_bundle: Path) -> Segmenter:
    return Segmenter.load(tiny_bundle, device="cpu")


@pytest.fixture
def segmenter(loaded: Segmenter) -> Segmenter:
    return loaded.share()


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The images that are encoded from now on."""
    seen: list[np.ndarray] = []
    encode = ImagePredictor.set_image

    def spy(self: ImagePredictor, image: np.ndarray) -> None:
        seen.append(image)
        encode(self, image)

    monkeypatch.setattr(ImagePredictor, "set_image", spy)
    return seen


def test_it_is_what_the_package_offers() -> None:
    assert predict.Segmenter is Segmenter
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = predict.Nothing


def test_labels_are_those_of_the_network(segmenter: Segmenter, tiny_bundle: Path) -> None:
    image = RNG.integers(0, 256, (12, 20, 16), np.uint8)
    segmenter.set_image(image, spacing=(1, 2, 3))
    result = segmenter.predict(["liver", "spleen"])
    plain = ImagePredictor(load_bundle(tiny_bundle), choose_device("cpu"))
    plain.set_image(image)
    expected = fuse_labels(plain.predict(["liver", "spleen"]).views, (12, 20, 16))
    np.testing.assert_array_equal(result.labels, expected)
    for prompt in result.prompts:
        assert prompt.voxels == np.count_nonzero(expected == prompt.class_id)
        assert prompt.volume_mm3 == pytest.approx(6 * prompt.voxels)
        assert prompt.probability is None
        assert prompt.presence is None


def test_a_prompt_with_its_own_window_gets_it(
    segmenter: Segmenter, encodings: list[np.ndarray]
) -> None:
    segmenter.set_image(CT)
    assert encodings == []
    result = segmenter.predict(["liver", "left lung", "spleen"])
    assert [p.window for p in result.prompts] == ["soft tissue", "lung", "soft tissue"]
    assert len(encodings) == 2
    assert [p.window for p in segmenter.predict("liver", window="bone").prompts] == ["bone"]
    assert len(encodings) == 3


def test_more_prompts_need_no_further_encoding(
    segmenter: Segmenter, encodings: list[np.ndarray]
) -> None:
    segmenter.set_image(CT)
    first = segmenter.predict(["liver"])
    second = segmenter.predict(["liver", "spleen"])
    assert len(encodings) == 1
    assert {"read", "prepare", "encode_image"} <= set(first.seconds)
    assert not {"read", "prepare", "encode_image", "resize"} & set(second.seconds)
    segmenter.set_image(CT)
    segmenter.predict(["liver"])
    assert len(encodings) == 2


def test_encodings_are_kept_for_some_windows_only(
    segmenter: Segmenter, encodings: list[np.ndarray]
) -> None:
    segmenter.set_image(CT)
    for width in (*range(100, 100 + MOST_ENCODED + 1), 100):
        segmenter.predict("liver", window=f"{width},0")
    assert len(encodings) == MOST_ENCODED + 2


def test_probabilities_agree_with_the_mask(segmenter: Segmenter) -> None:
    flipped = replace(CT, direction=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    segmenter.set_image(flipped)
    result = segmenter.predict("liver", probabilities=True)
    (prompt,) = result.prompts
    assert prompt.probability is not None
    assert prompt.probability.dtype == np.float16
    likely = prompt.probability.astype(float)
    assert likely[result.labels == 1].min(initial=1) >= 0.5
    assert likely[result.labels == 0].max(initial=0) <= 0.5
    assert 0 <= likely.min() < likely.max() <= 1


def test_the_mask_comes_back_in_the_order_of_the_file(segmenter: Segmenter) -> None:
    segmenter.set_image(CT)
    expected = segmenter.predict(["liver", "spleen"]).labels
    stored = np.ascontiguousarray(HOUNSFIELD.transpose(2, 0, 1)[:, ::-1])
    # Array axes: x, z (towards the feet), y; grid axes (x, y, z) are these backwards.
    direction = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    segmenter.set_image(Volume(array=stored, spacing=(2.0, 3.0, 1.0), direction=direction,
                               modality="CT"))  # fmt: skip
    labels = segmenter.predict(["liver", "spleen"]).labels
    np.testing.assert_array_equal(labels, expected.transpose(2, 0, 1)[:, ::-1])


def test_files_are_read_and_masks_written_like_them(segmenter: Segmenter, tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(HOUNSFIELD)
    image.SetSpacing((1, 2, 3))
    image.SetOrigin((-7, 8, 9))
    SimpleITK.WriteImage(image, str(tmp_path / "scan.nii.gz"))
    volume = segmenter.set_image(tmp_path / "scan.nii.gz", modality="CT")
    assert segmenter.volume is volume
    assert volume.modality == "CT"
    mask, sidecar = segmenter.predict("liver").save(tmp_path / "mask.nii.gz")
    written = SimpleITK.ReadImage(str(mask))
    assert written.GetSize() == (16, 20, 12)
    assert written.GetSpacing() == (1, 2, 3)
    np.testing.assert_allclose(written.GetOrigin(), (-7, 8, 9))
    assert '"liver"' in sidecar.read_text()


def test_instances_are_numbered(segmenter: Segmenter) -> None:
    segmenter.set_image(CT)
    semantic = segmenter.predict("liver")
    result = segmenter.predict("liver", instances=True)
    assert result.instances is not None
    assert result.labels.dtype == np.int32
    assert result.labels.max() == result.instances
    np.testing.assert_array_equal(result.labels > 0, semantic.labels == 1)
    with pytest.raises(UsageError, match="instances: expected one prompt, received 2"):
        segmenter.predict(["liver", "spleen"], instances=True)


def test_progress_is_told_and_can_stop(segmenter: Segmenter, encodings: list[np.ndarray]) -> None:
    segmenter.set_image(CT)
    told: list[str] = []
    segmenter.predict(["liver", "left lung"], progress=told.append)
    assert told == [
        "encoding the image, soft tissue",
        "looking for 1 prompts, soft tissue",
        "encoding the image, lung",
        "looking for 1 prompts, lung",
        "drawing the mask",
    ]

    def stop(_: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        segmenter.predict("liver", progress=stop)
    segmenter.predict("liver")
    assert len(encodings) == 2


def test_threads_with_a_share_each_get_their_own_answers(loaded: Segmenter) -> None:
    volumes = [replace(CT, array=np.roll(HOUNSFIELD, n, axis=1)) for n in range(3)]
    alone = []
    for volume in volumes:
        one = loaded.share()
        one.set_image(volume)
        alone.append(one.predict("liver").labels)
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        mine = loaded.share()
        mine.set_image(volumes[number])
        found[number] = mine.predict("liver").labels

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, labels in enumerate(alone):
        np.testing.assert_array_equal(found[number], labels)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.predict("liver"), UsageError, "call set_image first"),
        (lambda s: s.set_image(np.zeros((2, 2))), CaseError, r"three axes .* shape \(2, 2\)"),
        (lambda s: s.set_image(HOUNSFIELD, (1, 0, 1)), UsageError, "three positive numbers"),
        (lambda s: s.set_image(CT, (1, 1, 1)), UsageError, "Volume has its own"),
        (lambda s: s.set_image(CT, modality="X-ray"), UsageError, "received X-ray"),
        (lambda s: s.set_image("absent.nii"), UsageError, "absent.nii"),
    ],
)
def test_wrong_calls(
    segmenter: Segmenter,
    call: Callable[[Segmenter], object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        call(segmenter)


def test_unknown_windows_are_refused(segmenter: Segmenter) -> None:
    segmenter.set_image(CT)
    with pytest.raises(UsageError, match="window"):
        segmenter.predict("liver", window="fog")


def test_a_long_prompt_is_told(segmenter: Segmenter) -> None:
    segmenter.set_image(CT)
    (warning,) = segmenter.predict("liver " * 50).warnings
    assert warning.endswith("is too long: its end was not read")


def test_prompts_are_checked_where_the_bundle_knows_them(
    known_bundle: Path, segmenter: Segmenter
) -> None:
    assert segmenter.check("spleen in MRI") == ()
    assert segmenter.known_prompts is None
    knowing = Segmenter.load(known_bundle, device="cpu")
    assert knowing.known_prompts is not None
    assert knowing.check("liver in MRI") == ('"liver in MRI" is known in CT only, not in MR',)
    knowing.set_image(replace(CT, modality=None))  # Hounsfield units tell
    warnings = knowing.predict("liver in MRI").warnings
    assert warnings[0] == '"liver in MRI" speaks of MR, the image is CT'
