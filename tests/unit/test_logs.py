"""Libraries do not log what people send, whatever the level of the root logger is."""

import logging
import subprocess
import sys

from darkroom.logs import TALKATIVE
from local.home import ROOT

SCRIPT = """
import logging
logging.basicConfig(level=logging.DEBUG)  # as Lambda's application log level does
from darkroom.aws.clients import client
from moto import mock_aws
with mock_aws():
    s3 = client("s3")
    s3.create_bucket(Bucket="pictures")
    s3.put_object(Bucket="pictures", Key="canary-key", Body=b"canary-body")
    s3.generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "canary-key"})
logging.getLogger("darkroom").debug("heard")
"""


def test_a_root_logger_at_debug_hears_nothing_of_calls_to_aws() -> None:
    environment = {
        "PYTHONPATH": str(ROOT / "shared"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
    }
    result = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert "heard" in result.stderr
    assert "canary" not in result.stderr


def test_the_debug_mode_of_powertools_prints_no_request() -> None:
    script = """
from functions.keys_api.handler import app
from tests.support.http import Context
authorizer = {"owner": "o", "role": "admin", "key": "k"}
event = {
    "path": "/nothing", "resource": "/nothing", "httpMethod": "GET", "body": "canary-body", "multiValueHeaders": {},
    "headers": {"authorization": "Bearer canary-key"},
    "requestContext": {"requestId": "r", "stage": "v1", "path": "/nothing", "authorizer": authorizer},
}
print("answered", app.resolve(event, Context())["statusCode"])
"""
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}",
        "POWERTOOLS_DEV": "true",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    result = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert "answered" in result.stdout
    assert "canary" not in result.stdout + result.stderr


def test_debug_logs_of_these_libraries_are_off() -> None:
    import darkroom.aws.clients  # noqa: F401

    for name in TALKATIVE:
        assert not logging.getLogger(f"{name}.anything").isEnabledFor(logging.DEBUG), name
