"""Who gets in over the real gateway and the real authorizer, and what the others read."""

import httpx
import pytest

from tests.e2e.conftest import Running

WRONG = "Bearer a-wrong-key-of-some-length"
# Every kind of header at one route, and every function at one header: all routes have the same authorizer.
ASKED = [
    *(("/ping", header) for header in (None, "Bearer", WRONG, "Basic dXNlcjpwdw==")),
    *((path, WRONG) for path in ("/jobs", "/endpoints", "/checkpoints", "/images", "/keys", "/dead-letters")),
]


@pytest.mark.parametrize(("path", "header"), ASKED)
def test_no_key_and_a_wrong_key_are_told_so_as_a_problem(darkroom: Running, path: str, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    method = "POST" if path == "/images" else "GET"
    answer = httpx.request(method, darkroom.stack.api + path, headers=headers, timeout=30)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == 401
    assert problem["code"] == "unauthenticated"
    assert problem["request_id"]


def test_the_first_admin_key_is_in_a_file_only_its_owner_reads(darkroom: Running) -> None:
    assert darkroom.home.key_file.stat().st_mode & 0o777 == 0o600
    assert darkroom.client.request("GET", "/ping")["stage"] == "local"


def test_what_is_not_there_and_what_is_not_possible_are_problems(darkroom: Running) -> None:
    headers = {"Authorization": f"Bearer {darkroom.key}"}
    for method, path, status, code in [
        ("GET", "/nothing", 404, "route_not_found"),
        ("GET", "/jobs/nothing", 404, "job_not_found"),
        ("PUT", "/jobs", 405, "method_not_allowed"),
        ("PUT", "/endpoints", 405, "method_not_allowed"),
        ("GET", "/jobs?limit=0", 400, "invalid_request"),
    ]:
        answer = httpx.request(method, darkroom.stack.api + path, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["Content-Type"].startswith("application/problem+json")
