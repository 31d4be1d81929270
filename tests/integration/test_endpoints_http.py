"""Endpoints over HTTP, and what jobs tell of them: what an instance costs, and that one wakes."""

import json

import pytest

from bench.calls import counted
from darkroom.errors import Busy
from tests.support.events import completed, deliver, deliver_to, manifest, put_picture
from tests.support.http import Reply, call
from tests.support.sagemaker import endpoint
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
NAME = "darkroom-test-anime"


def state_event(name: str) -> dict[str, object]:
    """As EventBridge puts it into the queue."""
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Endpoint State Change",
        "detail": {"EndpointName": name, "EndpointStatus": "IN_SERVICE"},
    }


def test_an_endpoint_is_made_listed_scaled_and_deleted(stage: Stage) -> None:
    made = call("POST", "/endpoints", {"name": "anime", "max_instances": 2}, role="admin")
    assert made.status == 201
    assert (made.json["name"], made.json["status"], made.json["usable"]) == (NAME, "Creating", False)
    assert (made.json["owner"], made.json["instance_type"], made.json["scaling"]) == ("alice", "ml.g5.xlarge", False)
    assert call("POST", "/endpoints", {"name": "anime", "max_instances": 2}, role="admin").status == 200
    assert call("POST", "/endpoints", {"name": "anime"}, role="admin").code == "endpoint_exists"
    assert call("POST", "/jobs", {**JOB, "endpoint": NAME}).code == "endpoint_not_in_service"
    stage.sagemaker.settle()
    assert deliver_to("endpoint_events", state_event(NAME)) == []
    shown = call("GET", "/endpoints/anime").json
    assert (shown["usable"], shown["scaling"], shown["min_instances"], shown["max_instances"]) == (True, True, 0, 2)
    assert call("PATCH", "/endpoints/anime", {"min_instances": 1}, role="admin").json["min_instances"] == 1
    assert [row["name"] for row in call("GET", "/endpoints").json["endpoints"]] == [NAME, "darkroom-test-a"]
    assert call("DELETE", "/endpoints/anime", role="admin").status == 204
    assert call("DELETE", "/endpoints/anime", role="admin").status == 204
    stage.sagemaker.settle()
    assert deliver_to("endpoint_events", state_event(NAME)) == []
    assert call("GET", "/endpoints/anime").code == "endpoint_not_found"
    assert stage.scaling.stands == {}
    assert stage.sagemaker.parts_made == {"config": {}, "model": {}}


def test_an_endpoint_of_several_types_shows_them_in_their_order_with_what_runs(stage: Stage) -> None:
    types = ["ml.g5.xlarge", "ml.g4dn.xlarge"]
    made = call("POST", "/endpoints", {"name": "anime", "instance_types": types}, role="admin")
    assert (made.status, made.json["instance_type"]) == (201, types[0])
    stage.sagemaker.settle()
    stage.sagemaker.details[NAME].running = {types[0]: 0, types[1]: 2}
    shown = call("GET", "/endpoints/anime").json["instance_types"]
    assert [(each["instance_type"], each["instances"]) for each in shown] == [(types[0], 0), (types[1], 2)]
    one = call("GET", "/endpoints/a").json["instance_types"]
    assert one == [{"instance_type": "ml.g5.xlarge", "instances": 1}]


@pytest.mark.parametrize(
    "types",
    [
        {"instance_types": []},
        {"instance_types": ["ml.g5.xlarge", "ml.g5.xlarge"]},
        {"instance_types": [f"ml.g5.{size}xlarge" for size in (2, 4, 8, 12, 16, 24)]},
        {"instance_types": ["g5.xlarge"]},
        {"instance_types": ["ml.g4dn.xlarge"], "instance_type": "ml.g5.xlarge"},
    ],
)
def test_types_that_make_no_list_are_refused_and_nothing_is_made(stage: Stage, types: dict[str, object]) -> None:
    refused = call("POST", "/endpoints", {"name": "anime", **types}, role="admin")
    assert refused.status == 422
    assert refused.json["errors"]
    assert stage.sagemaker.parts_made == {"config": {}, "model": {}}


