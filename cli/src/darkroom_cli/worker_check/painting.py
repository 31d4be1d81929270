"""Every type of job, and every mode of img2img."""

from functools import partial

from darkroom_cli.worker_check import contract, pictures
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.session import Fails, NotTried, Refused, Session

MOST_DIFFERENCE = 16.0
"""Out of 255: a picture that went through a VAE and back differs by less where nothing was painted."""


def _paints(session: Session, kind: str, mode: str | None = None) -> str:
    answered = session.painted(session.plain(kind, mode))
    return f"{answered.response.seconds:.1f} seconds"


def _captions(session: Session, kind: str) -> str:
    return session.captioned(session.plain(kind))[:80]


def _something(session: Session) -> str:
    kinds = [("txt2img", None), *(("img2img", mode) for mode in contract.MODES), ("extras", None)]
    told = []
    for kind, mode in kinds:
        try:
            _paints(session, kind, mode)
        except (Fails, Refused, NotTried) as why:
            told.append(str(why))
        else:
            return ""
    if "--checkpoint" in told[0]:
        raise Fails(f"nothing was painted: {told[0]}")
    raise Fails(f"no type of job gave a picture; the first one: {told[0]}")


def _mask(session: Session) -> str:
    side = session.options.size
    answered = session.sample("img2img", "inpaint")
    if not (made := session.files_of(answered)):
        raise NotTried("the picture is not in S3: see the row stored")
    difference = pictures.difference_outside(made[-1], side, side) if pictures.size_of(made[-1]) else None
    if difference is None:
        raise Fails("the picture has not the size of the one that it starts from")
    if difference > MOST_DIFFERENCE:
        raise Fails(f"outside the mask the picture differs by {difference:.0f} of 255")
    return ""


MODE_CHECKS = [
    Check(
        f"img2img-{mode.replace('_', '-')}" if mode != "img2img" else "img2img",
        "must",
        f"img2img with the mode {mode} gives a picture, or is refused with a reason",
        partial(_paints, kind="img2img", mode=mode),
    )
    for mode in contract.MODES
]
CHECKS = [
    Check("txt2img", "must", "txt2img gives a picture, or is refused with a reason", partial(_paints, kind="txt2img")),
    *MODE_CHECKS,
    Check("extras", "must", "extras gives a picture, or is refused with a reason", partial(_paints, kind="extras")),
    *(
        Check(
            kind.replace("_", "-"),
            "must",
            f"{kind} gives a caption, or is refused with a reason",
            partial(_captions, kind=kind),
        )
        for kind in contract.CAPTIONED
    ),
    Check("paints", "must", "at least one type of job gives a picture", _something),
    Check("mask", "should", "inpaint changes only what is white in the mask", _mask),
]
