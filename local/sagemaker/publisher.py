"""Sends the notices of the backlog, one after the other."""

import asyncio
import logging

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.aws import Cloud
from local.sagemaker.backlog import Backlog
from local.sagemaker.clock import Clock

RETRY_SECONDS = 1.0
TICK_SECONDS = 0.05

log = logging.getLogger(__name__)


async def publish_for_ever(backlog: Backlog, cloud: Cloud, clock: Clock) -> None:
    """Send the due notices, again at every tick.

    A notice that SNS refuses (there is no such topic) is dropped, as SageMaker's metric NotificationFailures implies.
    While SNS does not answer, a notice waits.
    """
    while True:
        while notice := backlog.next_notice(clock()):
            number, topic, message = notice
            try:
                await cloud.publish(topic, message)
            except ClientError as error:
                log.warning("notice %d refused by %s: %s", number, topic, error.response["Error"]["Code"])
            except BotoCoreError:
                backlog.postpone_notice(number, clock() + RETRY_SECONDS)
                continue
            backlog.notice_sent(number)
        await asyncio.sleep(TICK_SECONDS)
