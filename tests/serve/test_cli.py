from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from predict import serve_command
from predict.errors import UsageError
from serve.cli import address, choose_token, listen
from serve.clients.python_client import Client, ServerError
from tests.serve.conftest import write_scan

ROOT = Path(__file__).resolve().parents[2]


def test_beyond_loopback_there_is_always_a_token() -> None:
    fresh = {choose_token(None, loopback=False) for _ in range(3)}
    assert len(fresh) == 3
    assert all(token is not None and len(token) >= 32 for token in fresh)
    assert choose_token(None, loopback=True) is None
    assert choose_token("a-long-enough-token", loopback=True) == "a-long-enough-token"
    with pytest.raises(UsageError, match="16 or more"):
        choose_token("short", loopback=False)


@pytest.mark.parametrize(
    ("host", "token", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:80/"),
        ("::1", None, "http://[::1]:80/"),
        ("0.0.0.0", "t", f"http://{socket.gethostname()}:80/#token=t"),
    ],
)
def test_the_printed_address_opens_the_page(host: str, token: str | None, expected: str) -> None:
    assert address(host, 80, token) == expected


def test_a_taken_port_is_one_line() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(UsageError, match="cannot listen there"):
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError, match="cannot listen there"):
        listen("127.0.0.1", 99999)


def test_missing_requirements_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(serve_command, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install -r serve/requirements\.txt"):
        serve_command.serve(Namespace(max_upload_mb=1))


def test_from_the_command_line_to_a_mask(tiny_bundle: Path, tmp_path: Path) -> None:
    token = "a-long-enough-token"
    write_scan(tmp_path / "scan.nii.gz")
    command = [sys.executable, "-m", "predict", "serve", "--port", "0", "--device", "cpu"]
    command += ["--bundle", str(tiny_bundle), "--token", token]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().split()[1]
        assert url.endswith(f"/#token={token}")
        with pytest.raises(ServerError, match="token"):
            Client(url).about()
        client = Client(url, token)
        assert client.about()["network"]["device"] == "cpu"
        image = client.upload(tmp_path / "scan.nii.gz")
        job = client.segment(image, ["liver", "left kidney"])
        assert [found["text"] for found in job["classes"]] == ["liver", "left kidney"]
        assert job["reused"] is False
        assert client.segment(image, ["spleen"], add_to=job)["reused"] is True
        client.download_mask(job, tmp_path / "mask.nii.gz")
        server.send_signal(signal.SIGINT)
        end = time.monotonic() + 10
        while server.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert server.stderr.read() == ""
        assert server.returncode == 0
    assert list(temporary.iterdir()) == []
