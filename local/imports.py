"""Teaches MiniStack's CloudFormation to import global tables and secrets, as AWS's does (CloudFormation User Guide,
"Resource type support", column Import)."""

from typing import Any

from ministack.services.cloudformation import provisioners


def install() -> None:
    """Change MiniStack in this process."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::DynamoDB::GlobalTable"]["import"] = handlers["AWS::DynamoDB::Table"]["import"]
    handlers["AWS::SecretsManager::Secret"]["import"] = secret


def secret(identifier: dict[str, Any]) -> Any:
    """The physical id and the attributes of a secret that is there already; its identifier is its ARN."""
    return identifier["Id"], {"Id": identifier["Id"]}
