"""No secret, signed link, prompt or picture in any log, though all of them are at DEBUG here."""

import base64
import json
import uuid
from urllib.parse import parse_qs, urlsplit

import httpx

from darkroom_client import Darkroom
from tests.e2e.conftest import Running, txt2img
from tests.e2e.logs import leaks, lines
from tests.support.pictures import png


def test_what_people_send_and_get_is_in_no_log(darkroom: Running) -> None:
    planted: dict[str, str] = {}

    def canary(what: str) -> str:
        planted[what] = f"canary-{what}-{uuid.uuid4().hex}"
        return planted[what]

    made = darkroom.client.request("POST", "/keys", json={"name": "of-the-logs", "role": "artist", "days": 1})
    planted["key"] = made["secret"]
    picture = png()
    planted["picture in base64"] = base64.b64encode(picture).decode()[:60]
    planted["picture as Python writes it"] = repr(picture)[2:60]
    with Darkroom(darkroom.stack.api, made["secret"]) as client:
        body = {
            **txt2img(width=64, height=64, negative_prompt=canary("negative")),
            "type": "img2img",
            "images": {"init": client.upload(picture)},
        }
        body["parameters"]["prompt"] = canary("prompt")
        job = client.submit(body, canary("idempotency"))
        assert client.settled(job["id"], 30)["status"] == "succeed"
        inline = {**body, "images": {}, "parameters": {**body["parameters"], "init_images": [_inline(picture)]}}
        painted = client.settled(client.submit(inline)["id"], 30)
        assert painted["status"] == "succeed", painted
        content = client.download(painted["images"][0]["url"])
        planted["signature"] = parse_qs(urlsplit(painted["images"][0]["url"]).query)["X-Amz-Signature"][0]
        planted["painted picture"] = base64.b64encode(content).decode()[-60:]
        form = client.request("POST", "/images", json={"sha256": "0" * 64, "bytes": 9, "content_type": "image/png"})
        planted["signature of a form"] = form["upload"]["fields"]["x-amz-signature"]
        list(client.history(q=canary("words")))
        darkroom.knobs(garbage_rate=1.0)
        assert client.settled(client.submit(txt2img(prompt=canary("garbage")))["id"], 30)["status"] == "fail"
        darkroom.knobs(fail_next=1)
        assert client.settled(client.submit(txt2img(prompt=canary("failure")))["id"], 30)["status"] == "fail"
        darkroom.knobs()
    for broken in (f'{{"type": "{canary("broken")}', json.dumps({"type": canary("wrong"), "x": canary("field")})):
        headers = {"Authorization": f"Bearer {darkroom.key}", "Content-Type": "application/json"}
        assert httpx.post(f"{darkroom.stack.api}/jobs", content=broken, headers=headers, timeout=30).status_code >= 400
    wrong = {"Authorization": f"Bearer {canary('wrong-key')}"}
    assert httpx.get(f"{darkroom.stack.api}/jobs/{canary('path')}", headers=wrong, timeout=30).status_code == 401
    queue = darkroom.stack.outputs["EventsQueueUrl"]
    darkroom.aws("sqs").send_message(QueueUrl=queue, MessageBody=canary("message"))
    darkroom.client.request("DELETE", f"/keys/{made['id']}")

    cloudwatch = darkroom.aws("logs")
    assert leaks(darkroom.home, cloudwatch, planted.values()) == []
    # The search reads what it should: each of these is in one log at least.
    found = "\n".join(f"{log} {line}" for log, line in lines(darkroom.home, cloudwatch))
    assert f": job {job['id']} (img2img): done" in found
    assert "worker.log DEBUG" in found
    assert "sagemaker.log" in found
    for function in ("jobs_api", "keys_api", "job_events"):
        assert f'"service":"{function}"' in found
    # Each line of our own says for which request it was written, and those of a job for which job.
    told = [json.loads(line) for _, line in lines(darkroom.home, cloudwatch) if line.startswith('{"level":')]
    assert [line for line in told if not line.get("request_id")] == []
    assert {line["service"] for line in told if line.get("job_id") == job["id"]} >= {"jobs_api", "job_events"}
    environments = [function["Environment"]["Variables"] for function in darkroom.functions().values()]
    levels = {environment["POWERTOOLS_LOG_LEVEL"] for environment in environments}
    assert levels == {"DEBUG"}
    # It would come back for a quarter of an hour, and the tests behind this one wait until the queue is empty.
    darkroom.aws("sqs").purge_queue(QueueUrl=queue)


def _inline(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
