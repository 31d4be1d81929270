"""Jobs that are not the plainest: batches, formats, odd but right input, a second attempt."""

from functools import partial

from darkroom_cli.worker_check import pictures
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.session import PROMPT, Answered, Fails, NotTried, Session, understood

LONG_PROMPT = 20_000
BATCH, TIMES = 2, 2


def _batch(session: Session) -> str:
    session.sample()
    wanted = {"batch_size": BATCH, "n_iter": TIMES}
    answered = session.once("batch", lambda: session.ask("batch", session.job(parameters=wanted)))
    return _at_least(session, answered, BATCH * TIMES)


def _several_starts(session: Session) -> str:
    session.sample("img2img", "img2img")
    images = {"init": session.picture("init"), "init-2": session.upload(pictures.sketch(*[session.options.size] * 2))}
    parameters = {"init_images": ["image:init", "image:init-2"], "batch_size": 2}
    job = session.job("img2img", "img2img", parameters=parameters, images=images)
    return _at_least(session, session.ask("several pictures to start from", job), 2)


def _at_least(session: Session, answered: Answered, wanted: int) -> str:
    found = session.painted(answered).reply.count
    if found < wanted:
        raise Fails(f"the job asks for {wanted} pictures, and the answer has {found}")
    return f"{found} pictures, {answered.response.seconds:.1f} seconds"


def _infinity(session: Session) -> str:
    session.sample()
    session.not_refused(session.ask("s_tmax Infinity", session.job(parameters={"s_tmax": "Infinity"})))
    return ""


def _unknown_fields(session: Session) -> str:
    session.sample()
    job = session.job(parameters={"field_of_a_later_version": {"deep": [1]}}, field_of_a_later_version=True)
    job["checkpoint"] = {**job["checkpoint"], "field_of_a_later_version": "x"}
    session.not_refused(session.ask("unknown fields", job))
    return ""


def _orientation(session: Session) -> str:
    session.sample("img2img", "inpaint")
    width, height = session.options.size, session.options.size * 2
    images = {
        "init": session.upload(pictures.rotated(width, height), "image/jpeg"),
        "mask": session.upload(pictures.mask(width, height)),
    }
    parameters = {"width": width, "height": height}
    job = session.job("img2img", "inpaint", images=images, parameters=parameters)
    session.not_refused(session.ask("a rotated picture", job))
    return ""


def _second_attempt(session: Session) -> str:
    session.sample()
    job = session.job()
    # Not kept: the second attempt writes over its pictures, perhaps with other bytes.
    first = session.not_refused(understood("first attempt", job, session.send(job)))
    second = session.not_refused(session.ask("second attempt", job))
    if not first.reply.stored:
        return "the pictures come inside the answer"
    keys = [[image.key for image in answered.reply.stored] for answered in (first, second)]
    if keys[0] != keys[1]:
        raise Fails(f"the first attempt stored {', '.join(keys[0])}, the second one {', '.join(keys[1])}")
    return ""


def _without_queue(session: Session) -> str:
    session.sample()
    session.not_refused(session.ask("without progress_queue", session.job(progress_queue=None)))
    return ""


def _only_what_is_needed(session: Session) -> str:
    session.sample()
    job = session.job()
    for name in ("mode", "images", "files", "progress_queue"):
        del job[name]
    session.not_refused(session.ask("without optional fields", job))
    return ""


def _format(session: Session, extension: str) -> str:
    session.sample()
    wanted = {"override_settings": {"samples_format": extension}}
    answered = session.painted(session.ask(f"samples_format {extension}", session.job(parameters=wanted)))
    made = {pictures.format_of(content) for content in session.files_of(answered)}
    if not made:
        raise NotTried("no picture of it can be read: see the row stored")
    if made != {pictures.FORMATS[extension]}:
        raise Fails(f"the pictures are {', '.join(sorted(str(form) for form in made))}")
    return ""


def _long_prompt(session: Session) -> str:
    session.sample()
    prompt = (f"{PROMPT}, " * LONG_PROMPT)[:LONG_PROMPT]
    session.not_refused(session.ask("a long prompt", session.job(parameters={"prompt": prompt})))
    return ""


CHECKS = [
    Check("batch", "must", "batch_size 2 with n_iter 2 gives 4 pictures", _batch),
    Check("several-starts", "must", "two pictures in init_images give two pictures", _several_starts),
    Check("infinity", "must", "a number may be the string Infinity", _infinity),
    Check("unknown-fields", "must", "fields that it does not know are ignored", _unknown_fields),
    Check("optional-fields", "must", "optional fields of a job may be missing", _only_what_is_needed),
    Check("no-queue", "must", "a job without progress_queue is done", _without_queue),
    Check("orientation", "must", "the EXIF orientation is applied before sizes are compared", _orientation),
    Check("same-keys", "must", "a second attempt stores under the same keys", _second_attempt),
    Check("jpg", "should", "samples_format jpg gives JPEG", partial(_format, extension="jpg")),
    Check("webp", "should", "samples_format webp gives WebP", partial(_format, extension="webp")),
    Check("long-prompt", "should", "a prompt of 20,000 characters is taken", _long_prompt),
]
