"""The scripts of docs/viewers.md against a running server, with stand-ins for the viewers."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK

from serve.settings import Settings
from tests.serve.conftest import running, write_scan

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running server."""
    with running(Settings()) as url:
        yield url


def script(number: int, address: str, prompts: str) -> str:
    """A script of the page, for this server and these prompts."""
    page = (ROOT / "docs" / "viewers.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[number]
    code = code.replace("http://127.0.0.1:8080", address)
    code = code.replace('"serve/clients"', repr(str(ROOT / "serve" / "clients")))
    changed, count = re.subn(r"\[\"[^\]]* in [^\]]*\]\)", f"{prompts})", code)
    assert count == 1
    return changed


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "python_client", raising=False)


@pytest.mark.usefixtures("_restored")
def test_slicer(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    volume = SimpleITK.ReadImage(str(write_scan(tmp_path / "scan.nii.gz")))

    def load(path: str) -> SimpleITK.Image:
        shutil.copy(path, tmp_path / "kept.nrrd")
        return SimpleITK.ReadImage(path)

    slicer: Any = ModuleType("slicer")
    slicer.mrmlScene = SimpleNamespace(GetFirstNodeByClass=lambda _: volume)
    slicer.util = SimpleNamespace(exportNode=SimpleITK.WriteImage, loadSegmentation=load)
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    names: dict[str, Any] = {}
    exec(script(0, address, '["bright", "unicorn"]'), names)
    mask = names["segmentation"]
    array = SimpleITK.GetArrayFromImage
    np.testing.assert_array_equal(array(mask), array(volume) >= 200)
    assert mask.GetOrigin() == pytest.approx(volume.GetOrigin())
    assert mask.GetDirection() == pytest.approx(volume.GetDirection())
    assert mask.GetMetaData("Segment0_Name") == "bright"


@pytest.mark.usefixtures("_restored")
def test_napari(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.zeros((3, 4, 5), np.uint8)
    data[1, 2] = 250
    image = type("Image", (), {"data": data, "scale": np.array([2.0, 0.5, 0.25])})()
    added: dict[str, Any] = {}

    def add_labels(mask: np.ndarray, **more: Any) -> np.ndarray:
        added.update(more)
        return mask

    napari: Any = ModuleType("napari")
    napari.layers = SimpleNamespace(Image=type(image))
    napari.current_viewer = lambda: SimpleNamespace(layers=[object(), image], add_labels=add_labels)
    monkeypatch.setitem(sys.modules, "napari", napari)
    names: dict[str, Any] = {}
    exec(script(1, address, '["bright", "unicorn"]'), names)
    np.testing.assert_array_equal(names["labels"], data == 250)
    assert added["features"] == {
        "index": [0, 1, 2],
        "structure": ["background", "bright", "unicorn (not found)"],
    }
