"""A deploy puts the files of an asset under a prefix: CloudFormation's requests, S3, and the answers."""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from darkroom import wiring
from darkroom.assets import replaced_before
from darkroom.aws.assets import content_type_of
from darkroom.edge import custom_resources
from functions.unpack_asset.handler import handler
from tests.support.aws import SETTINGS
from tests.support.http import Context
from tests.support.stage import Stage

ASSETS = "cdk-assets"
BUCKET = SETTINGS.models_bucket
FILES = {"boot.sh": b"exec python\n", "code/worker/server.py": b"import os\n", "wheels/a b-1.whl": bytes(9_000_000)}


class CloudFormation(HTTPServer):
    """Takes the answers of custom resources; the first `refuses` of them are refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: list[dict[str, Any]] = []
        self.types: list[str | None] = []
        self.refuses = 0


class Answers(BaseHTTPRequestHandler):
    server: CloudFormation

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.types.append(self.headers["Content-Type"])
        if self.server.refuses:
            self.server.refuses -= 1
            self.send_error(503)
            return
        self.server.answers.append(json.loads(content))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudFormation]:
    monkeypatch.setattr(custom_resources, "PAUSE_SECONDS", 0.0)
    server = CloudFormation()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(stage: Stage, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send a request as CloudFormation does; returns the answer."""
    monkeypatch.setattr(wiring, "stage", lambda: stage.services)
    stage.s3.create_bucket(Bucket=ASSETS)

    def send(kind: str, context: Any = None, **properties: Any) -> dict[str, Any]:
        event = {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{cloudformation.server_address[1]}/answer?Signature=secret",
            "StackId": "arn:aws:cloudformation:us-east-1:1:stack/darkroom/1",
            "RequestId": "r1",
            "ResourceType": "Custom::DarkroomUnpacked",
            "LogicalResourceId": "UnpackedWorker",
            "ResourceProperties": {"ServiceToken": "arn", "Bucket": BUCKET, "Root": "worker/", **properties},
            **({} if kind == "Create" else {"PhysicalResourceId": f"{BUCKET}/worker/"}),
        }
        handler(event, context or Context())
        return cloudformation.answers[-1]

    return send


