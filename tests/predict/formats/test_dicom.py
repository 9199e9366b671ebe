from __future__ import annotations

import base64
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from predict.errors import CaseError, UsageError
from predict.formats import list_series, read_volume
from predict.orientation import to_canonical

Write = Callable[..., Path]
STRAIGHT = np.eye(3)


def test_an_oblique_series(tmp_path: Path, write_series: Write, image: Any, turn: Any) -> None:
    read = read_volume(write_series(tmp_path / "s", image, turn))
    np.testing.assert_array_equal(read.array, image)
    assert read.kind == "dicom"
    assert read.modality == "CT"
    assert read.spacing == pytest.approx((0.7, 0.9, 2.5))
    assert read.origin == (-100.25, 50.5, -30.0)
    np.testing.assert_allclose(read.direction, turn.ravel(), atol=1e-9)
    positions = [list(header.ImagePositionPatient) for header in read.extra["headers"]]
    assert positions[0] == [-100.25, 50.5, -30.0]
    assert len(positions) == 3


def test_pydicom_finds_the_same_pixels_slice_by_slice(
    tmp_path: Path, write_series: Write, image: Any, turn: Any
) -> None:
    read = read_volume(write_series(tmp_path / "s", image, turn))
    for plane, header in zip(read.array, read.extra["headers"], strict=True):
        dataset = pydicom.dcmread(header.filename)
        np.testing.assert_array_equal(dataset.pixel_array.astype(int) - 1024, plane)


def test_simpleitk_finds_the_same_pixels_and_geometry(
    tmp_path: Path, write_series: Write, image: Any, turn: Any
) -> None:
    folder = write_series(tmp_path / "s", image, turn)
    read = read_volume(folder)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    other = sitk.ReadImage(files)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other), read.array)
    np.testing.assert_allclose(other.GetSpacing(), read.spacing)
    np.testing.assert_allclose(other.GetOrigin(), read.origin)
    np.testing.assert_allclose(other.GetDirection(), read.direction, atol=1e-9)


