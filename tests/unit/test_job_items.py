"""What a job looks like in the table, attribute for attribute: rows of earlier releases must stay readable."""

from typing import Any

from darkroom.aws.job_items import attributes, brought_by, from_item, line_from_item, progress_number, to_item
from darkroom.jobs.contract import PaintedImage, Timings, WorkError
from darkroom.jobs.model import Job, JobLine, Transition

ID = "0198d4a6-2b00-7000-8000-000000000001"
LINE = JobLine(
    id=ID,
    owner="alice",
    type="img2img",
    status="created",
    endpoint="darkroom-test-a",
    mode="inpaint",
    checkpoint="v1-5.safetensors",
    prompt="桜 on a pier",
    lora=("film.safetensors", "ink.pt"),
    price=0.736,
)
FULL = Job(
    line=LINE,
    parameters={"prompt": "桜 on a pier", "steps": 20, "cfg_scale": 7.0, "seed": 2**63 - 1, "eta": 1e-05},
    inputs={"init": "0" * 64},
    models={"lora": ["film.safetensors", "ink.pt"], "vae": ["None"]},
    expires_at=1790000000,
    instance_type="ml.g5.xlarge",
    replay_of=ID,
)
FULL_ITEM: dict[str, Any] = {
    "id": {"S": ID},
    "owner": {"S": "alice"},
    "type": {"S": "img2img"},
    "mode": {"S": "inpaint"},
    "status": {"S": "created"},
    "endpoint": {"S": "darkroom-test-a"},
    "checkpoint": {"S": "v1-5.safetensors"},
    "prompt": {"S": "桜 on a pier"},
    "feed": {"S": "0"},
    "type_shard": {"S": "img2img#0"},
    "status_shard": {"S": "created#0"},
    "open_shard": {"S": "0"},
    "parameters": {"S": '{"prompt":"桜 on a pier","steps":20,"cfg_scale":7.0,"seed":9223372036854775807,"eta":1e-05}'},
    "inputs": {"S": '{"init":"' + "0" * 64 + '"}'},
    "models": {"S": '{"lora":["film.safetensors","ink.pt"],"vae":["None"]}'},
    "instance_type": {"S": "ml.g5.xlarge"},
    "replay_of": {"S": ID},
    "lora": {"L": [{"S": "film.safetensors"}, {"S": "ink.pt"}]},
    "price": {"N": "0.736"},
    "expires_at": {"N": "1790000000"},
}
PICTURE = PaintedImage(key="jobs/x/output/0.png", width=64, height=64, seed=1, infotext="桜")


def test_a_job_with_everything_is_this_item() -> None:
    assert to_item(FULL, 4) == FULL_ITEM


def test_a_job_with_nothing_is_this_item() -> None:
    assert to_item(Job(JobLine(ID, "alice", "txt2img", "created"), {}), 1) == {
        "id": {"S": ID},
        "owner": {"S": "alice"},
        "type": {"S": "txt2img"},
        "status": {"S": "created"},
        "feed": {"S": "0"},
        "type_shard": {"S": "txt2img#0"},
        "status_shard": {"S": "created#0"},
        "open_shard": {"S": "0"},
        "parameters": {"S": "{}"},
    }


def test_a_job_that_succeeded_is_in_no_index_of_statuses_or_open_jobs() -> None:
    assert {"status_shard", "open_shard"}.isdisjoint(to_item(Job(JobLine(ID, "alice", "txt2img", "succeed"), {}), 1))


def test_a_success_brings_these_attributes() -> None:
    success = Transition(
        "succeed",
        "callback",
        output_location="s3://a",
        failure_location="s3://b",
        images=(PICTURE,),
        caption="c",
        timings=Timings(queued=0.1, model=1, run=2.0005),
        submitted_at="s",
        completed_at="t",
        cancelled_when="during",
    )
    assert attributes(brought_by(success)) == {
        "output_location": {"S": "s3://a"},
        "failure_location": {"S": "s3://b"},
        "caption": {"S": "c"},
        "submitted_at": {"S": "s"},
        "completed_at": {"S": "t"},
        "cancelled_when": {"S": "during"},
        "images": {"S": '[{"key":"jobs/x/output/0.png","width":64,"height":64,"seed":1,"infotext":"桜"}]'},
        "image_count": {"N": "1"},
        "first_image": {"S": "jobs/x/output/0.png"},
        "timings": {"S": '{"queued":0.1,"model":1.0,"run":2.0005}'},
        "run_seconds": {"N": "3.001"},
    }


def test_a_failure_brings_these_attributes() -> None:
    failure = Transition("fail", "s3", error=WorkError(code="oom", message="m"), completed_at="t")
    assert attributes(brought_by(failure)) == {
        "completed_at": {"S": "t"},
        "error": {"S": '{"code":"oom","message":"m"}'},
        "error_code": {"S": "oom"},
    }


def test_progress_has_four_decimals() -> None:
    numbers = attributes({str(share): progress_number(share) for share in (0.0, 0.5, 1 / 3, 1.0)})
    assert [number["N"] for number in numbers.values()] == ["0.0000", "0.5000", "0.3333", "1.0000"]


def test_a_whole_item_is_read_back_as_the_job_that_it_is() -> None:
    assert from_item(FULL_ITEM) == FULL
    later = {
        **FULL_ITEM,
        "status": {"S": "succeed"},
        "completed_at": {"S": "2026-01-01T00:00:00.000Z"},
        "image_count": {"N": "1"},
        "first_image": {"S": PICTURE.key},
        "images": {"S": f"[{PICTURE.model_dump_json()}]"},
        "timings": {"S": '{"queued":0.1,"model":1.0,"run":2.0005}'},
        "run_seconds": {"N": "3.001"},
        "progress": {"N": "0.5000"},
        "hand_overs": {"N": "2"},
    }
    job = from_item(later)
    assert (job.line.image_count, job.line.run_seconds, job.progress, job.hand_overs) == (1, 3.001, 0.5, 2)
    assert (job.images, job.timings) == ((PICTURE,), Timings(queued=0.1, model=1, run=2.0005))
    assert job.line == line_from_item(later)
