"""How log lines look: one JSON object each, by Powertools."""

import os

from aws_lambda_powertools import Logger

from darkroom.logs import add_keys


def logger() -> Logger:
    """The function's logger, the same at every call.

    Powertools names a logger for its service. This one is named for the package, so that it is the parent of every
    `logging.getLogger(__name__)` in it, and the lines of features come out like those of the edge.
    """
    made = Logger(service="darkroom")
    made.append_keys(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "darkroom"))
    made.registered_handler.addFilter(add_keys)
    return made
