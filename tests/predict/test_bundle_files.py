from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from predict.bundle_files import CONFIG, MANIFEST, TOKENIZER, WEIGHTS, verify_files
from predict.errors import BundleError

ROOT = Path(__file__).resolve().parents[2]


def test_contents_and_sizes_are_those_of_the_files(tiny_bundle: Path) -> None:
    files = verify_files(tiny_bundle)
    assert files.contents == {n: (tiny_bundle / n).read_bytes() for n in (CONFIG, TOKENIZER)}
    names = (WEIGHTS, CONFIG, TOKENIZER)
    assert files.sizes == {name: (tiny_bundle / name).stat().st_size for name in names}
    assert files.sha256 == hashlib.sha256((tiny_bundle / MANIFEST).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_an_empty_file_is_refused(name: str, tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / name).write_bytes(b"")
    with pytest.raises(BundleError, match=f"{name}: SHA-256 expected"):
        verify_files(tmp_path / "bundle")


def test_verifying_needs_no_torch(tiny_bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from predict.bundle_files import verify_files;"
        "verify_files(Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_bundle)], cwd=ROOT, check=True)
