"""Jobs that cannot be done, and requests that are none."""

import json
from collections.abc import Callable
from functools import partial

from darkroom_cli.worker_check import answers, pictures
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.session import Answered, Fails, Job, NotTried, Session, understood

HUGE = 32 * 1024 * 1024


def _reports(session: Session, answered: Answered, may_paint: str | None = None) -> str:
    """The worker must report an error with words. `may_paint`: painting all the same is no fault, but this remark."""
    response, error = answered.response, answered.reply.error
    if response.status is None:
        raise Fails(response.fault)
    session.alive()
    if error is None and response.status != 200 and response.content.strip():
        error = answers.Reported("worker_failed", response.content[:200].decode(errors="replace").strip())
    if error is None and may_paint and answered.reply.count:
        raise NotTried(may_paint)
    if error is None:
        raise Fails(f"it reports no error: status {response.status}, {answered.reply.count} pictures")
    if not error.message:
        raise Fails(f"the error {error.code} has no message for the person")
    return str(error)[:160]


def _missing_picture(session: Session) -> str:
    session.sample("img2img", "img2img")
    images = {"init": f"s3://{session.place.bucket}/images/darkroom-check/missing"}
    return _reports(session, session.ask("a missing picture", session.job("img2img", "img2img", images=images)))


def _unnamed_picture(session: Session) -> str:
    session.sample("img2img", "img2img")
    return _reports(session, session.ask("a picture that is not named", session.job("img2img", "img2img", images={})))


def _broken_picture(session: Session) -> str:
    session.sample("img2img", "img2img")
    images = {"init": session.upload(b"\x89PNG\r\n\x1a\nand no more")}
    return _reports(session, session.ask("a broken picture", session.job("img2img", "img2img", images=images)))


def _other_size(session: Session) -> str:
    session.sample("img2img", "img2img")
    side = session.options.size
    images = {"init": session.picture("init"), "mask": session.upload(pictures.mask(side // 2, side))}
    answered = session.ask("a mask of another size", session.job("img2img", "inpaint", images=images))
    return _reports(session, answered, "it resizes the mask; Darkroom lets no such job pass")


def _missing_model(session: Session) -> str:
    session.sample()
    model = {"name": "missing.safetensors", "s3": f"s3://{session.place.models}/models/stable-diffusion/missing"}
    answered = session.ask("a missing checkpoint", session.job(checkpoint={**model, "bytes": 1000, "etag": "0" * 32}))
    return _reports(session, answered, "it paints all the same, as an engine does that reads no model files")


def _wrong_parameter(session: Session) -> str:
    session.sample()
    answered = session.ask("steps: many", session.job(parameters={"steps": "many"}))
    return _reports(session, answered)


def _wrong_request(session: Session, label: str, body: Callable[[Session], bytes]) -> str:
    """A request that is no job: 4xx, with words."""
    response = session.worker.invoke(body(session))
    answered = understood(label, {}, response)
    told = _reports(session, answered)
    if response.status is not None and response.status >= 500:
        raise Fails(f"it answers {response.status}, which means a fault of the worker, and not 400: {told}")
    return f"{response.status}: {told}"


def _changed(session: Session, **fields: object) -> bytes:
    return json.dumps({**session.job(), **fields}).encode()


def _without(session: Session, *names: str) -> bytes:
    job: Job = session.job()
    return json.dumps({name: value for name, value in job.items() if name not in names}).encode()


def _huge(session: Session) -> str:
    response = session.worker.invoke(_changed(session, padding="x" * HUGE))
    session.alive()
    reply = understood("a huge body", {}, response).reply
    return response.fault or f"{response.status}: {reply.error or f'{reply.count} pictures'}"[:160]


def _wrong(name: str, level: str, what: str, body: Callable[[Session], bytes]) -> Check:
    return Check(name, level, what, partial(_wrong_request, label=name, body=body))  # type: ignore[arg-type]


CHECKS = [
    Check("missing-picture", "must", "a picture that is not in S3 is reported", _missing_picture),
    Check("unnamed-picture", "must", "a picture that `images` does not name is reported", _unnamed_picture),
    Check("broken-picture", "must", "a picture that cannot be read is reported", _broken_picture),
    Check("other-size", "should", "a mask of another size is reported", _other_size),
    Check("missing-model", "should", "a checkpoint that is not in S3 is reported", _missing_model),
    Check("wrong-parameter", "should", "a parameter that is of no use is reported", _wrong_parameter),
    _wrong("not-json", "must", "a body that is no JSON is answered 400", lambda session: b"not json"),
    _wrong("no-object", "must", "a body that is no JSON object is answered 400", lambda session: b"[]"),
    _wrong("empty-job", "must", "a job without fields is answered 400", lambda session: b"{}"),
    _wrong("unknown-type", "must", "a type that there is not is answered 400", partial(_changed, type="video")),
    _wrong("no-output", "should", "a job without output is answered 400", lambda session: _without(session, "output")),
    _wrong(
        "wrong-output",
        "should",
        "an output that is no S3 URI with a slash at its end is answered 400",
        partial(_changed, output="s3://pictures/jobs/1/output"),
    ),
    _wrong(
        "wrong-uri",
        "should",
        "a picture that is no S3 URI is answered 400",
        partial(_changed, images={"init": "https://example.com/a.png"}),
    ),
    Check("huge-body", "must", "a body of 32 MiB does not end the worker", _huge),
]
