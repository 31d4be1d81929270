"""The simulator's calls of AWS: inputs and results in S3, notices on SNS, both with a model's role, and the alarms of
CloudWatch."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.sagemaker.clock import Clock

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient

T = TypeVar("T")
SAGEMAKER = "SageMaker"
"""The session in which SageMaker uses a role."""
CREDENTIALS_SECONDS = 1800
"""How long the credentials of a role are used; those of AssumeRole are valid for an hour."""


@dataclass(frozen=True)
class Credentials:
    """Credentials of a role; without a token, those of the account. `expires` is ISO 8601."""

    key: str
    secret: str
    token: str | None = None
    expires: str | None = None


ACCOUNT = Credentials("test", "test")


@dataclass(frozen=True)
class Clients:
    """Clients of one role, to be used until `until` (epoch seconds)."""

    s3: "S3Client"
    sns: "SNSClient"
    until: float


class Cloud:
    """Calls of AWS. They raise botocore's errors. A task that is cancelled does not wait for its call."""

    def __init__(self, endpoint: str, region: str, role: Callable[[], str | None], clock: Clock) -> None:
        """`role` gives the ARN of the role to use, or None for the account itself; it is called on the event loop."""
        self._endpoint = endpoint
        self._region = region
        self._role = role
        self._clock = clock
        self._kept: dict[str | None, Clients] = {}
        self._config = configuration()
        self._cloudwatch: CloudWatchClient = session(region).client(
            "cloudwatch", endpoint_url=endpoint, config=self._config
        )

    async def credentials(self) -> Credentials | None:
        """New credentials of the role; None while there is no role."""
        role = self._role()
        return await in_thread(lambda: self._assume(role)) if role else None

    async def read(self, location: str) -> bytes:
        """The object at an S3 URI."""
        role, (bucket, key) = self._role(), split(location)
        return await in_thread(lambda: self._as(role).s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    async def write(self, location: str, content: bytes, content_type: str) -> None:
        """Put `content` at an S3 URI."""
        role, (bucket, key) = self._role(), split(location)
        await in_thread(
            lambda: self._as(role).s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)
        )

    async def publish(self, topic: str, message: str) -> None:
        """Send `message` to a topic's ARN."""
        role = self._role()
        await in_thread(lambda: self._as(role).sns.publish(TopicArn=topic, Message=message))

    def holds(self, prefix: str, role: str | None) -> bool:
        """Whether a role can read the first object under an S3 prefix. It blocks for these two calls."""
        bucket, key = split(prefix)
        try:
            s3 = self._as(role).s3
            found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
            return bool(found) and bool(s3.head_object(Bucket=bucket, Key=found[0]["Key"]))
        except ClientError:
            return False

    async def alarms(self) -> "list[MetricAlarmTypeDef]":
        """Every metric alarm of CloudWatch, read with the account's own credentials."""
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate
        return await in_thread(lambda: [alarm for page in pages() for alarm in page["MetricAlarms"]])

    def _as(self, role: str | None) -> Clients:
        """Clients of a role. Two threads may create them at the same time; that does no harm."""
        kept = self._kept.get(role)
        if kept is None or kept.until < self._clock():
            own = session(self._region, self._assume(role) if role else ACCOUNT)
            s3 = own.client("s3", endpoint_url=self._endpoint, config=self._config)
            sns = own.client("sns", endpoint_url=self._endpoint, config=self._config)
            kept = self._kept[role] = Clients(s3, sns, self._clock() + CREDENTIALS_SECONDS)
        return kept

    def _assume(self, role: str) -> Credentials:
        sts = session(self._region).client("sts", endpoint_url=self._endpoint, config=self._config)
        answer = sts.assume_role(RoleArn=role, RoleSessionName=SAGEMAKER)["Credentials"]
        expires = answer["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], expires)


def session(region: str, credentials: Credentials = ACCOUNT) -> boto3.Session:
    """A session of a role, or of the account itself."""
    return boto3.Session(credentials.key, credentials.secret, credentials.token, region)


def configuration() -> Config:
    """The configuration of all clients: short timeouts and no retries, for callers retry by themselves."""
    return Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
        connect_timeout=2,
        read_timeout=15,
        max_pool_connections=32,
        # The server is always on this machine.
        proxies={},
    )


def split(location: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key` (the `https` form of the patterns is not taken)."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a daemon thread; returns its result. Not in an executor, whose threads would delay the end
    of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(set_it: Callable[[], None]) -> None:
        if not future.done():
            set_it()

    def run() -> None:
        try:
            set_it = partial(future.set_result, call())
        except Exception as error:
            set_it = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, set_it)

    threading.Thread(target=run, daemon=True).start()
    return await future
