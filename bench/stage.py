"""A running local stage as its operator sees it: AWS behind its back, the sweeper, what is still on its way."""

from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import versions
from local.sagemaker.aws import session
from local.seed import REGION
from local.stack import Stack

DOWN = (BotoCoreError, ClientError, httpx.HTTPError)
"""What calls raise while a part of the stack is being killed or started."""


class Stage:
    """Calls are sent as the account itself; they raise one of `DOWN` while the stack is broken."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.aws: Callable[[str], Any] = cache(self._client)
        self._names: dict[str, str] = {}

    def function(self, name: str) -> str:
        """The physical name of a function."""
        if not self._names:
            for page in self.aws("lambda").get_paginator("list_functions").paginate():
                for function in page["Functions"]:
                    before, _, short = function["Description"].partition(": ")
                    if before == "Darkroom local":
                        self._names[short] = function["FunctionName"]
        return self._names[name]

    def sweep(self) -> str | None:
        """One round of the sweeper, now instead of in five minutes; the error it ended with, if any."""
        answer = self.aws("lambda").invoke(FunctionName=self.function("sweeper"), Payload=b"{}")
        payload = answer["Payload"].read().decode(errors="replace")
        return payload if "FunctionError" in answer else None

    def environment(self, function: str) -> dict[str, str]:
        """The environment of a function."""
        told = self.aws("lambda").get_function_configuration(FunctionName=self.function(function))
        variables: dict[str, str] = told["Environment"]["Variables"]
        return variables

    def set_environment(self, function: str, variables: dict[str, str]) -> None:
        """Give a function another environment; it starts anew with it."""
        client, name = self.aws("lambda"), self.function(function)
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        versions.publish(client, name)

    def knobs(self, **settings: Any) -> None:
        """Turn the simulator's knobs; those not named go back to their defaults."""
        answer = httpx.put(f"{self.stack.sagemaker}/_simulator/knobs", json=settings, trust_env=False)
        answer.raise_for_status()

    def on_its_way(self) -> int:
        """Invocations, notices and messages that nobody has taken in yet."""
        told = httpx.get(f"{self.stack.sagemaker}/_simulator/queues", trust_env=False).json()
        waiting = sum(counts["waiting"] + counts["running"] for counts in told["endpoints"].values())
        messages = self._messages(self._queue()) + self._messages(self.stack.outputs["ProgressQueueUrl"])
        return int(waiting + told["unsent_notices"] + messages)

    def visibility(self, seconds: int | None = None) -> int:
        """How long a message is kept from others once a function has taken it; set to `seconds` when they are
        given, and what it was before is returned."""
        client, name = self.aws("sqs"), "VisibilityTimeout"
        before = int(client.get_queue_attributes(QueueUrl=self._queue(), AttributeNames=[name])["Attributes"][name])
        if seconds is not None:
            client.set_queue_attributes(QueueUrl=self._queue(), Attributes={name: str(seconds)})
        return before

    def batches_at_once(self, most: int | None = None) -> int:
        """How many batches of messages are handled side by side, each by a process that must start first; set to
        `most` when it is given, and what it was before is returned."""
        client = self.aws("lambda")
        name = self.function("job_events")
        (feed,) = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        before = int(feed["ScalingConfig"]["MaximumConcurrency"])
        if most is not None:
            client.update_event_source_mapping(UUID=feed["UUID"], ScalingConfig={"MaximumConcurrency": most})
        return before

    def dead_letters(self) -> dict[str, int]:
        """How many messages lie in each dead-letter queue."""
        listed = self.environment("dead_letters_api")["DARKROOM_DEAD_LETTER_QUEUES"].split(",")
        return {name: self._messages(url) for name, url, _ in (entry.split("|") for entry in listed)}

    def objects(self, prefix: str) -> list[str]:
        """All keys under a prefix of the pictures bucket."""
        pages = self.aws("s3").get_paginator("list_objects_v2")
        bucket = self.stack.outputs["PicturesBucket"]
        found = pages.paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in found for entry in page.get("Contents", [])]

    def _queue(self) -> str:
        return self.stack.outputs["EventsQueueUrl"]

    def _messages(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def _client(self, service: str) -> Any:
        config = Config(
            connect_timeout=2,
            # The sweeper is waited for, however long its round takes.
            read_timeout=280 if service == "lambda" else 30,
            retries={"total_max_attempts": 1},
            proxies={},
            s3={"addressing_style": "path"},
        )
        return session(REGION).client(service, endpoint_url=self.stack.aws, config=config)  # type: ignore[call-overload]
