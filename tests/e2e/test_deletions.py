"""A deletion by filters on the local stack: the real queue, the real function, its own permissions."""

import time

from darkroom.aws.job_items import to_item
from darkroom.ids import new_id
from darkroom.jobs.model import Job, JobLine
from darkroom_client import deletions
from tests.e2e.conftest import Running, txt2img

COUNT = 300
CHECKPOINT = "only-in-this-test.safetensors"


def seed(darkroom: Running) -> list[str]:
    """Failed jobs as they lie there long after, each with an object."""
    outputs = darkroom.stack.outputs
    dynamodb, s3 = darkroom.aws("dynamodb"), darkroom.aws("s3")
    made, puts = [], []
    for _ in range(COUNT):
        job_id = new_id()
        line = JobLine(id=job_id, owner="admin", type="txt2img", status="fail", checkpoint=CHECKPOINT)
        item = to_item(Job(line, {"prompt": "a pier"}, expires_at=int(time.time()) + 86_400), 1)
        puts.append({"PutRequest": {"Item": item}})
        made.append(job_id)
    for start in range(0, COUNT, 25):
        left = dynamodb.batch_write_item(RequestItems={outputs["JobsTable"]: puts[start : start + 25]})
        assert not left["UnprocessedItems"]
    for job_id in made[:20]:
        s3.put_object(Bucket=outputs["PicturesBucket"], Key=f"jobs/{job_id}/output/0.png", Body=b"x")
    return made


def objects(darkroom: Running) -> str:
    found = darkroom.aws("s3").list_objects_v2(Bucket=darkroom.stack.outputs["PicturesBucket"], Prefix="jobs/")
    return " ".join(entry["Key"] for entry in found.get("Contents", []))


def test_some_hundred_jobs_go_by_their_filters_and_a_later_one_stays(darkroom: Running) -> None:
    made = seed(darkroom)
    begun = deletions.begin(darkroom.client, status=["fail"], checkpoint=CHECKPOINT)
    later = darkroom.client.submit(txt2img(width=64, height=64))["id"]
    for state in deletions.watch(darkroom.client, begun, seconds=0.5):
        last = state
    assert (last["status"], last["deleted"], last["failures"]) == ("done", COUNT, [])
    assert list(darkroom.client.history(checkpoint=CHECKPOINT)) == []
    assert not [job_id for job_id in made if job_id in objects(darkroom)]
    assert darkroom.client.settled(later, 60)["status"] == "succeed"
    told = darkroom.command("jobs", "delete", later, made[0], "--yes", check=False)
    assert f"Deleted {later}." in told.stdout
    assert f"There is no job {made[0]}" in told.stderr


def test_a_deletion_is_begun_and_stopped_from_the_command_line(darkroom: Running) -> None:
    seed(darkroom)
    begun = deletions.begin(darkroom.client, status=["fail"], checkpoint=CHECKPOINT)
    assert "Stopped." in darkroom.command("jobs", "deletion", begun["id"], "--stop").stdout
    # Whatever it left goes now, followed to its end.
    done = darkroom.command("jobs", "delete", "--checkpoint", CHECKPOINT, "--status", "fail", "--yes")
    assert "Done." in done.stdout
    assert list(darkroom.client.history(checkpoint=CHECKPOINT)) == []
