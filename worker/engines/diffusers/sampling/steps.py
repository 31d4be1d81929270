"""How many steps a picture that starts from another one takes. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """`schedule` steps are planned, of which the last `taken` are done after the first; 0 planned: nothing is done."""

    schedule: int
    taken: int


def steps_from_latent(steps: int, strength: float, *, exact: bool) -> Steps:
    """The steps of img2img at a denoising strength (0 to 1).

    By default a share of `steps` is done. `exact` does just as many as asked for, on a longer schedule: the option
    "with img2img, do exactly the amount of steps the slider specifies", and always the hires pass.
    """
    share = min(strength, 0.999)
    if exact:
        return Steps(int(steps / share) if strength > 0 else 0, steps - 1)
    return Steps(steps, int(share * steps))
