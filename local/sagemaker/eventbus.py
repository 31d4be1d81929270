"""Delivers state events to the targets of the rules that match them.

PutEvents refuses every source that begins with `aws.`, at AWS and in MiniStack, so only a service itself can put such
an event onto the bus. The simulator therefore does the work of the default bus through the public API: it lists the
rules, matches the event with TestEventPattern, and sends it to the targets of the rule.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.aws import configuration, in_thread, session
from local.sagemaker.clock import Clock
from local.sagemaker.events import StateEvents

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient

RETRY_SECONDS = 1.0
TICK_SECONDS = 0.05
SUPPORTED = {"Id", "Arn", "RoleArn", "RetryPolicy", "DeadLetterConfig"}
"""Members of a target that do not change the event. A target with any other member is not supported."""

log = logging.getLogger(__name__)


class Bus:
    """The default event bus, as a service uses it."""

    def __init__(self, endpoint: str, region: str) -> None:
        account, config = session(region), configuration()
        self._events: EventBridgeClient = account.client("events", endpoint_url=endpoint, config=config)
        self._lambda: LambdaClient = account.client("lambda", endpoint_url=endpoint, config=config)
        self._sqs: SQSClient = account.client("sqs", endpoint_url=endpoint, config=config)

    async def put(self, event: dict[str, Any]) -> None:
        """Deliver an event to the targets of every enabled rule that matches it.

        Raises botocore's errors only when the rules cannot be read or AWS does not answer. A target that refuses the
        event is left out; AWS would try for a day and then give up.
        """
        await in_thread(lambda: self._put(json.dumps(event)))

    def _put(self, event: str) -> None:
        for page in self._events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                pattern = rule.get("EventPattern")
                if rule.get("State") != "ENABLED" or not pattern:
                    continue
                if self._events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
                    self._to_targets(rule["Name"], event)

    def _to_targets(self, rule: str, event: str) -> None:
        for page in self._events.get_paginator("list_targets_by_rule").paginate(Rule=rule):
            for target in page["Targets"]:
                deliver = self._delivery(target["Arn"])
                if deliver is None or not set(target) <= SUPPORTED:
                    log.warning("the target %s of rule %s is of a kind that gets no events here", target["Arn"], rule)
                    continue
                try:
                    deliver(event)
                except ClientError as error:
                    log.warning("event refused by %s: %s", target["Arn"], error.response["Error"]["Code"])

    def _delivery(self, arn: str) -> Callable[[str], object] | None:
        service, name = arn.split(":")[2], arn.rpartition(":")[2]
        if service == "lambda":
            return lambda event: self._lambda.invoke(FunctionName=arn, InvocationType="Event", Payload=event)
        if service == "sqs":
            return lambda event: self._sqs.send_message(
                QueueUrl=self._sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=event
            )
        return None


async def deliver_for_ever(events: StateEvents, bus: Bus, clock: Clock) -> None:
    """Deliver the due events in order, again at every tick. While AWS does not answer, all events wait."""
    while True:
        while found := events.next(clock()):
            number, event = found
            try:
                await bus.put(event)
            except (BotoCoreError, ClientError) as error:
                log.warning("state events wait: %s", type(error).__name__)
                events.postpone(clock() + RETRY_SECONDS)
                continue
            events.delivered(number)
        await asyncio.sleep(TICK_SECONDS)
