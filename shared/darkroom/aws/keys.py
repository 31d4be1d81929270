"""The keys table in DynamoDB and the first admin key in Secrets Manager."""

import json
import time
from typing import TYPE_CHECKING

from darkroom.keys.model import Caller

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_secretsmanager import SecretsManagerClient


class DynamoKeys:
    """`darkroom.keys.ports.KeyStore` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, digest: str) -> Caller | None:
        """See `KeyStore.find`: one GetItem. TTL deletes late, so the expiry is looked at here too."""
        item = self._client.get_item(TableName=self._table, Key={"hash": {"S": digest}}).get("Item")
        if item is None or ("expires_at" in item and int(item["expires_at"]["N"]) <= time.time()):
            return None
        return Caller(owner=item["owner"]["S"], role=item["role"]["S"])  # type: ignore[arg-type]


class SecretsManagerAdmin:
    """`darkroom.keys.ports.AdminSecret` on Secrets Manager."""

    def __init__(self, client: "SecretsManagerClient", secret: str) -> None:
        self._client = client
        self._secret = secret

    def read(self) -> str | None:
        """See `AdminSecret.read`: one GetSecretValue."""
        try:
            text = self._client.get_secret_value(SecretId=self._secret)["SecretString"]
        except self._client.exceptions.ResourceNotFoundException:
            return None
        value = json.loads(text).get("secret")
        return value if isinstance(value, str) and value else None
