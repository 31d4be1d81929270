"""`darkroom bridge` against the stack: other clients, broken connections, repeats, fifty at once."""

import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.seed import CHECKPOINT
from tests.e2e.conftest import COMMAND, Running
from tests.support.bridges import begun, bridged
from tests.support.pictures import png
from tests.support.waiting import eventually
from tests.support.webui_clients import CLIENTS, Answers, Step
from tests.support.webui_shapes import ANSWERS, ERROR, GETS, POSTS, differences

TXT2IMG = "/sdapi/v1/txt2img"
SMALL = {"prompt": "a pier", "width": 64, "height": 64, "steps": 3}
PICTURE = base64.b64encode(png(64, 64, (1, 2, 3))).decode()
MEGABYTE = 1024**2


@dataclass
class Bridge:
    """The command, running."""

    http: httpx.Client
    process: psutil.Process

    @property
    def memory(self) -> float:
        """What the process has in memory, in MB."""
        return float(self.process.memory_info().rss) / MEGABYTE


@contextmanager
def command(darkroom: Running, home: Path, *options: str) -> Iterator[Bridge]:
    environment = {**os.environ, "DARKROOM_URL": darkroom.stack.api, "DARKROOM_KEY": darkroom.key, "HOME": str(home)}
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        [str(COMMAND), "bridge", "--port", "0", *options], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert found, "it does not listen"
    try:
        with httpx.Client(base_url=found[0], timeout=240, trust_env=False, limits=httpx.Limits()) as http:
            yield Bridge(http, psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, -signal.SIGINT, 130)


@pytest.fixture
def webui(darkroom: Running, tmp_path: Path) -> Iterator[httpx.Client]:
    with command(darkroom, tmp_path) as bridge:
        yield bridge.http


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_what_other_clients_send_is_answered_as_they_read_it(
    webui: httpx.Client, client: Callable[[str], list[Step]]
) -> None:
    told: Answers = []
    for step in client(PICTURE):
        body = step.body(told) if callable(step.body) else step.body
        answer = webui.request(step.method, step.path, json=body)
        assert answer.status_code == 200, f"{step.path}: {answer.text}"
        told.append(answer.json())
        assert step.reads(told[-1]), f"{step.path}: {told[-1]}"


def test_every_answer_has_the_webuis_shape(webui: httpx.Client) -> None:
    bodies: dict[str, dict[str, Any]] = {
        TXT2IMG: SMALL,
        "/sdapi/v1/img2img": {**SMALL, "init_images": [PICTURE]},
        "/sdapi/v1/extra-single-image": {"image": PICTURE, "upscaler_1": "Lanczos"},
        "/sdapi/v1/extra-batch-images": {"imageList": [{"data": PICTURE, "name": "a"}], "upscaler_1": "Lanczos"},
        "/sdapi/v1/interrogate": {"image": PICTURE},
        "/sdapi/v1/png-info": {"image": PICTURE},
    }
    answers = {
        **{path: (shape, webui.get(path)) for path, shape in GETS.items()},
        **{f"POST {path}": (shape, webui.post(path)) for path, shape in POSTS.items()},
        **{path: (shape, webui.post(path, json=bodies[path])) for path, shape in ANSWERS.items()},
    }
    assert {path: answer.status_code for path, (_, answer) in answers.items() if answer.status_code != 200} == {}
    wrong = {path: differences(shape, answer.json()) for path, (shape, answer) in answers.items()}
    assert {path: found for path, found in wrong.items() if found} == {}


def test_refusals_and_failures_come_in_the_webuis_words(webui: httpx.Client, darkroom: Running) -> None:
    wide = webui.post(TXT2IMG, json={**SMALL, "width": 9000})
    assert (wide.status_code, wide.json()["detail"][0]["loc"]) == (422, ["body", "width"])
    lost = webui.post(TXT2IMG, json={**SMALL, "prompt": "<lora:lost:1>"})
    assert (lost.status_code, "lost" in lost.json()["errors"]) == (422, True)
    darkroom.knobs(fail_next=1)
    failed = webui.post(TXT2IMG, json=SMALL)
    assert failed.status_code == 500
    assert differences(ERROR, failed.json()) == []


