"""What may never be written down, whatever level a log has."""

import logging

TALKATIVE = ("PIL", "boto3", "botocore", "httpcore", "s3transfer", "urllib3")
"""At DEBUG these write bodies, credentials, signed addresses, and what stands inside pictures."""


def hold_libraries() -> None:
    """Keep the libraries that see what people send above DEBUG, even where the root logger is set to it (as Lambda's
    application log level does)."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)
