"""Claims of idempotency keys, in the keys table."""

from typing import TYPE_CHECKING

from darkroom.idempotency import Idempotency
from darkroom.tables import KEYS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class DynamoClaims:
    """`darkroom.idempotency.ClaimStore` on DynamoDB: a row `claim#<SHA-256>` a key, gone some time after a day."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, used: Idempotency) -> bool:
        """See `ClaimStore.claim`: one conditional UpdateItem."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={KEYS.partition: {"S": used.claim_id}},
                UpdateExpression="SET digest = :digest, expires_at = :end",
                # TTL deletes rows days late; an expired one counts no more.
                ConditionExpression="attribute_not_exists(#hash) OR expires_at <= :now OR digest = :digest",
                ExpressionAttributeNames={"#hash": KEYS.partition},
                ExpressionAttributeValues={
                    ":digest": {"S": used.digest},
                    ":end": {"N": str(used.expires_at)},
                    ":now": {"N": str(used.now)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