def test_several_series_are_listed_and_one_is_chosen(
    tmp_path: Path, write_series: Write, image: Any
) -> None:
    folder = write_series(tmp_path / "study" / "a", image, STRAIGHT).parent
    write_series(
        folder / "b",
        image[:2] + 100,
        STRAIGHT,
        SeriesInstanceUID="1.2.3.5",
        SeriesDescription="late phase",
        Modality="MR",
    )
    (folder / "readme.txt").write_text("no image")
    listed = list_series(folder)
    assert [(s.uid, s.slices, s.modality) for s in listed] == [
        ("1.2.3.4", 3, "CT"),
        ("1.2.3.5", 2, "MR"),
    ]
    with pytest.raises(UsageError) as caught:
        read_volume(folder)
    for part in ("found 2", "1: 3 slices, CT, abdomen", "2: 2 slices, MR, late phase", "1.2.3.5"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    for choice in ("2", "1.2.3.5"):
        chosen = read_volume(folder, series=choice)
        np.testing.assert_array_equal(chosen.array, image[:2] + 100)
        assert chosen.modality == "MR"
    for wrong in ("3", "0", "9.9"):
        with pytest.raises(UsageError, match=f"no series '{wrong}': choose one of 1: 3 slices"):
            read_volume(folder, series=wrong)


def test_a_scout_of_the_same_series_is_a_stack_of_its_own(
    tmp_path: Path, write_series: Write, image: Any
) -> None:
    write_series(tmp_path / "s", image, STRAIGHT)
    write_series(tmp_path / "s", image[:1], STRAIGHT[[1, 2, 0]], prefix="scout")
    assert [series.slices for series in list_series(tmp_path / "s")] == [3, 1]
    np.testing.assert_array_equal(read_volume(tmp_path / "s", series="1").array, image)
    with pytest.raises(UsageError, match="several stacks: choose by number"):
        read_volume(tmp_path / "s", series="1.2.3.4")


def test_a_file_that_is_there_twice_counts_once(
    tmp_path: Path, write_series: Write, image: Any
) -> None:
    folder = write_series(tmp_path / "s", image, STRAIGHT)
    first = next(folder.iterdir())
    (folder / "copy.dcm").write_bytes(first.read_bytes())
    np.testing.assert_array_equal(read_volume(folder).array, image)


def test_one_file_of_many_frames(
    tmp_path: Path, write_enhanced: Write, image: Any, turn: Any
) -> None:
    """The frames are stored from the last slice to the first."""
    read = read_volume(write_enhanced(tmp_path / "e.dcm", image, turn))
    np.testing.assert_array_equal(read.array, image)
    assert read.spacing == pytest.approx((0.7, 0.9, 2.5))
    np.testing.assert_allclose(read.direction, turn.ravel(), atol=1e-9)
    assert read.extra["frames"] == (2, 1, 0)


def test_frames_without_a_place_are_refused(
    tmp_path: Path, write_enhanced: Write, image: Any
) -> None:
    """As in a film of an ultrasound."""
    path = write_enhanced(tmp_path / "e.dcm", image, STRAIGHT)
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(path)
    with pytest.raises(CaseError, match="a place for each of 3 frames, received none"):
        read_volume(path)


def test_a_size_that_no_memory_holds_is_refused_before_it_is_allocated(
    tmp_path: Path, write_series: Write, image: Any
) -> None:
    folder = write_series(tmp_path / "s", image, STRAIGHT, Rows=65535, Columns=65535)
    with pytest.raises(CaseError, match=r"at most \d+ are accepted"):
        read_volume(folder)


def test_one_slice_alone(tmp_path: Path, write_series: Write, image: Any) -> None:
    folder = write_series(tmp_path / "s", image, STRAIGHT)
    read = read_volume(sorted(folder.iterdir())[0])
    assert read.array.shape == (1, 4, 5)
    assert read.spacing[2] == 2.5


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1], ids=lambda s: s.name
)
def test_compressed_slices(tmp_path: Path, write_series: Write, syntax: Any) -> None:
    image = np.random.default_rng(0).integers(-1000, 2000, (3, 16, 20)).astype(np.int16)
    folder = write_series(tmp_path / "s", image, STRAIGHT)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        if syntax in (RLELossless, JPEGLSLossless):
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            compress_by_itk(dataset, tmp_path / "itk.dcm", syntax)
        dataset.save_as(path)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read_volume(folder).array, image)