def test_a_job_is_interrupted_and_looked_at_while_it_is_open(webui: httpx.Client, darkroom: Running) -> None:
    darkroom.knobs(latency_seconds=30)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(webui.post, TXT2IMG, json={**SMALL, "prompt": "to be interrupted"})
        told = eventually(lambda: (told := webui.get("/sdapi/v1/progress").json())["state"]["job_count"] and told)
        assert told["progress"] == 0
        eventually(lambda: open_jobs(darkroom, "to be interrupted"))
        assert webui.post("/sdapi/v1/interrupt").json() == {}
        assert (answer.result().status_code, answer.result().json()["images"]) == (200, [])
    assert [line["status"] for line in darkroom.client.history(q="to be interrupted")] == ["cancelled"]


def test_a_job_goes_on_for_the_client_that_comes_back_and_is_cancelled_for_one_that_does_not(
    darkroom: Running,
) -> None:
    darkroom.knobs(latency_seconds=5)
    said = {**SMALL, "prompt": "to be asked for again"}
    with bridged(darkroom.stack.api, darkroom.key, grace=3600) as address, httpx.Client(timeout=120) as http:
        broken = begun(address, TXT2IMG, said)
        eventually(lambda: open_jobs(darkroom, "to be asked for again"))
        broken.close()
        eventually(lambda: http.get(f"{address}/internal/pending-tasks").json()["size"] == 0)
        assert len(http.post(f"{address}{TXT2IMG}", json=said).json()["images"]) == 1
    assert [line["status"] for line in darkroom.client.history(q="to be asked for again")] == ["succeed"]
    darkroom.knobs(latency_seconds=30)
    with bridged(darkroom.stack.api, darkroom.key, grace=0.5) as address:
        broken = begun(address, TXT2IMG, {**SMALL, "prompt": "to be given up"})
        eventually(lambda: open_jobs(darkroom, "to be given up"))
        broken.close()
        eventually(lambda: [line["status"] for line in darkroom.client.history(q="to be given up")] == ["cancelled"])


def open_jobs(darkroom: Running, words: str) -> list[str]:
    return [line["id"] for line in darkroom.client.history(q=words, status="in_progress")]


def test_fifty_clients_at_once_are_served_in_little_memory(darkroom: Running, tmp_path: Path) -> None:
    with command(darkroom, tmp_path) as bridge, ThreadPoolExecutor(50) as pool:
        said = {"prompt": "fifty at once", "steps": 3, "width": 512, "height": 512}
        answers = [pool.submit(bridge.http.post, TXT2IMG, json={**said, "seed": seed}) for seed in range(50)]
        most = bridge.memory
        while not all(answer.done() for answer in answers):
            most = max(most, bridge.memory)
            bridge.http.get("/internal/ping")
        told = [answer.result() for answer in answers]
        assert {answer.status_code for answer in told} == {200}, [answer.text[:200] for answer in told][:3]
        assert [json.loads(answer.json()["info"])["seed"] for answer in told] == list(range(50))
        assert most < 200
    assert len(list(darkroom.client.history(q="fifty at once"))) == 50


def test_clients_with_keys_of_their_own_own_their_jobs(darkroom: Running, tmp_path: Path) -> None:
    made = darkroom.client.request("POST", "/keys", json={"name": "e2e-bridge", "role": "artist", "days": 1})
    with command(darkroom, tmp_path, "--no-key") as bridge:
        assert bridge.http.get("/sdapi/v1/options").status_code == 401
        answer = bridge.http.post(TXT2IMG, json=SMALL, auth=("anybody", made["secret"]))
        assert answer.status_code == 200, answer.text
        listed = bridge.http.get("/v1/models", headers={"Authorization": f"Bearer {made['secret']}"}).json()
        assert CHECKPOINT in [model["id"] for model in listed["data"]]
    assert next(darkroom.client.history(limit=1))["owner"] == "e2e-bridge"
    darkroom.client.request("DELETE", f"/keys/{made['id']}")
