from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from predict.errors import UsageError
from serve.app import create_app
from serve.security import COOKIE, check_token, is_loopback, same_token
from serve.settings import Settings
from tests.serve.conftest import FakeSegmenter

TOKEN = "a-long-enough-token"


@pytest.fixture
def local() -> Iterator[TestClient]:
    """A server on loopback, without a token."""
    app = create_app(FakeSegmenter(), Settings())
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture
def guarded() -> Iterator[TestClient]:
    """A server beyond loopback."""
    app = create_app(FakeSegmenter(), Settings(token=TOKEN, loopback=False))
    with TestClient(app, base_url="http://scanner.example:8080") as client:
        yield client


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:80"])
def test_loopback_answers_to_its_own_names(local: TestClient, host: str) -> None:
    assert local.get("/api/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[", "10.0.0.1"])
def test_loopback_refuses_other_names(local: TestClient, host: str) -> None:
    for path in ("/", "/api/about", "/static/main.js"):
        answer = local.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json()["error"].startswith("host: expected localhost")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:8080"}, 200),
        ({"Origin": "http://127.0.0.1:9090"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_other_sites_are_refused(local: TestClient, headers: dict[str, str], status: int) -> None:
    assert local.get("/api/about", headers=headers).status_code == status


def test_a_link_from_elsewhere_may_open_the_page(local: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert local.get("/", headers=headers).status_code == 200


def test_every_answer_carries_the_policy_and_no_cors(local: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/about", "/api/none", "/none"):
        headers = local.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert local.get("/api/about").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-but-long-enough"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": "\xff=\xff;;;"},
    ],
)
def test_without_the_token_only_the_page_is_served(
    guarded: TestClient, headers: dict[str, str]
) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/api/about", "/api/openapi.json", "/api/images", "/none"):
        answer = guarded.get(path, headers=raw)
        assert answer.status_code == 401
        assert answer.json() == {"error": "token: expected the one printed at the server's start"}
    assert guarded.get("/").status_code == 200
    assert guarded.get("/static/style.css").status_code == 200


def test_the_token_is_taken_as_bearer(guarded: TestClient) -> None:
    for kind in ("Bearer", "bearer"):
        answer = guarded.get("/api/about", headers={"Authorization": f"{kind} {TOKEN}"})
        assert answer.status_code == 200


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(guarded: TestClient) -> None:
    assert guarded.post("/api/login", json={"token": "wrong"}).status_code == 401
    answer = guarded.post("/api/login", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get("/api/about").status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("scanner.example", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "token", ["short", "with space in the middle", "ümlaut-is-long-enough", ""]
)
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="expected 16 or more"):
        check_token(token)


def test_tokens_are_compared() -> None:
    assert same_token("ä" * 16, "ä" * 16)
    assert not same_token("a" * 16, "a" * 17)
