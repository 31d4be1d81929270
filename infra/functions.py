"""The functions of a stage. A new one is a line here and its grants in `permissions.py`; one behind the API also has
its routes in `ROUTES`."""

from dataclasses import dataclass

ALIAS = "live"
"""The alias by which everything calls a function."""
RELEASE_VARIABLE = "DARKROOM_RELEASE"
"""Names the release that a version of a function belongs to. `infra/versions.py` reads it."""
_JOBS = ("jobs_table", "models_table", "pictures_table", "feed_shards", "pictures_bucket")
"""Rows and objects of jobs."""
_MODELS = ("models_table", "models_bucket", "imports_queue_url", "pickles", "worker_image")
_API = ("keys_table", "origins")
"""For every function behind the API: it counts requests, and allows web pages to read its answers."""
_WORKER = ("worker_image", "worker_base", "worker_base_image", "worker_base_image_cpu", "package_uri", "package_engine")
_MAKING = ("instance_type", "cpu_instance_type", "region", *_WORKER)
"""What only a new endpoint needs."""
_ENDPOINTS = ("stage", "worker_role", "results_topic", "pickles", "models_bucket")
_TIMEOUTS = ("job_wait_seconds", "job_run_seconds", "settle_after_seconds")
_HAND_OVER = ("models_bucket", "progress_queue_url", "retention_days", "prices", "stage", *_TIMEOUTS)
_USAGE = ("usage_table", "retention_days", "prices")
"""What jobs and endpoints cost."""
_WAKING = ("wake_by", "sleep_after_seconds_least", "usage_table")
_LIMITS = ("max_open_jobs", "max_open_jobs_per_owner")


@dataclass(frozen=True)
class FunctionSpec:
    """The time limit of a function in seconds, and the names of those `darkroom.settings.Settings` that it reads.

    `calls_itself` is true for one that sends messages to the queue it reads: Lambda would end such a chain after about
    16 runs (Lambda Developer Guide, "Use Lambda recursive loop detection"). The steps themselves end it
    (`darkroom.steps`).
    """

    seconds: int
    settings: frozenset[str]
    calls_itself: bool = False


def _spec(seconds: int, *settings: str, calls_itself: bool = False) -> FunctionSpec:
    return FunctionSpec(seconds, frozenset(settings), calls_itself)


FUNCTIONS = {
    "authorizer": _spec(10, "keys_table", "admin_secret", "shared_history", "requests_per_minute"),
    # API Gateway gives up after 29 seconds; a GET may wait 20 seconds for its job.
    "jobs_api": _spec(29, *_API, *_JOBS, *_HAND_OVER, *_LIMITS, *_USAGE, *_WAKING, "deletions_queue_url", "version"),
    "checkpoints_api": _spec(15, *_API, *_MODELS),
    # Making an endpoint is three calls of SageMaker's, and setting up its scaling four more.
    "endpoints_api": _spec(29, *_API, *_JOBS, *_LIMITS, *_ENDPOINTS, *_MAKING, *_WAKING, "prices"),
    "costs_api": _spec(29, *_API, "jobs_table", "models_table", "pictures_table", "feed_shards", *_TIMEOUTS, *_USAGE),
    "keys_api": _spec(15, *_API),
    # It hands a job over again whose worker was stopped.
    "job_events": _spec(30, *_JOBS, *_HAND_OVER),
    "job_progress": _spec(15, "jobs_table", "models_table", "pictures_table", "feed_shards"),
    # A step begins with no job after 20 seconds; those it is at may meet AWS at its slowest.
    "job_deletions": _spec(
        120, *_JOBS, *_TIMEOUTS, "usage_table", "retention_days", "deletions_queue_url", calls_itself=True
    ),
    # A step begins no part after 40 seconds; the last part that it began may be slow.
    "checkpoint_imports": _spec(150, *_MODELS, calls_itself=True),
    # It sets up scaling, and wakes an endpoint that fell asleep while a job came.
    "endpoint_events": _spec(30, *_JOBS, *_LIMITS, *_ENDPOINTS, *_WAKING),
    # CloudFormation calls it in a deploy.
    "unpack_asset": _spec(600),
    "dead_letters_api": _spec(29, *_API, "dead_letter_queues"),
    # It is called every five minutes, and ends by itself before the time limit.
    "sweeper": _spec(240, *_JOBS, *_HAND_OVER, *_LIMITS, *_ENDPOINTS, "usage_table", "idle_hours", "idle_to_zero"),
    # It is called every minute, and waits for what is due before the next call.
    "scaler": _spec(120, *_JOBS, *_LIMITS, *_WAKING, "stage", "usage_table", "prices", "sleep_after_seconds_most"),
}

ROUTES = {
    "/ping": "jobs_api",
    "/images": "jobs_api",
    "/jobs": "jobs_api",
    "/jobs/{proxy+}": "jobs_api",
    "/checkpoints": "checkpoints_api",
    "/checkpoints/{proxy+}": "checkpoints_api",
    "/endpoints": "endpoints_api",
    "/endpoints/{proxy+}": "endpoints_api",
    "/costs": "costs_api",
    "/budgets": "costs_api",
    "/budgets/{proxy+}": "costs_api",
    "/keys": "keys_api",
    "/keys/{proxy+}": "keys_api",
    "/dead-letters": "dead_letters_api",
    "/dead-letters/{proxy+}": "dead_letters_api",
    # For unknown paths: without this line API Gateway would take their bearer key for a broken AWS signature.
    "/{proxy+}": "jobs_api",
}
"""Which function answers a path."""

AWAITED = frozenset({"authorizer", *ROUTES.values()})
"""The functions that a person waits for."""
