"""The names and limits of the contract (`docs/worker-contract.md`): copies, which a test compares with Darkroom's."""

PICTURES_OF: dict[str, tuple[str, ...]] = {
    "txt2img": (),
    "img2img": ("init",),
    "extras": ("init",),
    "interrogate_clip": ("init",),
    "interrogate_deepbooru": ("init",),
}
"""The types of jobs, each with the pictures that it needs in any mode."""
MODES: dict[str, tuple[str, ...]] = {
    "img2img": (),
    "sketch": (),
    "inpaint": ("mask",),
    "inpaint_sketch": ("sketch",),
    "inpaint_upload": ("mask",),
}
"""The modes of img2img, each with the pictures that it needs besides."""
CAPTIONED = ("interrogate_clip", "interrogate_deepbooru")
"""The types that a caption answers; pictures answer the others."""
CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
"""What a key may end in, and the content type of its object."""
MAX_PAINTED = 128
MAX_KEY = 256
MAX_SIDE = 65_535
MAX_SEED = 2**64 - 1
MAX_ANSWER_BYTES = 24 * 1024 * 1024
SMALL_ANSWER_BYTES = 128 * 1024
MAX_CODE, MAX_MESSAGE = 64, 2_000
MAX_NOTICES, MAX_NOTICE = 16, 300
MAX_COMPONENT_BYTES = 12 * 1024
MAX_WORD, MAX_FILE_NAME = 200, 300
MAX_CPUS = 10_000
MOST_BUSY_SECONDS = 86_400.0
TIMINGS = ("queued", "model", "download", "load", "run")
RESULT_FIELDS = frozenset(
    {
        *("images", "caption", "info", "timings", "notices", "components", "machine", "error"),
        *("status", "invocationStatus", "responseBody", "responseParameters"),
    }
)
"""What a message of progress must not hold."""
REPORT_SECONDS = 5.0
"""The shortest time between two messages of progress."""
END_SECONDS = 30.0
"""What SageMaker gives a container after SIGTERM before it kills it."""
PING_SECONDS = 2.0
"""How long SageMaker waits for `/ping`."""


def output_prefix(job_id: str) -> str:
    """The S3 prefix, without the bucket, of everything that a worker writes for a job."""
    return f"jobs/{job_id}/output/"
