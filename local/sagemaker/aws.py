"""S3, SNS and CloudWatch: inputs, results, notices, and the alarms that wake an endpoint."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient

T = TypeVar("T")


class Cloud:
    """Calls rise as botocore's own errors; a caller that is cancelled does not wait for its call."""

    def __init__(self, endpoint: str, region: str) -> None:
        session, config = calls(region)
        self._s3: S3Client = session.client("s3", endpoint_url=endpoint, config=config)
        self._sns: SNSClient = session.client("sns", endpoint_url=endpoint, config=config)
        self._cloudwatch: CloudWatchClient = session.client("cloudwatch", endpoint_url=endpoint, config=config)

    async def read(self, location: str) -> bytes:
        """The object at an S3 URI."""
        bucket, key = split(location)
        return await in_thread(lambda: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    async def write(self, location: str, content: bytes, content_type: str) -> None:
        """Put `content` at an S3 URI."""
        bucket, key = split(location)
        await in_thread(lambda: self._s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type))

    async def publish(self, topic: str, message: str) -> None:
        """Send `message` to a topic's ARN."""
        await in_thread(lambda: self._sns.publish(TopicArn=topic, Message=message))

    async def alarms(self) -> "list[MetricAlarmTypeDef]":
        """Every metric alarm of CloudWatch."""
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate
        return await in_thread(lambda: [alarm for page in pages() for alarm in page["MetricAlarms"]])


def calls(region: str) -> tuple[boto3.Session, Config]:
    """How AWS is called from here: a session and the configuration of its clients.

    The calls say that they came over TLS, as a proxy in front of AWS would: policies that want it hold
    where IAM is enforced, though everything on this machine speaks plain HTTP.
    """
    session = boto3.Session("test", "test", region_name=region)
    session.events.register("before-send", _over_tls)
    # No proxies: it is always a server on this machine.
    config = Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
        connect_timeout=2,
        read_timeout=15,
        max_pool_connections=32,
        proxies={},
    )
    return session, config


def _over_tls(request: AWSPreparedRequest, **_: object) -> None:
    request.headers["X-Forwarded-Proto"] = "https"


def split(location: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key` (the `https` form of the patterns is not taken)."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a daemon thread: an executor's threads would hold up the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(set_it: Callable[[], None]) -> None:
        if not future.done():
            set_it()

    def run() -> None:
        try:
            tell = partial(future.set_result, call())
        except Exception as error:
            tell = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, tell)

    threading.Thread(target=run, daemon=True).start()
    return await future
