"""`python -m infra.first_key <stage>`: the address of a deployed stage and its first admin key.

Needs AWS credentials that may read the stacks and the secret.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def outputs(stage: str) -> dict[str, str]:
    """The outputs of both stacks of a stage; raises ClientError when one is not there."""
    client = boto3.client("cloudformation")
    found: dict[str, str] = {}
    for part in ("data", "service"):
        [stack] = client.describe_stacks(StackName=f"Darkroom-{stage}-{part}")["Stacks"]
        found |= {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return found


def first_key(secret: str) -> str:
    """The key that lies in the secret of this ARN."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    return str(json.loads(text)["secret"])


def main(arguments: list[str]) -> int:
    """Print address and key; 1 with the reason when they cannot be read."""
    if len(arguments) != 1:
        print("Say which stage: python -m infra.first_key dev", file=sys.stderr)
        return 2
    try:
        found = outputs(arguments[0])
        print(f"API  {found['ApiUrl'].rstrip('/')}")
        print(f"key  {first_key(found['AdminSecretArn'])}")
    except (ClientError, BotoCoreError) as error:
        print(f"The stage {arguments[0]!r} cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