@pytest.mark.parametrize("name", ["Anime", "ANIME", "Darkroom-Test-Anime"])
def test_a_name_is_in_lower_case_however_it_is_written(stage: Stage, name: str) -> None:
    """To SageMaker names that differ only in case are the same."""
    made = call("POST", "/endpoints", {"name": name}, role="admin")
    assert (made.status, made.json["name"]) == (201, NAME)
    assert call("POST", "/endpoints", {"name": "aNIME"}, role="admin").status == 200
    stage.sagemaker.settle()
    assert call("GET", f"/endpoints/{name}").json["name"] == NAME
    job = call("POST", "/jobs", {**JOB, "endpoint": name})
    assert (job.status, job.json["endpoint"]) == (201, NAME)
    assert [line["id"] for line in call("GET", f"/jobs?endpoint={name}").json["jobs"]] == [job.json["id"]]
    assert call("PATCH", f"/endpoints/{name}", {"max_instances": 3}, role="admin").json["max_instances"] == 3
    assert call("DELETE", f"/endpoints/{name}", role="admin").status == 204
    stage.sagemaker.settle()
    assert call("GET", "/endpoints/anime").code == "endpoint_not_found"
    assert call("GET", f"/jobs/{job.json['id']}").json["error"]["code"] == "endpoint_deleted"


def test_an_endpoint_with_upper_case_works_on_by_its_own_name(stage: Stage) -> None:
    """Names had upper case before; an invocation must name the endpoint as it was made."""
    stage.sagemaker.endpoints = [endpoint("darkroom-test-Anime")]
    stage.sagemaker.tagged["darkroom-test-Anime"] = {"darkroom:min": "0", "darkroom:max": "1"}
    jobs = [call("POST", "/jobs", {**JOB, "endpoint": name}).json for name in ("Anime", "anime", "DARKROOM-TEST-ANIME")]
    assert {job["endpoint"] for job in jobs} == {"darkroom-test-Anime"}
    assert {told["endpoint"] for told in stage.sagemaker.invoked} == {"darkroom-test-Anime"}
    assert call("POST", f"/jobs/{jobs[0]['id']}/replay").json["endpoint"] == "darkroom-test-Anime"
    for name in ("anime", "Anime", "darkroom-test-Anime", "darkroom-test-anime"):
        assert len(call("GET", f"/jobs?endpoint={name}").json["jobs"]) == 4, name
    assert call("GET", "/endpoints/anime").json["open_jobs"] == 4
    assert call("PATCH", "/endpoints/anime", {"max_instances": 2}, role="admin").json["max_instances"] == 2
    assert set(stage.scaling.stands) == {"darkroom-test-Anime"}
    assert call("POST", "/endpoints", {"name": "anime"}, role="admin").code == "endpoint_exists"
    assert call("DELETE", "/endpoints/anime", role="admin").status == 204
    assert {call("GET", f"/jobs/{job['id']}").json["status"] for job in jobs} == {"fail"}
    stage.sagemaker.settle()
    stage.services.endpoints.forget()
    # Its jobs are found by the name that it had.
    assert len(call("GET", "/jobs?endpoint=Anime").json["jobs"]) == 4


def test_jobs_of_an_endpoint_are_listed_while_sagemaker_does_not_answer(stage: Stage) -> None:
    job = call("POST", "/jobs", {**JOB, "endpoint": "a"}).json
    stage.services.endpoints.forget()

    def busy(call: str) -> None:
        raise Busy("aws_busy", "AWS is busy.")

    stage.sagemaker.on_call = busy
    assert [line["id"] for line in call("GET", "/jobs?endpoint=A").json["jobs"]] == [job["id"]]


def test_a_repeat_finds_its_endpoint_and_the_header_makes_no_other(stage: Stage) -> None:
    def post(**body: object) -> Reply:
        return call("POST", "/endpoints", body, headers={"Idempotency-Key": "first-try"})

    before = len(call("GET", "/endpoints").json["endpoints"])
    first, repeat = post(max_instances=2), post(max_instances=2)
    assert (first.status, repeat.status) == (201, 200)
    assert first.json["name"] == repeat.json["name"]
    other = post(name="anime", max_instances=2)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(call("GET", "/endpoints").json["endpoints"]) == before + 1


