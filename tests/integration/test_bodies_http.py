"""Bodies as bytes: UTF-8 with or without a byte order mark is read, and everything else is refused by name."""

import codecs
import json

import pytest

from darkroom.edge.requests import read_body
from darkroom.errors import Malformed
from tests.support.http import call
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "un café"}}
TEXT = json.dumps(BODY, ensure_ascii=False)
both = pytest.mark.parametrize("binary", [False, True], ids=["as text", "in base64"])


@both
@pytest.mark.parametrize("content", [TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode()], ids=["plain", "with a mark"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(stage: Stage, content: bytes, binary: bool) -> None:
    reply = call("POST", "/jobs", raw=content, binary=binary)
    assert (reply.status, reply.json["prompt"]) == (201, "un café")


@both
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "shift-jis"])
def test_any_other_encoding_is_refused_by_name_and_leaves_nothing(stage: Stage, encoding: str, binary: bool) -> None:
    text = TEXT if encoding != "shift-jis" else TEXT.replace("café", "桜の木")
    reply = call("POST", "/jobs", raw=text.encode(encoding), binary=binary)
    assert (reply.status, reply.code) == (400, "not_json")
    assert "is no UTF-8" in reply.json["detail"]
    assert stage.rows() == []


def test_what_an_emulator_leaves_of_other_bytes_is_refused_too() -> None:
    with pytest.raises(Malformed, match="is no UTF-8"):
        read_body(TEXT.encode("latin-1").decode(errors="surrogateescape"), False, "")


def test_base64_that_is_none_is_no_json() -> None:
    with pytest.raises(Malformed, match="no JSON"):
        read_body("{}", True, "")


def test_who_means_the_replacement_character_writes_its_escape(stage: Stage) -> None:
    reply = call("POST", "/jobs", raw=json.dumps({**BODY, "parameters": {"prompt": "a \ufffd"}}))
    assert (reply.status, reply.json["prompt"]) == (201, "a \ufffd")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-8", 201),
        ('application/json; charset="UTF-8"', 201),
        ("application/json;charset=utf8", 201),
        ("application/json; charset=us-ascii", 201),
        ("application/json; charset=", 201),
        ("application/json; charset=iso-8859-1", 415),
        ("application/json; charset=windows-1252", 415),
        ("application/json; Charset=UTF-16", 415),
    ],
)
def test_a_content_type_of_another_encoding_is_refused(stage: Stage, content_type: str, status: int) -> None:
    reply = call("POST", "/jobs", BODY, headers={"Content-Type": content_type})
    assert reply.status == status
    if status == 415:
        assert reply.code == "unsupported_content_type"
        assert "is no UTF-8" in reply.json["detail"]


def test_a_lone_byte_order_mark_is_an_empty_body(stage: Stage) -> None:
    assert call("POST", "/jobs", raw=codecs.BOM_UTF8).json["errors"] == call("POST", "/jobs").json["errors"]


def test_a_large_body_is_measured_in_its_own_bytes(stage: Stage) -> None:
    content = b'{"type": "' + b"x" * 4_500_000 + b'"}'
    assert call("POST", "/jobs", raw=content, binary=True).status == 422
    assert call("POST", "/jobs", raw=content + b" " * 1_000_000, binary=True).code == "body_too_large"
