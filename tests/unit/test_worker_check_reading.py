"""`darkroom worker check` reads answers as Darkroom does: its copies of names and limits, and its verdicts."""

import base64
import json
import zlib
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from darkroom.checkpoints.purposes import PURPOSES
from darkroom.jobs import answer, contract, manifests, media, progress
from darkroom.jobs.answers import understand
from darkroom.jobs.events import UnknownMessage
from darkroom.jobs.model import output_prefix
from darkroom.jobs.ports import ANSWER_LIMIT
from darkroom.jobs.types import JOB_TYPES, Mode
from darkroom_cli.worker_check import answers, beside, pictures
from darkroom_cli.worker_check import contract as copy
from darkroom_cli.worker_check.session import new_id
from tests.support.pictures import encoded, png
from worker.shutdown import GRACE, LAST_ANSWERS
from worker.watch import REPORT_SECONDS

JOB = "0192f0c1-1111-7000-8000-000000000001"


def test_the_copies_are_those_of_darkroom() -> None:
    assert {name: rules.pictures for name, rules in JOB_TYPES.items()} == copy.PICTURES_OF
    assert JOB_TYPES["img2img"].modes == copy.MODES
    assert set(copy.MODES) == set(get_args(Mode))
    assert tuple(name for name, rules in JOB_TYPES.items() if rules.answers_with == "caption") == copy.CAPTIONED
    assert {extension: each.content_type for extension, each in media.EXTENSIONS.items()} == copy.CONTENT_TYPES
    assert set(copy.CAPTIONED) <= set(PURPOSES)
    assert progress._OF_A_RESULT == copy.RESULT_FIELDS  # noqa: SLF001 - the list that refuses a message
    assert set(contract.Timings.model_fields) == set(copy.TIMINGS)
    assert copy.output_prefix(JOB) == output_prefix(JOB)
    assert copy.MAX_ANSWER_BYTES == ANSWER_LIMIT
    assert (copy.MAX_PAINTED, copy.MOST_BUSY_SECONDS) == (contract.MAX_PAINTED, contract.MOST_BUSY_SECONDS)
    assert (copy.MAX_KEY, copy.MAX_NOTICES, copy.MAX_NOTICE, copy.MAX_COMPONENT_BYTES) == (
        manifests.MAX_KEY,
        manifests.MAX_NOTICES,
        manifests.MAX_NOTICE,
        manifests.MAX_COMPONENT_BYTES,
    )
    assert (copy.MAX_SIDE, copy.MAX_SEED, copy.MAX_CODE, copy.MAX_MESSAGE) == (
        answer.MAX_SIDE,
        answer.MAX_SEED,
        answer.MAX_CODE,
        answer.MAX_MESSAGE,
    )
    assert copy.REPORT_SECONDS == REPORT_SECONDS
    assert copy.END_SECONDS >= GRACE + LAST_ANSWERS


