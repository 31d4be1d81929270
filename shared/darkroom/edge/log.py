"""The logger of a function: each line is a JSON object, written by Powertools."""

import os

from aws_lambda_powertools import Logger

from darkroom.logs import add_keys


def logger() -> Logger:
    """The function's logger, the same at every call.

    Powertools names a logger after its service. This one has the package's name, which makes it the parent of every
    `logging.getLogger(__name__)` in the package: lines of the features then have the same format and keys.
    """
    found = Logger(service="darkroom")
    found.append_keys(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "darkroom"))
    found.registered_handler.addFilter(add_keys)
    return found
