"""Teaches MiniStack's CloudFormation to import global tables and secrets, as AWS's does (CloudFormation User Guide,
"Resource type support", column Import)."""

from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners


def install() -> None:
    """Change MiniStack in this process."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::DynamoDB::GlobalTable"]["import"] = handlers["AWS::DynamoDB::Table"]["import"]
    handlers["AWS::SecretsManager::Secret"]["import"] = secret


def secret(identifier: dict[str, Any]) -> Any:
    """The physical id and the attributes of a secret that is there already. Its identifier is its ARN; MiniStack's
    physical id of a secret is its name."""
    named = identifier["Id"]
    (found,) = (one for one in secretsmanager._secrets.values() if named in (one["ARN"], one["Name"]))
    return found["Name"], {"Id": found["ARN"]}
