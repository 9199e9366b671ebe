"""The page in a real browser, against a running server."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from examples.volumes import ct_torso
from serve.clients.python_client import Client
from serve.settings import Settings
from tests.serve.conftest import BRIGHT, FakeSegmenter, running

STATIC = Path(__file__).resolve().parents[2] / "serve" / "static"
NIIVUE = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
TOKEN = "a-long-enough-token"
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with WebGL in software."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium), which is not here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, canvas, a")]
  .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))
  .map((e) => e.outerHTML)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic CT as NIfTI, every other voxel of it."""
    example = ct_torso(np.random.default_rng(0))
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(example.image[::2, ::2, ::2]))
    image.SetSpacing(tuple(2 * value for value in example.spacing))
    folder = tmp_path_factory.mktemp("cases")
    SimpleITK.WriteImage(image, str(folder / "torso.nii.gz"))
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A running server."""
    with running(Settings(folder=folder, known={"CT": ["bright", "grey"]})) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The opened page; it may speak to its server only and report no error."""
    with browser.new_context(viewport={"width": 1000, "height": 640}) as context:
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: faults.extend(_elsewhere(r.url, address)))
        page.goto(address)
        yield page
        assert faults == []


def _elsewhere(url: str, address: str) -> list[str]:
    return [] if url.startswith((address, "data:", "blob:")) else [f"request to {url[:200]}"]


def upload(page: Page, folder: Path) -> None:
    """Open the case through the file field."""
    page.set_input_files("#file", folder / "torso.nii.gz")
    expect(page.locator("#fact-name")).to_have_text("torso.nii.gz")
    expect(page.locator("#segment")).to_be_enabled()


def ask(page: Page, *prompts: str) -> None:
    """Type prompts and start."""
    page.fill("#prompts", "\n".join(prompts))
    page.click("#segment")


def place(page: Page, side: str) -> int:
    """Millimetres towards a side of the patient, from the line below the viewer."""
    words = page.inner_text("#place")
    found = re.search(rf"{side} (\d+)", words)
    assert found, words
    return int(found.group(1))


def colours(page: Page) -> int:
    """Number of coloured pixels in the viewer."""
    page.wait_for_timeout(200)
    shot = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB")
    pixels = np.asarray(shot, np.int16)
    return int(np.count_nonzero(np.ptp(pixels, axis=2) > 100))


def test_from_a_file_to_a_downloaded_mask(page: Page, folder: Path, tmp_path: Path) -> None:
    expect(page.locator(".notice")).to_contain_text("Not a diagnostic device")
    upload(page, folder)
    expect(page.locator("#fact-text")).to_contain_text(re.compile("72 . 64 . 36 voxels"))
    page.press("#canvas", "ArrowLeft")
    before = place(page, "L")
    page.press("#canvas", "ArrowLeft")
    assert place(page, "L") == before - 5  # the patient's right is on the left
    ask(page, "bright", "unicorn")
    classes = page.locator("#classes li")
    expect(classes).to_have_count(2)
    expect(classes.nth(0)).to_contain_text("ml")
    expect(classes.nth(1)).to_contain_text("not found")
    expect(classes.nth(1).locator("input")).to_be_disabled()

    assert page.evaluate(NAMELESS) == []

    shown = colours(page)
    box = classes.nth(0).locator("input")
    box.uncheck()
    hidden = colours(page)
    box.check()
    assert hidden < shown / 2
    assert colours(page) == shown

    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "mask.nii.gz")
    job = page.get_attribute("#download", "href")
    answer = page.request.get(f"{page.url.rstrip('/')}{job}")
    assert answer.body() == (tmp_path / "mask.nii.gz").read_bytes()
    given = SimpleITK.ReadImage(str(folder / "torso.nii.gz"))
    mask = SimpleITK.ReadImage(str(tmp_path / "mask.nii.gz"))
    array = SimpleITK.GetArrayFromImage
    np.testing.assert_array_equal(array(mask), array(given) >= BRIGHT["bright"])
    assert mask.GetSpacing() == given.GetSpacing()


def test_prompts_are_added_and_the_image_removed(page: Page) -> None:
    page.select_option("#case", "torso.nii.gz")
    page.click("#open-case")
    expect(page.locator("#segment")).to_be_enabled()
    ask(page, "bright")
    expect(page.locator("#classes li")).to_have_count(1)
    page.click("#known summary")
    page.click("#known-list >> text=grey")
    expect(page.locator("#prompts")).to_have_value("grey in CT")
    ask(page, "grey")
    expect(page.locator("#classes li")).to_have_count(2)
    expect(page.locator("#details")).to_contain_text("not again")
    image = page.get_attribute("#facts", "data-image")
    page.click("#remove")
    expect(page.locator("#message")).to_have_text("Removed, with its masks.")
    expect(page.locator("#empty")).to_be_visible()
    assert page.request.get(f"{page.url}api/images/{image}").status == 404


def test_a_closed_page_leaves_no_image(page: Page, folder: Path, address: str) -> None:
    upload(page, folder)
    image = page.get_attribute("#facts", "data-image")
    page.goto("about:blank")
    end = time.monotonic() + 5
    client = Client(address)
    while image in [kept["id"] for kept in client.images()]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_jobs_are_cancelled_and_refusals_shown(page: Page, folder: Path) -> None:
    upload(page, folder)
    ask(page, "slow")
    expect(page.locator("#stage")).to_have_text("segmenting")
    page.click("#cancel")
    expect(page.locator("#message")).to_have_text("Cancelled.")
    expect(page.locator("#working")).to_be_hidden()
    ask(page, "refused")
    expect(page.locator("#message")).to_contain_text("expected a structure")
    expect(page.locator("#prompts")).to_have_value("refused")


def test_without_webgl_masks_can_be_made(page: Page, folder: Path) -> None:
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.reload()
    upload(page, folder)
    expect(page.locator("#message")).to_contain_text("no WebGL 2")
    ask(page, "bright")
    expect(page.locator("#classes li")).to_have_count(1)
    page.click("[data-view=axial]")
    expect(page.locator("#download")).to_be_visible()


@pytest.mark.parametrize("by_address", [True, False])
def test_signing_in(browser: Browser, by_address: bool) -> None:
    with running(Settings(token=TOKEN), FakeSegmenter()) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/#token={TOKEN}" if by_address else url)
        if not by_address:
            page.fill("#token", "a-wrong-but-long-token")
            page.click("#sign-in button")
            expect(page.locator("#sign-in-error")).to_contain_text("token: expected")
            page.fill("#token", TOKEN)
            page.click("#sign-in button")
        expect(page.locator("#sign-in")).to_be_hidden()
        expect(page.locator("#file")).to_have_attribute("accept", re.compile("nii.gz"))
        assert TOKEN not in page.url


def test_the_viewer_is_the_published_file() -> None:
    content = (STATIC / "niivue.umd.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == NIIVUE
