"""Keys over the real gateway and the real authorizer: made, used, withdrawn, refused within a minute."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from darkroom_client import Darkroom
from tests.e2e.conftest import COMMAND, Running, txt2img
from tests.support.waiting import eventually

ROLES = ("viewer", "artist", "admin")


def ask(darkroom: Running, secret: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.request(method, darkroom.stack.api + path, headers=headers, timeout=30, **more)


def make(darkroom: Running, name: str, role: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = darkroom.client.request("POST", "/keys", json={"name": name, "role": role, **more})
    return made


def command(darkroom: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DARKROOM_URL": darkroom.stack.api, "DARKROOM_KEY": darkroom.key}
    return subprocess.run(  # noqa: S603 - the command is our own
        [str(COMMAND), "keys", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def forgetful(darkroom: Running) -> Iterator[Running]:
    """The stack with a gateway that remembers for two seconds whom it let in; tests/infra holds what AWS is told."""
    gateway, api = darkroom.aws("apigateway"), darkroom.stack.outputs["ApiId"]
    [authorizer] = gateway.get_authorizers(restApiId=api)["items"]

    def remember(seconds: int) -> None:
        change = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": str(seconds)}
        gateway.update_authorizer(restApiId=api, authorizerId=authorizer["id"], patchOperations=[change])

    remember(2)
    yield darkroom
    remember(authorizer["authorizerResultTtlInSeconds"])


def test_a_key_of_each_role_does_what_its_role_may_until_it_is_withdrawn(forgetful: Running) -> None:
    darkroom = forgetful
    keys = {role: make(darkroom, f"e2e-{role}", role) for role in ROLES}
    secrets = {role: key["secret"] for role, key in keys.items()}
    body = txt2img(width=64, height=64)
    made = {role: ask(darkroom, secrets[role], "POST", "/jobs", json=body) for role in ROLES}
    assert {role: answer.status_code for role, answer in made.items()} == {"viewer": 403, "artist": 201, "admin": 201}
    refused = made["viewer"]
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert refused.json()["code"] == "not_permitted"
    assert made["artist"].json()["owner"] == "e2e-artist"
    theirs, own = made["admin"].json()["id"], made["artist"].json()["id"]
    for role, seen in (("viewer", 200), ("artist", 404), ("admin", 200)):
        assert ask(darkroom, secrets[role], "GET", f"/jobs/{theirs}").status_code == seen
        assert ask(darkroom, secrets[role], "GET", f"/jobs/{own}").status_code == 200
        assert ask(darkroom, secrets[role], "GET", "/keys").status_code == (200 if role == "admin" else 403)
        unknown = ask(darkroom, secrets[role], "POST", "/nothing", json={})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "route_not_found")
    assert ask(darkroom, secrets["artist"], "DELETE", f"/jobs/{theirs}").json()["code"] == "job_not_found"
    with Darkroom(darkroom.stack.api, secrets["artist"]) as artist:
        assert {line["owner"] for line in artist.history()} == {"e2e-artist"}
        assert artist.request("GET", "/jobs/summary")["jobs"] == 1
    listed = {key["id"]: key for key in darkroom.client.request("GET", "/keys")["keys"]}
    for role in ROLES:
        assert listed[keys[role]["id"]]["last_used"].endswith(":00:00Z")
    for role in ROLES:
        darkroom.client.request("DELETE", f"/keys/{keys[role]['id']}")
    for role in ROLES:
        eventually(lambda: ask(darkroom, secrets[role], "GET", "/ping").status_code == 401, 60, every=0.5)  # noqa: B023


def test_a_key_over_its_own_limit_waits(darkroom: Running) -> None:
    secret = make(darkroom, "e2e-slow", "viewer", limits={"requests_per_minute": 4})["secret"]
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code != 429:
        answers.append(ask(darkroom, secret, "GET", "/ping" if len(answers) % 2 else "/endpoints"))
        # The count begins anew with each minute of the clock.
        assert len(answers) <= 2 * 4 + 1
    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_the_command_line_makes_lists_and_withdraws(darkroom: Running) -> None:
    made = command(darkroom, "create", "e2e-cli", "--role", "viewer", "--days", "1")
    assert made.returncode == 0, made.stderr
    [secret] = made.stdout.splitlines()
    assert ask(darkroom, secret, "GET", "/ping").status_code == 200
    [line] = [line for line in command(darkroom, "list").stdout.splitlines() if "e2e-cli" in line]
    assert secret not in line
    key_id = line.split("\t")[0]
    assert command(darkroom, "delete", key_id, "--yes").returncode == 0
    gone = command(darkroom, "delete", key_id, "--yes")
    assert (gone.returncode, "key_not_found" in gone.stderr) == (1, True)