def asset(stage: Stage, key: str, files: dict[str, bytes]) -> dict[str, str]:
    """Upload a zip as the CDK does; the properties that name it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("code")
        for name, bytes_ in files.items():
            archive.writestr(name, bytes_)
    stage.s3.put_object(Bucket=ASSETS, Key=key, Body=content.getvalue())
    return {"SourceBucket": ASSETS, "SourceKey": key}


def objects(stage: Stage) -> dict[str, bytes]:
    found = stage.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"]: stage.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found}


def test_a_deploy_puts_every_file_in_its_place(stage: Stage, ask: Any) -> None:
    answer = ask("Create", Prefix="0123/", **asset(stage, "a.zip", FILES))
    assert answer == {
        "StackId": "arn:aws:cloudformation:us-east-1:1:stack/darkroom/1",
        "RequestId": "r1",
        "LogicalResourceId": "UnpackedWorker",
        "Status": "SUCCESS",
        "PhysicalResourceId": f"{BUCKET}/worker/",
        "Data": {"Uri": f"s3://{BUCKET}/worker/0123/"},
    }
    assert objects(stage) == {f"worker/0123/{name}": content for name, content in FILES.items()}
    told = stage.s3.head_object(Bucket=BUCKET, Key="worker/0123/wheels/a b-1.whl")
    assert told["ContentType"] == "application/zip"


def test_the_next_release_leaves_the_one_before_where_it_is(stage: Stage, ask: Any) -> None:
    ask("Create", Prefix="0123/", **asset(stage, "a.zip", FILES))
    answer = ask("Update", Prefix="4567/", **asset(stage, "b.zip", {"boot.sh": b"new"}))
    # With another id CloudFormation would ask to delete the old one.
    assert answer["PhysicalResourceId"] == f"{BUCKET}/worker/"
    assert objects(stage).keys() == {f"worker/0123/{name}" for name in FILES} | {"worker/4567/boot.sh"}


PAGE = {"Root": "page/", "Last": "index.html", "KeptDays": "30"}
CACHING = [{"Under": "assets/", "Header": "public, immutable"}, {"Under": "", "Header": "no-cache"}]
"""As CloudFormation passes them on: numbers are text."""


def test_files_of_a_page_get_their_headers_and_the_one_that_names_them_comes_last(
    stage: Stage, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    client = stage.clients("s3")
    put = client.put_object

    def noted(**request: Any) -> Any:
        answer = put(**request)
        order.append(request["Key"])
        return answer

    monkeypatch.setattr(client, "put_object", noted)
    build = {"index.html": b"<!doctype html>", "assets/a-1.js": b"0", "assets/a-1.css": b"", "licences.txt": b"MIT"}
    answer = ask("Create", **PAGE, Caching=CACHING, **asset(stage, "a.zip", build))
    assert answer["Data"] == {"Uri": f"s3://{BUCKET}/page/"}
    assert len(order) == 4
    assert order[-1] == "page/index.html"

    def told(name: str) -> tuple[str, str]:
        head = stage.s3.head_object(Bucket=BUCKET, Key=f"page/{name}")
        return head["ContentType"], head["CacheControl"]

    assert told("index.html") == ("text/html", "no-cache")
    assert told("assets/a-1.js") == ("text/javascript", "public, immutable")
    assert told("assets/a-1.css") == ("text/css", "public, immutable")
    assert told("licences.txt") == ("text/plain", "no-cache")


def test_files_of_earlier_builds_go_a_while_after_they_were_replaced(stage: Stage, ask: Any) -> None:
    ask("Create", **PAGE, **asset(stage, "a.zip", {"index.html": b"1", "assets/a-1.js": b"1"}))
    ask("Update", **PAGE, **asset(stage, "b.zip", {"index.html": b"2", "assets/a-2.js": b"2"}))
    # Somebody may have the page open.
    assert objects(stage).keys() == {"page/index.html", "page/assets/a-1.js", "page/assets/a-2.js"}
    assert objects(stage)["page/index.html"] == b"2"
    ask("Update", **PAGE | {"KeptDays": "0"}, **asset(stage, "b.zip", {"index.html": b"2", "assets/a-2.js": b"2"}))
    assert "page/assets/a-1.js" in objects(stage)


DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_file_goes_by_the_time_when_the_next_build_came_and_not_by_its_own_age() -> None:
    # A build was there for sixty days; then came one a day, twice.
    there = {
        "first.js": START,
        "second.js": START + 60 * DAY,
        "kept.js": START + 61 * DAY,
        "index.html": START + 61 * DAY + timedelta(minutes=5),
    }
    current = {"kept.js", "index.html"}

    def gone(at: datetime) -> list[str]:
        return replaced_before(at - 30 * DAY, there, current)

    assert gone(START + 61 * DAY) == []
    assert gone(START + 89 * DAY) == []
    assert gone(START + 90 * DAY + timedelta(hours=1)) == ["first.js"]
    assert gone(START + 92 * DAY) == ["first.js", "second.js"]
    # What is served stays, however old it is.
    assert replaced_before(START + 999 * DAY, there, there) == []


def test_a_deploy_without_a_package_changes_nothing(stage: Stage, ask: Any) -> None:
    assert ask("Create")["Data"] == {"Uri": ""}
    ask("Update", Prefix="0123/", **asset(stage, "a.zip", {"boot.sh": b""}))
    assert ask("Update")["Status"] == "SUCCESS"
    assert list(objects(stage)) == ["worker/0123/boot.sh"]


def test_with_a_stage_that_may_go_all_packages_go_and_nothing_beside_them(stage: Stage, ask: Any) -> None:
    stage.s3.put_object(Bucket=BUCKET, Key="models/lora/ink.safetensors", Body=b"")
    # More than S3 lists, and removes, in one call.
    for number in range(1_001):
        stage.s3.put_object(Bucket=BUCKET, Key=f"worker/0123/{number}", Body=b"")
    assert ask("Delete", Prefix="0123/", Removable="false")["Status"] == "SUCCESS"
    assert stage.s3.list_objects_v2(Bucket=BUCKET, Prefix="worker/")["KeyCount"] == 1_000
    assert ask("Delete", Prefix="0123/", Removable="true")["Status"] == "SUCCESS"
    assert list(objects(stage)) == ["models/lora/ink.safetensors"]


def test_a_bucket_that_keeps_an_object_is_told_and_not_taken_for_empty(
    stage: Stage, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 says so in an answer of status 200."""
    ask("Create", Prefix="0123/", **asset(stage, "a.zip", FILES))
    refused = {"Errors": [{"Key": "worker/0123/boot.sh", "Code": "AccessDenied", "Message": "Access Denied"}]}
    monkeypatch.setattr(stage.clients("s3"), "delete_objects", lambda **_: refused)
    answer = ask("Delete", Prefix="0123/", Removable="true")
    assert answer["Status"] == "FAILED"
    assert "S3 kept 1 of 3 objects" in answer["Reason"]


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"SourceBucket": ASSETS, "SourceKey": "nothing.zip", "Prefix": "0123/"}, "404"),
        ({"SourceBucket": ASSETS, "SourceKey": "text.zip", "Prefix": "0123/"}, "text.zip is no zip"),
        ({"Root": "../"}, "Root"),
        ({"Bucket": ""}, "Bucket"),
    ],
)
def test_what_fails_is_answered_with_its_reason(stage: Stage, ask: Any, properties: dict[str, str], words: str) -> None:
    stage.s3.put_object(Bucket=ASSETS, Key="text.zip", Body=b"no zip")
    answer = ask("Create", **properties)
    assert answer["Status"] == "FAILED"
    assert words in answer["Reason"]
    assert len(json.dumps(answer)) < 4096
    # CloudFormation then asks to delete what there is by this id.
    assert answer["PhysicalResourceId"] == "UnpackedWorker"
    assert objects(stage) == {}


def test_a_function_whose_time_is_over_answers_before_it_ends(stage: Stage, ask: Any) -> None:
    class Late(Context):
        def get_remaining_time_in_millis(self) -> int:
            return int(custom_resources.RESERVE_SECONDS * 1000)

    answer = ask("Create", Late(), Prefix="0123/", **asset(stage, "a.zip", FILES))
    assert (answer["Status"], "no time for all of 3 files" in answer["Reason"]) == ("FAILED", True)


def test_an_answer_that_is_not_taken_is_sent_again_without_a_content_type(
    stage: Stage, ask: Any, cloudformation: CloudFormation
) -> None:
    cloudformation.refuses = 3
    assert ask("Create")["Status"] == "SUCCESS"
    assert cloudformation.types == [""] * 4
    cloudformation.refuses = 99
    with pytest.raises(OSError, match="does not take the answer") as refused:
        ask("Create")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html"),
        ("assets/app.js", "text/javascript"),
        ("a.css", "text/css"),
        ("a.woff2", "font/woff2"),
        ("a.svg", "image/svg+xml"),
        ("a.whl", "application/zip"),
        ("boot", "application/octet-stream"),
    ],
)
def test_each_file_has_the_type_of_its_name(name: str, kind: str) -> None:
    assert content_type_of(name) == kind
