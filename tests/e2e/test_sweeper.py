"""What heals by itself, on the real stack: lost news, cancelled and deleted jobs, dead letters."""

from io import BytesIO

import pytest
from PIL import Image
from typer.testing import CliRunner

from darkroom_cli.main import app
from darkroom_client import Refused
from tests.e2e.conftest import Running, txt2img
from tests.support.events import completed
from tests.support.waiting import eventually

SMALL = txt2img(width=64, height=64)


def swept(darkroom: Running, job_id: str) -> bool:
    """A round of the sweeper; whether the job has ended then. It looks at a job once that is some seconds old."""
    darkroom.sweep()
    return darkroom.client.job(job_id)["completed_at"] is not None


def darkroom_command(running: Running, *arguments: str) -> str:
    environment = {"DARKROOM_URL": running.stack.api, "DARKROOM_KEY": running.key}
    done = CliRunner().invoke(app, list(arguments), env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_lost_notification_is_made_up_for_by_the_sweeper(darkroom: Running) -> None:
    darkroom.knobs(lose_rate=1.0)
    job_id = darkroom.client.submit(SMALL)["id"]
    eventually(lambda: f"jobs/{job_id}/output/response.json" in darkroom.objects(f"jobs/{job_id}/"))
    eventually(lambda: darkroom.on_its_way() == 0)
    assert darkroom.client.job(job_id)["status"] == "in_progress"
    eventually(lambda: swept(darkroom, job_id), every=1)
    job = darkroom.client.job(job_id)
    assert (job["status"], job["image_count"]) == ("succeed", 1)


def test_a_lost_failure_is_made_up_for_by_its_file(darkroom: Running) -> None:
    darkroom.knobs(lose_rate=1.0, fail_next=1)
    job_id = darkroom.client.submit(SMALL)["id"]
    eventually(lambda: any(job_id in key for key in darkroom.objects("failures/")))
    eventually(lambda: swept(darkroom, job_id), every=1)
    job = darkroom.client.job(job_id)
    assert job["error"] is not None
    assert (job["status"], job["error"]["message"]) == ("fail", "the simulator was told to fail this one")
    darkroom.client.request("DELETE", f"/jobs/{job_id}")
    assert [key for key in darkroom.objects("") if job_id in key] == []


def test_a_cancelled_job_ends_at_once_and_leaves_nothing(darkroom: Running) -> None:
    darkroom.knobs(latency_seconds=2.0)
    job_id = darkroom.client.submit(SMALL)["id"]
    assert darkroom_command(darkroom, "jobs", "cancel", job_id).strip().endswith(f"->cancelled->{job_id}")
    assert darkroom.objects(f"jobs/{job_id}/") == [f"jobs/{job_id}/cancelled"]
    eventually(lambda: darkroom.objects(f"jobs/{job_id}/") == [])
    job = darkroom.client.job(job_id)
    assert (job["status"], job["cancelled"], job["images"]) == ("cancelled", "before", [])


def test_a_job_deleted_while_it_runs_leaves_nothing(darkroom: Running) -> None:
    darkroom.knobs(latency_seconds=2.0)
    job_id = darkroom.client.submit(SMALL)["id"]
    darkroom.client.request("DELETE", f"/jobs/{job_id}")
    assert darkroom.objects(f"jobs/{job_id}/") == [f"jobs/{job_id}/cancelled"]
    eventually(lambda: darkroom.objects(f"jobs/{job_id}/") == [])


def test_a_replay_paints_the_same_picture_again(darkroom: Running) -> None:
    old = darkroom.client.settled(darkroom.client.submit(SMALL)["id"], 30)
    label = darkroom_command(darkroom, "jobs", "replay", old["id"]).strip()
    new = darkroom.client.settled(label.split("->")[-1], 30)
    assert (new["status"], new["replay_of"]) == ("succeed", old["id"])
    # The files differ in one text: the id of their job.
    contents = [darkroom.client.download(job["images"][0]["url"]) for job in (old, new)]
    first, second = (Image.open(BytesIO(content), formats=["PNG"]) for content in contents)
    assert first.tobytes() == second.tobytes()
    assert first.info["parameters"] == second.info["parameters"]
    assert (first.info["darkroom-job"], second.info["darkroom-job"]) == (old["id"], new["id"])
    with pytest.raises(Refused, match="job_settled"):
        darkroom.client.cancel(old["id"])


def test_a_dead_letter_is_seen_and_sent_back(darkroom: Running) -> None:
    darkroom.knobs(lose_rate=1.0)
    job_id = darkroom.client.submit(SMALL)["id"]
    eventually(lambda: f"jobs/{job_id}/output/response.json" in darkroom.objects(f"jobs/{job_id}/"))
    darkroom.put_dead_letter("events", completed(job_id))
    assert "events\t1\t" in darkroom_command(darkroom, "dead-letters", "list")
    assert f"result\t{job_id}\tCompleted" in darkroom_command(darkroom, "dead-letters", "show", "events")
    assert darkroom_command(darkroom, "dead-letters", "redrive", "events") == "events: 1 sent back, 0 left.\n"
    assert darkroom.client.settled(job_id, 30)["status"] == "succeed"
    assert "events\t0\t" in darkroom_command(darkroom, "dead-letters", "list")
