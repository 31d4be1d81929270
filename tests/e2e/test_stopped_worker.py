"""A worker that is shut down in the middle of a job, on the running stack: the job succeeds elsewhere, once."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local import parts, processes, stack
from local.home import Home
from local.seed import ENDPOINT
from tests.e2e.conftest import Running, txt2img
from tests.support.waiting import eventually

HURRIED = "import worker.shutdown as s; s.GRACE = 0.0; import worker.server as w; w.main()"
"""The worker, with no time left for a job under way once it is told to end."""
LONG = txt2img(width=512, height=512, batch_size=8, n_iter=8)


@contextmanager
def hurried_worker(home: Home) -> Iterator[int]:
    """This worker instead of the usual one; its pid. The usual one runs again at the end."""
    stack.kill(home, "worker")
    record = home.read()
    port, keys = str(record.ports["worker"]), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    credentials = f"http://127.0.0.1:{record.ports['sagemaker']}/_simulator/credentials"
    environment = {name: value for name, value in parts.environment(record).items() if name not in keys}
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = credentials
    command = [sys.executable, "-c", HURRIED, "--port", port]
    process = processes.start(command, home.log("worker"), environment)
    try:
        processes.wait_until_up("The worker", f"http://127.0.0.1:{port}/ping", process, home.log("worker"), seconds=60)
        yield process[0]
    finally:
        processes.stop(process, 30)
        stack.start_again(home, "worker")


def test_a_job_whose_worker_is_stopped_in_the_middle_succeeds_elsewhere_once(darkroom: Running) -> None:
    with hurried_worker(darkroom.home) as pid:
        job_id = darkroom.client.submit(LONG)["id"]
        eventually(lambda: f"jobs/{job_id}/output/0.png" in darkroom.objects(f"jobs/{job_id}/"))
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: darkroom.client.job(job_id)["notices"])
        between = darkroom.client.job(job_id)
        assert (between["status"], between["error"], between["completed_at"]) == ("in_progress", None, None)
    job = darkroom.client.settled(job_id, 120)
    assert (job["status"], job["image_count"], len(job["notices"])) == ("succeed", 64, 1)
    eventually(lambda: darkroom.on_its_way() == 0)
    assert darkroom.client.job(job_id)["completed_at"] == job["completed_at"]
    answers = [key for key in darkroom.objects(f"jobs/{job_id}/output/") if key.endswith(".json")]
    assert answers == [f"jobs/{job_id}/output/{name}" for name in ("response-2.json", "response.json")]


def test_what_sagemaker_sends_at_each_change_of_an_endpoint_is_taken_in(darkroom: Running) -> None:
    for instances in (2, 1):
        body = {"min_instances": instances, "max_instances": 2}
        darkroom.client.request("PATCH", f"/endpoints/{ENDPOINT}", json=body)
        eventually(lambda: darkroom.client.request("GET", f"/endpoints/{ENDPOINT}")["status"] == "InService")
    eventually(lambda: darkroom.on_its_way() == 0)
