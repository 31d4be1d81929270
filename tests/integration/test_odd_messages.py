"""Queue messages and workers' answers nobody would think of: none of them crashes a batch or stops its neighbours."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom.jobs.answer import Answer
from darkroom.jobs.answers import understand
from tests.support.events import completed, deliver, deliver_to, failed, manifest, progress
from tests.support.http import call
from tests.support.pictures import png
from tests.support.stage import Stage

JOB = "01a1fd9c-69a6-74b3-9d04-3a33460f060b"
"""A well-formed id of no job."""
odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def twisted(whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """`whole` with some of its fields gone and some holding anything."""
    return st.tuples(
        st.sets(st.sampled_from(sorted(whole))),
        st.dictionaries(st.sampled_from(sorted(whole)), odd_json, max_size=3),
    ).map(lambda change: {**{key: value for key, value in whole.items() if key not in change[0]}, **change[1]})


answers = st.one_of(
    odd_json,
    twisted({**manifest(JOB), "caption": "a pier", "error": {"code": "x", "message": "y"}, "info": {"seed": 1}}),
    twisted(manifest(JOB)["images"][0]).map(lambda image: {"images": [image]}),
    twisted({"images": ["aGVsbG8="], "info": '{"all_seeds": [1], "infotexts": ["x"]}', "parameters": {}}),
    st.binary(max_size=64).map(lambda found: {"images": [found.hex()], "info": "{}"}),
)
messages = st.one_of(
    st.text(max_size=200),
    odd_json,
    twisted(completed(JOB, manifest(JOB))),
    twisted(failed(JOB)),
    twisted(progress(JOB, 0.5)),
    answers.map(lambda answer: completed(JOB, answer)),
    odd_json.map(lambda body: {**completed(JOB), "responseBody": body}),
)
three = st.lists(messages, min_size=3, max_size=3)
HARD = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_an_odd_message_never_stops_its_neighbours(stage: Stage) -> None:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}

    @settings(HARD, max_examples=HARD.max_examples // 3)
    @given(three, three)
    def attack(before: list[Any], after: list[Any]) -> None:
        job_id = call("POST", "/jobs", body).json["id"]
        assert "3" not in deliver(*before, completed(job_id, manifest(job_id)), *after)
        assert call("GET", f"/jobs/{job_id}").json["status"] == "succeed"
        call("DELETE", f"/jobs/{job_id}")

    attack()
    assert stage.objects() == []


def test_an_odd_step_of_an_import_is_given_back_or_dropped(stage: Stage) -> None:
    step = {"kind": "lora", "name": "x.safetensors", "url": "s3://a/b", "upload_id": "u", "etag": "e", "size": 1}

    @HARD
    @given(st.one_of(st.text(max_size=200), odd_json, twisted(step)))
    def attack(message: Any) -> None:
        assert set(deliver_to("checkpoint_imports", message)) <= {"0"}

    attack()


@HARD
@given(answers | st.binary(max_size=200) | st.just({"images": [png().hex()]}))
def test_any_answer_of_a_worker_is_understood_as_something(answer: Any) -> None:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    found = understand(JOB, content)
    assert isinstance(found, Answer)
    assert found.images or found.raw or found.error or found.caption is not None
