"""The whole stage on this machine, started once for all e2e tests: the real deploy, the real worker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from darkroom_client import Darkroom
from local import stack
from local.home import Home
from local.seed import CHECKPOINT, ENDPOINT
from tests.e2e.logs import leaks

COMMAND = Path(sys.executable).with_name("darkroom")
"""The command line, as `make install` puts it into .venv."""

IMPORTS = "models-to-import"
"""The bucket that the stage `local` may import model files from (cdk.json)."""


@dataclass
class Running:
    """A running stage, a client of it, and what the tests look at behind its back."""

    home: Home
    stack: stack.Stack
    client: Darkroom
    key: str

    def aws(self, service: str) -> Any:
        """A client of the local AWS, as an operator would have one."""
        return aws(service, self.stack.aws)

    def knobs(self, **settings: Any) -> None:
        """Turn the simulator's knobs; those not named go back to their defaults."""
        http().put(f"{self.stack.sagemaker}/_simulator/knobs", json=settings).raise_for_status()

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run `darkroom …` to its end."""
        environment = {**os.environ, "DARKROOM_URL": self.stack.api, "DARKROOM_KEY": self.key}
        done = subprocess.run(  # noqa: S603 - the command is our own
            [str(COMMAND), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def functions(self) -> dict[str, Any]:
        """What Lambda tells of each function of this stage, by our name for it; others may be deployed beside it."""
        ours = "Darkroom local: "
        pages = self.aws("lambda").get_paginator("list_functions").paginate()
        found = (function for page in pages for function in page["Functions"])
        return {one["Description"].removeprefix(ours): one for one in found if one["Description"].startswith(ours)}

    def function(self, name: str) -> str:
        """The physical name of a function of this stage."""
        return str(self.functions()[name]["FunctionName"])

    def sweep(self) -> None:
        """One round of the sweeper, as its schedule would call it."""
        answer = self.aws("lambda").invoke(FunctionName=self.function("sweeper"), Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()

    def put_dead_letter(self, queue: str, message: Any) -> None:
        """Put a message where those lie that could not be taken in."""
        client = self.aws("lambda")
        told = client.get_function_configuration(FunctionName=self.function("dead_letters_api"))["Environment"]
        for entry in told["Variables"]["DARKROOM_DEAD_LETTER_QUEUES"].split(","):
            name, url, _ = entry.split("|")
            if name == queue:
                self.aws("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(message))

    def on_its_way(self) -> int:
        """Invocations, notices of the simulator and messages in the queue of events that nobody has taken in yet."""
        queues = http().get(f"{self.stack.sagemaker}/_simulator/queues").json()
        waiting = sum(counts["waiting"] + counts["running"] for counts in queues["endpoints"].values())
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        urls = [self.stack.outputs[name] for name in ("EventsQueueUrl", "ProgressQueueUrl")]
        told = [self.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
        messages = sum(int(attributes[name]) for attributes in told for name in names)
        return int(waiting + queues["unsent_notices"] + messages)

    def objects(self, prefix: str) -> list[str]:
        """Keys in the pictures bucket."""
        found = self.aws("s3").list_objects_v2(Bucket=self.stack.outputs["PicturesBucket"], Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]


@cache
def http() -> httpx.Client:
    """One client for all tests: each new one loads the certificates, which takes longer than a call."""
    return httpx.Client(trust_env=False, timeout=60)


@cache
def aws(service: str, url: str) -> Any:
    """A client of the local AWS at `url` with the account's own credentials. It is made once: tests ask again and again
    until something has happened, and to make a client takes longer than to ask."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def txt2img(**parameters: Any) -> dict[str, Any]:
    """A job that the seeded checkpoint can do, on the seeded endpoint: a function may remember others for seconds
    that another test has deleted."""
    return {
        "type": "txt2img",
        "checkpoint": CHECKPOINT,
        "endpoint": ENDPOINT,
        "parameters": {"prompt": "a pier", "seed": 1, **parameters},
    }


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # All logs hold all they ever would, so that what should not stand there is found at the end.
    os.environ["DARKROOM_LOG_LEVEL"] = "DEBUG"
    path = Path(os.environ.get("DARKROOM_E2E_HOME") or tmp_path_factory.mktemp("darkroom"))
    home = Home(path)
    yield home
    running = stack.running(home)
    told = leaks(home, aws("logs", running.aws), [home.key_file.read_text()]) if running else []
    stack.down(home)
    assert told == []


@pytest.fixture
def darkroom(home: Home) -> Iterator[Running]:
    started = stack.running(home) or stack.up(home, print)
    key = home.key_file.read_text()
    with Darkroom(started.api, key) as client:
        running = Running(home, started, client, key)
        running.knobs()
        yield running
        running.knobs()
