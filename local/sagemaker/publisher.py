"""Sends the notices that the backlog keeps, one after the other."""

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
    """Send what is due, look again every tick.

    SNS refusing a notice (no such topic) ends it, as SageMaker's metric NotificationFailures says it does;
    SNS being away only postpones it.
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
