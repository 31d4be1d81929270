"""DynamoDB transactions that are tried again."""

import random
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TRANSACTION_TRIES = 4
_WORTH_ANOTHER_TRY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Cancellation codes (API reference of TransactWriteItems)."""


def transact(client: "DynamoDBClient", items: list[Any]) -> None:
    """Carry out one TransactWriteItems; raises TransactionCanceledException.

    Two transactions that look at one row at once conflict (Developer Guide, "Transaction conflict handling"), and a
    throttled item cancels the whole. Nothing was done then, and botocore does not try again, so it is done here.
    """
    for attempt in range(TRANSACTION_TRIES):
        try:
            client.transact_write_items(TransactItems=items)
            return
        except client.exceptions.TransactionCanceledException as cancelled:
            codes = {reason.get("Code") for reason in cancelled.response.get("CancellationReasons", [])}
            if not codes & _WORTH_ANOTHER_TRY or attempt == TRANSACTION_TRIES - 1:
                raise
        time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter
