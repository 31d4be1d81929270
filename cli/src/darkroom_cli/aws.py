"""Reading a deployed stage's address and first admin key from AWS. Needs the extra `aws`."""

import json
import os
from typing import Any

from darkroom_cli.extras import extra_missing
from darkroom_cli.logins import Login, checked
from darkroom_client import Failure


def login(stage: str, region: str | None, profile: str | None) -> Login:
    """Address and first admin key of a stage, read with the person's own AWS credentials. None for `region` or
    `profile` means that of the environment or the AWS configuration.

    Raises Failure when boto3 is missing, and when the stage or the secret cannot be read.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise extra_missing("aws") from None
    try:
        # boto3 reads AWS_DEFAULT_REGION alone; the CDK, which deployed the stage, prefers AWS_REGION.
        where = region or os.environ.get("AWS_REGION")
        session = boto3.session.Session(region_name=where, profile_name=profile)
        found = _outputs(session.client("cloudformation"), stage)
        text = session.client("secretsmanager").get_secret_value(SecretId=found["AdminSecretArn"])["SecretString"]
        return checked(found["ApiUrl"], str(json.loads(text)["secret"]))
    except (BotoCoreError, ClientError) as error:
        raise Failure(f"The stage {stage} cannot be read: {error}") from error
    except KeyError as missing:
        raise Failure(f"The stage {stage} has no {missing.args[0]}: is it a stage of Darkroom?") from None


def _outputs(cloudformation: Any, stage: str) -> dict[str, str]:
    """The outputs of both stacks of a stage, by their names."""
    found: dict[str, str] = {}
    for part in ("data", "service"):
        [stack] = cloudformation.describe_stacks(StackName=f"Darkroom-{stage}-{part}")["Stacks"]
        found |= {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return found
