"""The keys table in DynamoDB and the first admin key in Secrets Manager.

Besides the keys, under the SHA-256 of their secrets, the table holds a row `name#<name>` for each name (which keys
were last made for it, so that two at once cannot make a third), rows `idem#<SHA-256>` (which key an `Idempotency-Key`
made), rows `claim#<SHA-256>` (see `claims.py`) and rows `pace#<key>#<minute>` that count requests.
The index `by_id` holds the keys alone: no other row has its partition attribute.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from darkroom.errors import Busy
from darkroom.idempotency import Idempotency
from darkroom.keys.model import Key, Limits
from darkroom.keys.ports import IdempotencyRecord, KeyWrite, Listed
from darkroom.tables import KEYS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_secretsmanager import SecretsManagerClient

Item = dict[str, Any]
_INDEX = KEYS.indexes[0]
_LISTED = {"S": "key"}
_REMOVE_TRIES = 4
_COUNT_SECONDS = 180
"""How long a count of requests is kept after its minute began."""


class DynamoKeys:
    """`darkroom.keys.ports.KeyStore` on DynamoDB. `fail_fast` gives the client that notes the last use of a key, for
    which no request should wait."""

    def __init__(
        self, client: "DynamoDBClient", table: str, fail_fast: Callable[[], "DynamoDBClient"] | None = None
    ) -> None:
        self._client = client
        self._table = table
        self._fail_fast = fail_fast or (lambda: client)

    def find(self, digest: str) -> Key | None:
        """See `KeyStore.find`: one consistent GetItem, so that a key that was just withdrawn is not found."""
        item = self._client.get_item(TableName=self._table, Key=_key(digest), ConsistentRead=True).get("Item")
        return _from_item(item) if item else None

    def note_use(self, digest: str, hour: str) -> None:
        """See `KeyStore.note_use`: one conditional UpdateItem, which never creates a row."""
        client = self._fail_fast()
        client.update_item(
            TableName=self._table,
            Key=_key(digest),
            UpdateExpression="SET last_used = :hour",
            ConditionExpression="attribute_exists(#hash)",
            ExpressionAttributeNames={"#hash": KEYS.partition},
            ExpressionAttributeValues={":hour": {"S": hour}},
        )

    def held(self, name: str) -> frozenset[str]:
        """See `KeyStore.held`: one consistent GetItem."""
        item = self._client.get_item(TableName=self._table, Key=_name_key(name), ConsistentRead=True).get("Item")
        return frozenset(item["digests"]["SS"]) if item else frozenset()

    def add(self, write: KeyWrite, used: Idempotency | None) -> bool:
        """See `KeyStore.add`: one TransactWriteItems."""
        puts = [self._put_key(write), self._put_name(write)]
        if used:
            # TTL deletes rows days late; an expired one counts no more.
            unused = {
                "ConditionExpression": "attribute_not_exists(#hash) OR expires_at <= :now",
                "ExpressionAttributeNames": {"#hash": KEYS.partition},
                "ExpressionAttributeValues": {":now": {"N": str(used.now)}},
            }
            puts.append(self._put(_record(used, write.digest, used.expires_at), unused))
        return self._transact(puts)

    def idempotency_record(self, row_id: str) -> IdempotencyRecord | None:
        """See `KeyStore.idempotency_record`: one consistent GetItem."""
        item = self._client.get_item(TableName=self._table, Key=_key(row_id), ConsistentRead=True).get("Item")
        return IdempotencyRecord(item["digest"]["S"], item["made"]["S"], int(item["expires_at"]["N"])) if item else None

    def renew(self, write: KeyWrite, record: IdempotencyRecord, used: Idempotency) -> bool:
        """See `KeyStore.renew`: one TransactWriteItems."""
        exists = {
            "ConditionExpression": "attribute_exists(#hash)",
            "ExpressionAttributeNames": {"#hash": KEYS.partition},
        }
        unchanged = {
            "ConditionExpression": "made = :made",
            "ExpressionAttributeValues": {":made": {"S": record.key}},
        }
        return self._transact(
            [
                {"Delete": {"TableName": self._table, "Key": _key(record.key), **exists}},
                self._put_key(write),
                self._put_name(write),
                self._put(_record(used, write.digest, record.expires_at), unchanged),
            ]
        )

    def _put_key(self, write: KeyWrite) -> Item:
        new = {
            "ConditionExpression": "attribute_not_exists(#hash)",
            "ExpressionAttributeNames": {"#hash": KEYS.partition},
        }
        return self._put(_item(write.key, write.digest), new)

    def _put_name(self, write: KeyWrite) -> Item:
        condition: Item = {"ConditionExpression": "attribute_not_exists(digests)"}
        if write.held:
            condition = {
                "ConditionExpression": "digests = :held",
                "ExpressionAttributeValues": {":held": {"SS": sorted(write.held)}},
            }
        digests = {"digests": {"SS": sorted(write.holds)}, "expires_at": {"N": str(write.until)}}
        return self._put(_name_key(write.key.name) | digests, condition)

    def _put(self, item: Item, condition: Item) -> Item:
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _transact(self, writes: list[Any]) -> bool:
        """Whether everything was written; if not, a row was changed since it was read, or is being changed now."""
        try:
            self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException:
            return False
        return True

    def page(self, before: str | None, limit: int) -> Listed:
        """See `KeyStore.page`: one Query of `by_id`."""
        answer = self._query(before, "<", limit)
        following = answer["LastEvaluatedKey"]["id"]["S"] if "LastEvaluatedKey" in answer else None
        return Listed([_from_item(item) for item in answer["Items"]], following)

    def remove(self, key_id: str) -> bool:
        """See `KeyStore.remove`: one Query of `by_id`, one DeleteItem.

        The index is a moment behind the table: the key may have a new secret by now, and then the row of its name says
        where it is stored. A key that is in the index and not in the table any more counts as removed, because the
        answer to an earlier try may have been lost.
        """
        found = self._query(key_id, "=", 1)["Items"]
        if not found:
            return False
        digest: str | None = found[0][KEYS.partition]["S"]
        for _ in range(_REMOVE_TRIES):
            if digest is None or self._delete(digest):
                return True
            digest = self._held_with(found[0]["owner"]["S"], key_id)
        raise Busy("keys_busy", "This key is given another secret at this moment; try again.")

    def _delete(self, digest: str) -> bool:
        """Whether there was such a row."""
        answer = self._client.delete_item(TableName=self._table, Key=_key(digest), ReturnValues="ALL_OLD")
        return bool(answer.get("Attributes"))

    def _held_with(self, name: str, key_id: str) -> str | None:
        """The digest that a name's key with this id is stored under now; None when it is gone."""
        found = {digest: self.find(digest) for digest in self.held(name)}
        return next((digest for digest, key in found.items() if key and key.id == key_id), None)

    def _query(self, key_id: str | None, comparison: str, limit: int) -> Any:
        values = {":listed": _LISTED} | ({":id": {"S": key_id}} if key_id else {})
        return self._client.query(
            TableName=self._table,
            IndexName=_INDEX.name,
            KeyConditionExpression="#listed = :listed" + (f" AND id {comparison} :id" if key_id else ""),
            ExpressionAttributeNames={"#listed": _INDEX.partition},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )


