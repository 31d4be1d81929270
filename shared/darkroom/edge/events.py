"""Queue messages behind SQS: each on its own, the failed ones given back to the queue."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from darkroom import logs
from darkroom.edge.log import logger


def handle(event: dict[str, Any], context: Any, receive: Callable[[str], str]) -> Any:
    """Hand each message's body to `receive` and answer which ones failed.

    A failed message comes again and, after its last try, lies in the dead-letter queue. `receive`
    returns what it acted on, for the log. The whole batch failing is no error of the function: Lambda
    would slow its pollers down for it.
    """
    lines = logger()

    def receive_record(record: SQSRecord) -> None:
        with logs.job(None):
            try:
                acted_on = receive(record.body)
            except Exception as error:
                lines.warning(
                    "message failed",
                    extra={
                        "message_id": record.message_id,
                        "error": type(error).__name__,
                        "attempt": record.attributes.approximate_receive_count,
                    },
                )
                raise
            lines.info("message", extra={"message_id": record.message_id, "about": acted_on})

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with logs.request(context.aws_request_id):
        return process_partial_response(
            event=event,
            record_handler=receive_record,
            processor=processor,
            context=context,
        )
