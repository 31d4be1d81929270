"""S3 and SQS for the jobs of the check: on this machine, or a bucket and a queue of the person's own.

Needs the extra `worker`; boto3 and moto are imported when a place is made.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from darkroom_cli.extras import extra_missing
from darkroom_client import Failure

REGION = "us-east-1"
SECRET = "darkroom-check"  # noqa: S105 - S3 on this machine takes any
ACCOUNT = "123456789012"
QUEUE = "progress"
LEADS_ELSEWHERE = ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS")
"""Variables of a person's shell by which a worker would miss S3 on this machine."""


@dataclass(frozen=True)
class Message:
    """A message of progress: its text, and when it was sent, in epoch seconds."""

    text: str
    at: float


@dataclass
class Place:
    """A bucket for pictures, a bucket for model files, a queue of progress (None: jobs get none), and the `variables`
    that a container needs to reach them."""

    s3: Any
    sqs: Any
    bucket: str
    models: str
    queue: str | None
    variables: dict[str, str] = field(default_factory=dict)
    seen: list[Message] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> str:
        """Stores an input of a job, or a marker; returns its S3 URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=content_type)
        self.stored.add(key)
        return f"s3://{self.bucket}/{key}"

    def put_model(self, path: Path, key: str) -> dict[str, Any]:
        """Stores a model file; what a job says of it. Raises OSError when it cannot be read."""
        with path.open("rb") as content:
            self.s3.put_object(Bucket=self.models, Key=key, Body=content)
        return self.model(f"s3://{self.models}/{key}")

    def model(self, uri: str) -> dict[str, Any]:
        """What a job says of a model file that is in S3 already. Raises Failure when it is not there."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        told: dict[str, Any] = {"name": key.rpartition("/")[2], "s3": uri}
        try:
            head = self.s3.head_object(Bucket=bucket, Key=key)
        except self.s3.exceptions.ClientError as error:
            raise Failure(f"The model file {uri} cannot be read: {error}") from error
        return {**told, "bytes": head["ContentLength"], "etag": head["ETag"].strip('"')}

    def get(self, key: str) -> tuple[bytes, str] | None:
        """An object's bytes and content type, None when it is not there."""
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=key)
        except self.s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return found["Body"].read(), found.get("ContentType", "")

    def keys(self, prefix: str) -> set[str]:
        """The keys of the objects under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def messages(self, job_id: str) -> list[Message]:
        """The messages of progress that came until now and name this job anywhere, in the order of their sending; all
        of them for ""."""
        while self.queue:
            asked = self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SentTimestamp"]
            )
            if not (came := asked.get("Messages", [])):
                break
            for message in came:
                self.seen.append(Message(message["Body"], int(message["Attributes"]["SentTimestamp"]) / 1000))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return sorted((each for each in self.seen if job_id in each.text), key=lambda each: each.at)

    def tidy(self, jobs: list[str]) -> None:
        """Deletes what the check put into a bucket of the person's own, and what the worker stored for its jobs."""
        keys = self.stored | {key for job in jobs for key in self.keys(f"jobs/{job}/")}
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)


@contextmanager
def on_this_machine(listen: str, port: int, address: str | None) -> Iterator[Place]:
    """S3 and SQS, empty, in threads of this process. They listen at `listen`; `address` is the name or IP address by
    which the container reaches this machine (None: `listen`).

    Raises Failure when the extra is missing or the port is taken.
    """
    try:
        import httpx
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server
    except ImportError:
        raise extra_missing("worker") from None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _bind(listen, port)
    server = make_server(listen, port, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        taken = server.server_address[1]
        reached = address or listen
        own = listen if listen != "0.0.0.0" else "127.0.0.1"  # noqa: S104 - compared, not bound
        at = f"http://{own}:{taken}"
        # moto keeps what it holds in the process, also after a server of it has ended.
        httpx.post(f"{at}/moto-api/reset", trust_env=False).raise_for_status()
        yield _place(at, f"http://{reached}:{taken}", reached)
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def of_aws(bucket: str, queue: str | None, region: str | None, profile: str | None) -> Iterator[Place]:
    """A bucket and a queue of the person's own, with their AWS credentials. What the check stored is deleted at the
    end. Raises Failure when the extra is missing, or the bucket cannot be reached."""
    boto3, errors = _boto3()
    try:
        session = boto3.session.Session(region_name=region, profile_name=profile)
        s3, sqs = session.client("s3"), session.client("sqs") if queue else None
        s3.head_bucket(Bucket=bucket)
    except errors as error:
        raise Failure(f"The bucket {bucket} cannot be reached: {error}") from error
    variables = {"AWS_REGION": session.region_name, "AWS_DEFAULT_REGION": session.region_name}
    yield Place(s3, sqs, bucket, bucket, queue, {name: value for name, value in variables.items() if value})


def faults() -> tuple[type[Exception], ...]:
    """The exceptions of boto3. Raises Failure when it is missing."""
    return _boto3()[1]


def _boto3() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import boto3
        import PIL  # noqa: F401 - looked for
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise extra_missing("worker") from None
    return boto3, (BotoCoreError, ClientError)


def _bind(listen: str, port: int) -> None:
    """Raises Failure when nothing can listen there: the server itself would end the program."""
    import socket

    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError as error:
            raise Failure(f"S3 cannot listen at {listen}:{port}: {error.strerror}. Give another --port.") from error


def _place(own: str, reached: str, host: str) -> Place:
    boto3, _ = _boto3()
    from botocore.config import Config

    session = boto3.session.Session(aws_access_key_id=SECRET, aws_secret_access_key=SECRET, region_name=REGION)
    # A proxy of the person's shell does not lead to this machine.
    direct = {"endpoint_url": own, "config": Config(proxies={})}
    s3, sqs = session.client("s3", **direct), session.client("sqs", **direct)
    # A name with an underscore cannot be part of a host name: SDKs then write the bucket into the path, and nobody
    # needs to find the address `pictures.host.docker.internal`.
    words = ("pictures", "models") if _is_address(host) else ("darkroom_pictures", "darkroom_models")
    for name in words:
        s3.create_bucket(Bucket=name)
    sqs.create_queue(QueueName=QUEUE)
    variables = {
        "AWS_ENDPOINT_URL": reached,
        "AWS_ACCESS_KEY_ID": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Place(s3, sqs, *words, f"{reached}/{ACCOUNT}/{QUEUE}", variables)


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ip_address(host.strip("[]"))
        return True
    return False


def wait_until(condition: Any, seconds: float, every: float = 0.1) -> Any:
    """Calls `condition` until what it returns is true, for at most so many seconds; returns the last value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(every)
    return found