def test_one_that_is_being_made_goes_later(stage: Stage) -> None:
    call("POST", "/endpoints", {"name": "anime"}, role="admin")
    later = call("DELETE", "/endpoints/anime", role="admin")
    assert (later.status, later.json["deleting"]) == (202, True)
    assert call("GET", "/endpoints/anime").json["deleting"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"instance_type": "g5.xlarge"}, "instance_type"),
        ({"min_instances": -1}, "min_instances"),
        ({"min_instances": False}, "min_instances"),
        ({"max_instances": 0}, "max_instances"),
        ({"jobs_at_once": 17}, "jobs_at_once"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(stage: Stage, body: dict[str, object], field: str) -> None:
    refused = call("POST", "/endpoints", body, role="admin")
    assert refused.status == 422
    assert refused.json["errors"][0]["loc"][:2] == ["body", field]
    assert len(stage.sagemaker.endpoints) == 1


def test_the_open_jobs_of_a_deleted_endpoint_fail_and_the_others_stay(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint(), endpoint("darkroom-test-b")]
    doomed = [call("POST", "/jobs", {**JOB, "endpoint": "darkroom-test-a"}).json["id"] for _ in range(3)]
    deliver(completed(doomed[0], manifest(doomed[0])))
    other = call("POST", "/jobs", {**JOB, "endpoint": "darkroom-test-b"}).json["id"]
    shown = call("GET", "/endpoints/darkroom-test-a").json
    assert shown["open_jobs"] == 2
    call("DELETE", "/endpoints/darkroom-test-a", role="admin")
    jobs = [call("GET", f"/jobs/{job}").json for job in (*doomed, other)]
    assert [job["status"] for job in jobs] == ["succeed", "fail", "fail", "in_progress"]
    assert jobs[1]["error"]["code"] == "endpoint_deleted"
    assert "darkroom-test-a" in jobs[1]["error"]["message"]


def test_a_message_that_is_no_state_event_is_given_back(stage: Stage) -> None:
    for body in ("nonsense", "{}", '{"detail": {}}', '{"detail": {"EndpointName": 7}}', "[" * 100_000):
        assert deliver_to("endpoint_events", body) == ["0"]


class TestCost:
    """What a job cost, from its run and the price of its instance when it was made (3.6 an hour here)."""

    def test_a_job_knows_what_it_ran_on_for_how_long_and_what_that_cost(self, stage: Stage) -> None:
        job = call("POST", "/jobs", JOB).json
        assert (job["instance_type"], job["run_seconds"], job["cost"]) == ("ml.g5.xlarge", None, None)
        deliver(completed(job["id"], manifest(job["id"], timings={"model": 2.5, "run": 1.5})))
        job = call("GET", f"/jobs/{job['id']}").json
        assert (job["run_seconds"], job["cost"]) == (4.0, 0.004)
        [line] = call("GET", "/jobs").json["jobs"]
        assert (line["run_seconds"], line["cost"]) == (4.0, 0.004)

    def test_the_summary_adds_up_and_says_what_it_does_not_know(self, stage: Stage) -> None:
        jobs = [call("POST", "/jobs", JOB).json["id"] for _ in range(4)]
        for job in jobs[:2]:
            deliver(completed(job, manifest(job, timings={"run": 10.0})))
        deliver(completed(jobs[2], manifest(jobs[2], timings=None)))
        summary = call("GET", "/jobs/summary").json
        assert (summary["run_seconds"], summary["cost"], summary["cost_unknown"]) == (20.0, 0.02, 1)
        assert list(summary["cost_by_day"].values()) == [0.02]

    def test_an_endpoint_nobody_can_tell_the_type_of_takes_jobs_all_the_same(self, stage: Stage) -> None:
        stage.sagemaker.describe("darkroom-test-a")
        stage.sagemaker.details["darkroom-test-a"].instance_type = None
        job = call("POST", "/jobs", JOB)
        assert job.status == 201
        assert job.json["instance_type"] is None


class TestPhase:
    """What an open job is doing."""

    def phase(self, stage: Stage, job: str) -> tuple[str | None, str | None]:
        stage.services.endpoints.forget()
        found = call("GET", f"/jobs/{job}").json
        return found["phase"], found["phase_detail"]

    def test_waking_in_line_running_and_done(self, stage: Stage) -> None:
        job = call("POST", "/jobs", JOB).json["id"]
        stage.sagemaker.describe("darkroom-test-a")
        stage.sagemaker.details["darkroom-test-a"].instances = 0
        assert self.phase(stage, job) == (
            "waking",
            "darkroom-test-a sleeps, and the job wakes it. How long that takes is not known yet; minutes often.",
        )
        stage.scaling.woke["darkroom-test-a"] = [212.4, 240.0]
        assert (self.phase(stage, job)[1] or "").endswith("The last wake-ups took 212 s, 240 s.")
        stage.sagemaker.details["darkroom-test-a"].instances = 1
        assert self.phase(stage, job) == ("in_line", "It waits in line; darkroom-test-a has 1 instance running.")
        started = "2026-03-01T10:00:00Z"
        deliver({"event": "darkroom.progress", "job_id": job, "progress": 0.1, "started_at": started})
        assert self.phase(stage, job) == ("running", f"It is being painted since {started}.")
        deliver(completed(job, manifest(job)))
        assert self.phase(stage, job) == (None, None)

    def test_a_job_whose_endpoint_sleeps_is_answered_at_once_with_one_read_and_when_to_ask_again(
        self, stage: Stage
    ) -> None:
        job = call("POST", "/jobs", JOB).json["id"]
        stage.sagemaker.describe("darkroom-test-a")
        stage.sagemaker.details["darkroom-test-a"].instances = 0
        stage.services.endpoints.forget()
        with counted(stage) as calls:
            waiting = call("GET", f"/jobs/{job}?wait=20")
        assert (waiting.status, waiting.json["phase"]) == (200, "waking")
        assert waiting.headers["Retry-After"] == "15"
        assert calls["GetItem"] == 1
        deliver(completed(job, manifest(job)))
        assert "Retry-After" not in call("GET", f"/jobs/{job}?wait=20").headers

    def test_of_a_job_whose_endpoint_is_gone_nothing_is_said(self, stage: Stage) -> None:
        job = call("POST", "/jobs", JOB).json["id"]
        stage.sagemaker.endpoints = []
        assert self.phase(stage, job) == (None, None)


def test_a_job_whose_answer_lies_there_does_not_fail_with_its_endpoint(stage: Stage) -> None:
    done, waiting = (call("POST", "/jobs", JOB).json["id"] for _ in range(2))
    stage.s3.put_object(Bucket="pictures", Key=f"jobs/{done}/output/response.json", Body=json.dumps(manifest(done)))
    put_picture(f"jobs/{done}/output/0.png")
    call("DELETE", "/endpoints/darkroom-test-a", role="admin")
    assert [call("GET", f"/jobs/{job}").json["status"] for job in (done, waiting)] == ["in_progress", "fail"]
    # Its message, or the sweeper, ends it by what lies there.
    deliver(completed(done, None))
    assert call("GET", f"/jobs/{done}").json["status"] == "succeed"


def test_a_job_that_is_written_is_answered_even_when_it_cannot_be_handed_over(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(name: str) -> None:
        if name == "InvokeEndpointAsync":
            raise PermissionError("a pier")

    stage.sagemaker.on_call = breaks
    made = call("POST", "/jobs", JOB)
    assert (made.status, made.json["status"]) == (201, "created")
    assert "PermissionError" in caplog.text
    assert "a pier" not in caplog.text


def test_the_choice_among_endpoints_costs_no_count_each_time(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint(), endpoint("darkroom-test-b")]
    call("POST", "/jobs", JOB)
    with counted(stage) as calls:
        chosen = [call("POST", "/jobs", JOB).json["endpoint"] for _ in range(4)]
    assert calls["Query"] == 0
    assert sorted(chosen) == ["darkroom-test-a"] * 2 + ["darkroom-test-b"] * 2
