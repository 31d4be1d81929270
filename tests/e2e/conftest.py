"""The whole stage on this machine, started once for all e2e tests: the real deploy, the real worker."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from local import stack
from local.home import Home
from local.seed import CHECKPOINT
from panel.client import Darkroom
from tests.e2e.logs import NEVER, leaks

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
        httpx.put(f"{self.stack.sagemaker}/_simulator/knobs", json=settings).raise_for_status()

    def objects(self, prefix: str) -> list[str]:
        """Keys in the pictures bucket."""
        found = self.aws("s3").list_objects_v2(Bucket=self.stack.outputs["PicturesBucket"], Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]


def aws(service: str, url: str) -> Any:
    """A client of the local AWS at `url` with the account's own credentials."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def txt2img(**parameters: Any) -> dict[str, Any]:
    """A job that the seeded checkpoint can do."""
    return {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": {"prompt": "a pier", "seed": 1, **parameters}}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # All logs hold all they ever would, so that what should not stand there is found at the end.
    os.environ["DARKROOM_LOG_LEVEL"] = "DEBUG"
    path = Path(os.environ.get("DARKROOM_E2E_HOME") or tmp_path_factory.mktemp("darkroom"))
    home = Home(path)
    yield home
    running = stack.running(home)
    told = leaks(home, aws("logs", running.aws), [*NEVER, home.key_file.read_text()]) if running else []
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
