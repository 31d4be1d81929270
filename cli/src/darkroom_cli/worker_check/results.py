"""Rules for every answer, looked at when all jobs are done: keys, numbers, what is in S3, and what stands beside."""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

from darkroom_cli.worker_check import beside, contract, inside, pictures
from darkroom_cli.worker_check.answers import extension_of, whole, why_no_key
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.session import SEED, Answered, Fails, NotTried, Session

Complaints = Callable[[Session, Answered], Iterator[str]]
LARGE_THUMBNAIL = 1024
NONE_STORED = "no answer names a stored picture"


def _each(session: Session, complaints: Complaints, concerns: Callable[[Answered], bool], nothing: str) -> str:
    """Looks at every answer that the rule concerns. Raises Fails with the first complaint and their number, NotTried
    with `nothing` when it concerns none."""
    if not session.answered:
        _try_sample(session)
    concerned = [answered for answered in session.answered if concerns(answered)]
    if not concerned:
        raise NotTried(nothing)
    found = [f"{answered.label}: {why}" for answered in concerned for why in complaints(session, answered)]
    if found:
        raise Fails(found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
    return ""


def _try_sample(session: Session) -> None:
    """Asks for a picture, where no other check did. Whether there is one is for other rows to say."""
    try:
        session.sample()
    except NotTried:
        return


def _problems(session: Session, answered: Answered, rule: str) -> Iterator[str]:
    return (problem.why for problem in answered.reply.problems if problem.rule == rule)


def _readable(session: Session, answered: Answered) -> Iterator[str]:
    yield from _problems(session, answered, "answer")
    error = answered.reply.error
    if error and not error.message:
        yield f"the error {error.code} has no message for the person"


def _in_s3(session: Session, answered: Answered) -> Iterator[str]:
    objects = session.objects_of(answered)
    for image in answered.reply.stored:
        found = objects.get(image.key)
        if found is None:
            yield f"{image.key or 'a picture without a key'} is not in S3"
        elif not found[0]:
            yield f"{image.key} in S3 is empty"
        elif image.bytes not in (None, len(found[0])):
            yield f"{image.key} is told to have {image.bytes} bytes, and has {len(found[0])} in S3"


def _true_pictures(session: Session, answered: Answered) -> Iterator[str]:
    yield from _problems(session, answered, "pictures")
    objects = session.objects_of(answered)
    for image in answered.reply.stored:
        content = (objects.get(image.key) or (b"", ""))[0]
        if not content:
            continue
        if why := pictures.why_unreadable(content, extension_of(image.key)):
            yield f"{image.key} {why}"
            continue
        size, told = pictures.size_of(content), (image.width, image.height)
        # Sides that cannot be are the matter of the row `numbers`.
        possible = all(side is not None and 1 <= side <= contract.MAX_SIDE for side in told)
        if size and possible and size != told:
            yield f"{image.key} is told as {told[0]}x{told[1]}, and has {size[0]}x{size[1]} pixels"


def _size_asked(session: Session, answered: Answered) -> Iterator[str]:
    asked = [answered.job["parameters"][side] for side in ("width", "height")]
    for content in session.files_of(answered):
        size = pictures.size_of(content)
        if size and list(size) != asked and not _is_grid(answered):
            yield f"the job asks for {asked[0]}x{asked[1]} pixels, and the picture has {size[0]}x{size[1]}"


def _content_types(session: Session, answered: Answered) -> Iterator[str]:
    for key, found in session.objects_of(answered).items():
        wanted = contract.CONTENT_TYPES.get(extension_of(key) or "")
        if found and wanted and found[1] != wanted:
            yield f"{key} has the content type {found[1]!r}, and should have {wanted}"


def _digests(session: Session, answered: Answered) -> Iterator[str]:
    objects = session.objects_of(answered)
    for image in answered.reply.stored:
        found = objects.get(image.key)
        if found and found[0] and image.sha256 and hashlib.sha256(found[0]).hexdigest() != image.sha256.lower():
            yield f"the SHA-256 of {image.key} is not that of the object"


def _seeds(session: Session, answered: Answered) -> Iterator[str]:
    wanted = [SEED + number for number in range(answered.reply.count)]
    if answered.reply.stored:
        told = [image.seed for image in answered.reply.stored]
    else:
        info = inside.info_of(answered.reply.document)
        seeds = info.get("all_seeds")
        told = [whole(seed) for seed in seeds] if isinstance(seeds, list) else [whole(info.get("seed"))]
        wanted = wanted[: len(told)] if _is_grid(answered) else wanted
    if told != wanted:
        yield f"the job has the seed {SEED}, and the pictures tell {', '.join(str(seed) for seed in told)}"


def _infotexts(session: Session, answered: Answered) -> Iterator[str]:
    if answered.reply.inside:
        texts = inside.info_of(answered.reply.document).get("infotexts")
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            yield "`infotexts` in `info` is no list of texts"
        return
    objects = session.objects_of(answered)
    for image in answered.reply.stored:
        found = objects.get(image.key)
        written = pictures.parameters_in(found[0]) if found and image.key.endswith(".png") else None
        if not image.infotext and not written:
            yield f"{image.key} has no infotext, so nobody can paint it again"
        elif image.infotext and written and image.infotext != written:
            yield f"the infotext told for {image.key} is not the one in its PNG"


def _thumbnails(session: Session, answered: Answered) -> Iterator[str]:
    for image in answered.reply.stored:
        key = image.thumbnail
        if key is None:
            continue
        if not isinstance(key, str) or (why_no_key(answered.job_id, key)):
            yield f"`thumbnail` is {key!r}, and no key under the output"
            continue
        found = session.once(f"object {key}", partial(session.place.get, key))
        size = pictures.size_of(found[0]) if found and found[0] else None
        if size is None:
            yield f"the thumbnail {key} is not in S3, or is no picture"
        elif max(size) > LARGE_THUMBNAIL:
            yield f"the thumbnail {key} has {size[0]}x{size[1]} pixels; about 320 are enough"


def _nothing_beside(session: Session, answered: Answered) -> Iterator[str]:
    """Objects under the output that the answer does not name."""
    named = {image.key for image in answered.reply.stored}
    named |= {image.thumbnail for image in answered.reply.stored if isinstance(image.thumbnail, str)}
    unnamed = sorted(session.place.keys(contract.output_prefix(answered.job_id)) - named)
    if unnamed:
        yield f"{unnamed[0]} is under the output, and the answer does not name it"


def _small(session: Session, answered: Answered) -> Iterator[str]:
    size = len(answered.response.content)
    if size > contract.SMALL_ANSWER_BYTES:
        yield f"the answer has {size:,} bytes; over 128 KB it is read from S3"


def _optional(session: Session, answered: Answered, name: str) -> Iterator[str]:
    value = answered.reply.document[name]
    if name == "timings":
        return beside.wrong_timings(value, answered.response.seconds)
    wrong = {"notices": beside.wrong_notices, "components": beside.wrong_components, "machine": beside.wrong_machine}
    return wrong[name](value)


def _is_grid(answered: Answered) -> bool:
    """Whether a plain answer of the WebUI has a grid before its pictures."""
    first = inside.info_of(answered.reply.document).get("index_of_first_image") if answered.reply.inside else 0
    return type(first) is int and first > 0


def _answers(answered: Answered) -> bool:
    return answered.response.status == 200


def _stores(answered: Answered) -> bool:
    return bool(answered.reply.stored)


def _has_pictures(answered: Answered) -> bool:
    return answered.reply.count > 0 or any(problem.rule == "pictures" for problem in answered.reply.problems)


def _paints(answered: Answered) -> bool:
    return answered.reply.count > 0 and answered.job.get("type") in ("txt2img", "img2img")


def _seeded(answered: Answered) -> bool:
    return _paints(answered) and answered.job.get("type") == "txt2img"


def _has(name: str) -> Callable[[Answered], bool]:
    return lambda answered: answered.reply.document.get(name) is not None and not answered.reply.error


def _check(name: str, what: str, complaints: Complaints, concerns: Callable[[Answered], bool], nothing: str) -> Check:
    level = "must" if name in MUSTS else "should"
    run = partial(_each, complaints=complaints, concerns=concerns, nothing=nothing)
    return Check(name, level, what, run, at_end=True)  # type: ignore[arg-type]


def _beside(name: str, what: str) -> Check:
    nothing = f"no answer has `{name}`; it is optional"
    return _check(name, what, partial(_optional, name=name), _has(name), nothing)


MUSTS = ("answer", "keys", "numbers", "stored", "pictures")
CHECKS = [
    _check("answer", "each answer is one of the contract's", _readable, _answers, "no answer had the status 200"),
    _check(
        "keys",
        "keys are under the output, of the allowed characters, with a known extension, none twice",
        partial(_problems, rule="keys"),
        _stores,
        NONE_STORED,
    ),
    _check("numbers", "numbers and digests are possible", partial(_problems, rule="numbers"), _stores, NONE_STORED),
    _check("stored", "each picture is in S3 with the bytes that are told", _in_s3, _stores, NONE_STORED),
    _check("pictures", "each picture can be read and has the size told", _true_pictures, _has_pictures, NONE_STORED),
    _check("size", "pictures have the size that the job asks for", _size_asked, _paints, NONE_STORED),
    _check("content-types", "objects have the content type of their extension", _content_types, _stores, NONE_STORED),
    _check("sha256", "each SHA-256 told is that of the object", _digests, _stores, NONE_STORED),
    _check("seeds", "each picture has its seed", _seeds, _seeded, NONE_STORED),
    _check(
        "infotexts", "each picture has its infotext, the same in the answer and in the PNG", _infotexts, _paints, ""
    ),
    _check("thumbnails", "thumbnails are pictures under the output", _thumbnails, _stores, NONE_STORED),
    _check("nothing-else", "nothing is stored that the answer does not name", _nothing_beside, _stores, NONE_STORED),
    _check("small-answers", "answers have at most 128 KB", _small, _stores, NONE_STORED),
    _beside("timings", "timings are possible, and no longer than the answer took"),
    _beside("notices", "notices are at most 16 texts of 300 bytes"),
    _beside("components", "components have their shape"),
    _beside("machine", "the machine has its shape"),
]