def compress_by_itk(dataset: pydicom.FileDataset, scratch: Path, syntax: Any) -> None:
    """For what pydicom has no encoder of its own."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(scratch))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG2000" if syntax == JPEG2000Lossless else "JPEG")
    writer.Execute(sitk.GetImageFromArray(dataset.pixel_array[None]))
    packed = pydicom.dcmread(scratch)
    dataset.PixelData = packed.PixelData
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID


def test_a_syntax_that_cannot_be_decoded_is_named(
    tmp_path: Path, write_series: Write, image: Any
) -> None:
    folder = write_series(tmp_path / "s", image, STRAIGHT)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PixelData = pydicom.encaps.encapsulate([b"not a film"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
        dataset.save_as(path)
    with pytest.raises(
        CaseError, match=r"^s: transfer syntax MPEG-4 AVC/H\.264.*decoded"
    ) as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"skip": (1,)}, r"2\.5 mm apart, received 5 mm"),
        ({"tilt": 12.0}, r"tilt of 12\.0 degrees"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "one grey value"),
        ({"ImagePositionPatient": None}, "3 numbers as ImagePositionPatient, received None"),
        ({"PixelSpacing": None}, "2 numbers as PixelSpacing, received None"),
    ],
)
def test_what_is_no_regular_stack_is_refused(
    tmp_path: Path, write_series: Write, options: Any, words: str
) -> None:
    image = np.zeros((5, 4, 3), np.int16)
    folder = write_series(tmp_path / "s", image, STRAIGHT, **options)
    with pytest.raises(CaseError, match=words) as caught:
        read_volume(folder)
    assert str(caught.value).startswith("s: expected")


def test_time_points_are_refused(tmp_path: Path, write_series: Write, image: Any) -> None:
    write_series(tmp_path / "s", image, STRAIGHT)
    write_series(tmp_path / "s", image + 1, STRAIGHT, prefix="late")
    with pytest.raises(CaseError, match="received 6 slices at 3 places"):
        read_volume(tmp_path / "s")


def test_each_slice_may_have_its_own_slope(tmp_path: Path, write_series: Write, image: Any) -> None:
    """As in PET."""
    folder = write_series(tmp_path / "s", image, STRAIGHT, Modality="PT")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope = 0.5 * dataset.InstanceNumber
        dataset.save_as(path)
    read = read_volume(folder)
    stored = image.astype(float) + 1024
    expected = stored * np.array([0.5, 1, 1.5])[:, None, None] - 1024
    np.testing.assert_allclose(read.array, expected)
    assert read.array.dtype == np.float32
    assert read.modality == "PET"


def test_a_zip_of_a_folder(tmp_path: Path, write_series: Write, image: Any, turn: Any) -> None:
    folder = write_series(tmp_path / "s", image, turn)
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"study/{path.name}")
        archive.writestr("__MACOSX/study/._a.dcm", b"junk")
        archive.writestr("study/notes.txt", b"junk")
    read = read_volume(tmp_path / "s.zip")
    np.testing.assert_array_equal(read.array, image)
    assert [series.slices for series in list_series(tmp_path / "s.zip")] == [3]


def test_all_48_orders_through_files(
    tmp_path: Path,
    write_series: Write,
    store: Callable[..., Any],
    order: Any,
    turn: Any,
    image: Any,
) -> None:
    """Whatever plane was scanned, from either end."""
    stored = store(image, order, turn)
    folder = write_series(tmp_path / "s", stored.array, np.reshape(stored.direction, (3, 3)))
    view, inverse = to_canonical(read_volume(folder))
    np.testing.assert_array_equal(view, image)
    read = read_volume(folder)
    np.testing.assert_array_equal(inverse(view > 20), read.array > 20)


# A slice whose JPEG 2000 stream made GDCM throw through Python; found by fuzzing, packed.
ABORTED_GDCM = (
    "c-qBMO>fgc5Pf#6VujE+R4NF8SaB){mR%=K3=$~CiQ1r~4sj}klmo4j0|!!65E7@96Fo-az@Oj;aO{<zzyVQC`~|"
    "qwymdmwhs1#kYp>p$H?uQi?*RXIHCj=}CT_MJyd&DM5Z^J#W!c2d);VbD%dn!PR!W63kXlx_snVZgL?MePQw^k|="
    "22Vz?Ub=9@`kc;nqD>Y`c+B4ELTINDrG8K6SS&vvxFkofi#Y)jU^=Od8{>}j+iUUSZz9);*$TpQx|9d=+uQkW7UP"
    "P{HoS|;6kC_S%hXgtQ*#XK!?IbmzBZjhlmmzQQyTB-3_DM_S&(Ft?l8?<Iz}n{Bomv%-fC)D&{v>=Si@GE*gmgUj"
    "{<p6#H42^~3l@TJDeTXnR>rff8DY!KFF+%&-78;KLj>TKuL#W)FyB#oSq9?r{YUs}|6SH{xi$7k8RIy<X;Z=`9^I"
    "mF1LbAZv_(Wpt0ab<FIH70GfL16j{Ar><$`S9mI+WkZwo`A<v_hZ8TGrIhO^#i1D~gKw`=i_?3!oQ<G6-<U<3_49"
    "<zg8r@KFUie77cDF8p<pO%$AOg&kgxCU?@#%rLtKFs?T)sdjfP_Tg)oD4J$^D8-|aTn#PiYa(?>gFVJ=9eQ{=OhH"
    "RgEz>Fcz6;^qAZ;f43b&u<QJ^E@tws*p}j-g<R_QXSu{y-R0ulP~Fqqx56;BfbL?GOAV"
)


def test_a_damaged_jpeg_2000_does_not_end_the_process(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(zlib.decompress(base64.b85decode(ABORTED_GDCM)))
    with pytest.raises(CaseError, match=r"JPEG 2000 .* cannot be decoded"):
        read_volume(tmp_path / "a.dcm")