class DynamoCounts:
    """`darkroom.keys.ports.Counts` on DynamoDB: a row a key and minute, gone soon after."""

    def __init__(self, client: Callable[[], "DynamoDBClient"], table: str) -> None:
        self._client = client
        self._table = table

    def add(self, key: str, minute: int, count: int) -> int:
        """See `Counts.add`: one UpdateItem."""
        client = self._client()
        answer = client.update_item(
            TableName=self._table,
            Key=_key(f"pace#{key}#{minute}"),
            UpdateExpression="ADD requests :count SET expires_at = :end",
            ExpressionAttributeValues={":count": {"N": str(count)}, ":end": {"N": str(minute * 60 + _COUNT_SECONDS)}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["requests"]["N"])


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


def _key(digest: str) -> Item:
    return {KEYS.partition: {"S": digest}}


def _name_key(name: str) -> Item:
    return _key(f"name#{name}")


def _record(used: Idempotency, key_digest: str, expires_at: int) -> Item:
    """The row of an `Idempotency-Key`: the digest of its request, and the digest that its key is stored under."""
    return _key(used.row_id) | {
        "digest": {"S": used.digest},
        "made": {"S": key_digest},
        "expires_at": {"N": str(expires_at)},
    }


_LIMITS = ("requests_per_minute", "open_jobs")


def _item(key: Key, digest: str) -> Item:
    texts = {
        _INDEX.partition: _LISTED["S"],
        "id": key.id,
        "owner": key.name,
        "role": key.role,
        "prefix": key.prefix,
        "created_at": key.created_at,
    }
    numbers = {"expires_at": key.expires_at} | {name: getattr(key.limits, name) for name in _LIMITS}
    return (
        _key(digest)
        | {name: {"S": text} for name, text in texts.items()}
        | {name: {"N": str(number)} for name, number in numbers.items() if number is not None}
    )


def _from_item(item: Item) -> Key:
    limits = {name: int(item[name]["N"]) for name in _LIMITS if name in item}
    return Key(
        id=item["id"]["S"],
        name=item["owner"]["S"],
        role=item["role"]["S"],
        prefix=item["prefix"]["S"],
        created_at=item["created_at"]["S"],
        expires_at=int(item["expires_at"]["N"]),
        last_used=item["last_used"]["S"] if "last_used" in item else None,
        limits=Limits(**limits),
    )
