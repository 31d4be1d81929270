"""Handling messages of an SQS queue: each by itself, and only the failed ones return to the queue."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from darkroom import logs
from darkroom.edge.log import logger


def handle(event: dict[str, Any], context: Any, receive: Callable[[str], str | None]) -> Any:
    """Call `receive` with each message's body; returns Lambda's answer, which says which messages failed.

    A failed message is delivered again; after its last try SQS moves it to the dead-letter queue. `receive` returns a
    text for the log, None for a message that asked for nothing. A batch in which every message fails is no error of the
    function, because Lambda would then read the queue more slowly.
    """
    log = logger()

    def receive_record(record: SQSRecord) -> None:
        with logs.job(None):
            try:
                about = receive(record.body)
            except Exception as error:
                log.warning(
                    "message failed",
                    extra={
                        "message_id": record.message_id,
                        "error": type(error).__name__,
                        "attempt": record.attributes.approximate_receive_count,
                    },
                )
                raise
            write = log.debug if about is None else log.info
            write("message", extra={"message_id": record.message_id, "about": about or "nothing to do"})

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with logs.request(context.aws_request_id):
        return process_partial_response(
            event=event,
            record_handler=receive_record,
            processor=processor,
            context=context,
        )