def verdicts(document: Any) -> tuple[bool, bool]:
    """Whether Darkroom takes an answer, and whether the check does."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    taken = understand(JOB, content)
    unusable = taken.error is not None and taken.error.code == answer.BAD_ANSWER
    return not unusable, not answers.read(JOB, content).problems


KEY = f"jobs/{JOB}/output/0.png"
PICTURE = {"key": KEY, "width": 64, "height": 64}
WIDTHS: tuple[Any, ...] = (None, 0, 65_536, 1.5, "many", [], 10**30)
INSIDE = base64.b64encode(png(8, 8)).decode()


@pytest.mark.parametrize(
    "document",
    [
        {"images": [PICTURE]},
        {"images": [{**PICTURE, "seed": -1, "bytes": 1, "sha256": "A" * 64, "infotext": 3, "thumbnail": 4}]},
        {"images": None, "caption": ""},
        {"caption": "a pier", "timings": "soon", "notices": 3, "components": []},
        {"images": [INSIDE], "info": "{}"},
        {"images": [f"data:image/png;base64,{INSIDE}"]},
        {"image": base64.b64encode(encoded(Image.new("RGB", (8, 8)), "WEBP")).decode()},
        {"error": {"code": "image_missing", "message": "No."}},
        {"error": "OutOfMemoryError", "errors": "CUDA out of memory"},
        {"detail": [{"loc": ["body", "steps"], "msg": "not a number"}]},
        {"caption": "a pier<error>"},
        {"images": [{**PICTURE, "key": KEY.replace("0.png", f"{n}.webp")} for n in range(128)]},
    ],
    ids=str,
)
def test_what_darkroom_takes_is_taken(document: Any) -> None:
    assert verdicts(document) == (True, True)


@pytest.mark.parametrize(
    "document",
    [
        b"no json",
        b"[]",
        b"\xff",
        {},
        {"images": []},
        {"images": "x"},
        {"images": [3]},
        {"images": [PICTURE, INSIDE]},
        {"caption": 3},
        {"images": [PICTURE], "error": {}},
        {"images": [PICTURE], "error": ""},
        {"images": [PICTURE, PICTURE]},
        {"images": [{**PICTURE, "key": KEY.replace("0.png", f"{n}.png")} for n in range(129)]},
        *(
            {"images": [{**PICTURE, "key": key}]}
            for key in (
                None,
                "",
                "0.png",
                KEY.replace("0001", "0002"),
                KEY.replace("0.png", "../0.png"),
                KEY.replace("0.png", "/0.png"),
                KEY.replace("0.png", ".0.png"),
                KEY.replace("0.png", "a b.png"),
                KEY.replace("0.png", "0.tiff"),
                KEY.replace("0.png", "0"),
                KEY.replace("0.png", "x" * 256 + ".png"),
                KEY.replace("0.png", "0.png\n"),
            )
        ),
        *({"images": [{**PICTURE, "width": width}]} for width in WIDTHS),
        *({"images": [{**PICTURE, "seed": seed}]} for seed in (-2, 2**64, 2.0**63, "many", 0.5)),
        *({"images": [{**PICTURE, "bytes": size}]} for size in (0, -1, "many")),
        *({"images": [{**PICTURE, "sha256": digest}]} for digest in ("", "x" * 64, "a" * 63, 3)),
        {"images": ["no base64!"]},
        {"images": [base64.b64encode(b"no picture").decode()]},
        {"images": [base64.b64encode(png()[:20]).decode()]},
    ],
    ids=lambda document: str(document)[:60],
)
def test_what_darkroom_refuses_is_refused(document: Any) -> None:
    assert verdicts(document) == (False, False)


words = st.sampled_from(["", "a", "0.png", KEY, "a" * 64, "Error: x", INSIDE, "\ud800"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70_000) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["images", "image", "caption", "error", "detail", "message", "errors", "info", "timings"])
entries = st.dictionaries(st.sampled_from(["key", "width", "height", "seed", "sha256", "bytes"]), values)
documents = st.dictionaries(names, values) | st.builds(
    lambda changes, more: {"images": [{**PICTURE, **changes}], **more}, entries, st.dictionaries(names, values)
)


@settings(max_examples=400, deadline=None)
@given(documents)
def test_nothing_is_taken_that_darkroom_refuses(document: dict[str, Any]) -> None:
    darkroom, check = verdicts(document)
    assert darkroom or not check
    reported = understand(JOB, json.dumps(document).encode()).error
    if reported and reported.code != answer.BAD_ANSWER:
        found = answers.read(JOB, json.dumps(document).encode()).error
        assert found is not None
        assert found.code == reported.code


GOOD_PROGRESS = {"event": "darkroom.progress", "job_id": JOB, "progress": 0.5, "started_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"more": 1},
        {"progress": 0},
        {"progress": 1.0},
        {"event": "darkroom.done"},
        {"progress": 1.5},
        {"progress": None},
        {"progress": "some"},
        {"started_at": 3},
        {"started_at": "x" * 41},
        {"status": "succeed"},
        {"images": []},
        {"job_id": "1"},
    ],
)
def test_messages_of_progress_are_judged_alike(change: dict[str, Any]) -> None:
    message = json.dumps({**GOOD_PROGRESS, **change})
    try:
        progress.parse(message)
        taken = True
    except UnknownMessage:
        taken = False
    assert (list(beside.wrong_progress(message, JOB)) == []) == taken


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timings", {"run": -1}),
        ("timings", {"run": 1e9}),
        ("timings", {"run": "long"}),
        ("timings", []),
        ("components", []),
        ("components", {"engine": 3}),
        ("components", {"engine": "x" * 201}),
        ("components", {"files": [{"kind": "lora"}]}),
        ("components", {"files": [{"kind": "lora", "name": "a", "sha256": "A" * 64}]}),
        ("components", {"files": {"a": 1}}),
        ("machine", []),
        ("machine", {"gpu": 3}),
        ("machine", {"instance_type": "x" * 201}),
        ("machine", {"cpus": 0}),
        ("machine", {"cpus": "four"}),
    ],
)
def test_what_darkroom_leaves_out_beside_a_result_is_complained_about(name: str, value: Any) -> None:
    read = contract.WorkAnswer.model_validate({"images": [PICTURE], name: value})
    assert getattr(read, name) is None
    checks = {"components": beside.wrong_components, "machine": beside.wrong_machine}
    complaints = beside.wrong_timings(value, 10**10) if name == "timings" else checks[name](value)
    assert list(complaints)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timings", {"queued": 0, "download": 1, "load": 0.5, "run": 2.5}),
        ("timings", {"model": 1, "run": 2}),
        ("components", {}),
        ("components", {"engine": "x", "files": [{"kind": "lora", "name": "a", "sha256": "a" * 64, "etag": None}]}),
    ],
)
def test_what_darkroom_keeps_beside_a_result_is_right(name: str, value: Any) -> None:
    assert getattr(contract.WorkAnswer.model_validate({"images": [PICTURE], name: value}), name) is not None
    complaints = beside.wrong_timings(value, 10) if name == "timings" else beside.wrong_components(value)
    assert list(complaints) == []


def test_the_checks_job_ids_are_such_as_darkroom_gives() -> None:
    from darkroom import ids

    assert all(ids.is_id(new_id()) for _ in range(100))


def test_a_picture_of_too_many_pixels_is_told_and_ends_no_check() -> None:
    content = bytearray(png())
    # Width and height stand in the header chunk, whose checksum follows 13 bytes after its name.
    content[16:24] = (60_000).to_bytes(4) * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    assert "no PNG that can be read" in str(pictures.why_unreadable(bytes(content), "png"))
    assert pictures.size_of(bytes(content)) is None
