"""`python -m bench.likeness FOLDER`: paints the WebUI's own PNGs anew from their infotexts, and compares.

For whoever has weights and pictures of a WebUI: start `make up ENGINE=diffusers MODELS=<its models folder>` first. Each
picture's text is submitted as the field `infotext` of a job, and what comes back is compared pixel by pixel. Pictures
that started from another picture are left out, as that one is not in them.
"""

import argparse
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageStat

from darkroom_client import Darkroom, Failure
from local import stack
from local.home import Home

WAIT_SECONDS = 900.0
FROM_A_PICTURE = re.compile(r"Denoising strength: (?!.*Hires )|Mask blur: ")
MODEL = re.compile(r", Model: ([^,\n]+)")


@dataclass(frozen=True)
class Likeness:
    """How like two pictures are: the mean difference of their shades (0 to 255), the signal to noise ratio in decibels
    (infinite for equal ones), and the share of pixels that are equal in every shade."""

    difference: float
    decibels: float
    equal: float


def likeness(one: Image.Image, other: Image.Image) -> Likeness:
    """Compares two pictures of one size."""
    apart = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    statistics = ImageStat.Stat(apart)
    square = sum(total for total in statistics.sum2) / (3 * one.width * one.height)
    decibels = math.inf if square == 0 else 10 * math.log10(255**2 / square)
    most = ImageChops.lighter(ImageChops.lighter(*apart.split()[:2]), apart.split()[2])
    return Likeness(sum(statistics.mean) / 3, decibels, most.histogram()[0] / (one.width * one.height))


def pictures(folder: Path) -> Iterator[tuple[Path, Image.Image, str]]:
    """The PNGs below a folder that a prompt alone made: path, picture, infotext."""
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path, formats=["PNG"]) as picture:
            picture.load()
            text = picture.info.get("parameters")
            if isinstance(text, str) and not FROM_A_PICTURE.search(text.rpartition("\n")[2]):
                yield path, picture.copy(), text


def painted(client: Darkroom, text: str) -> Image.Image:
    """The picture that Darkroom paints from an infotext. Raises Failure."""
    body: dict[str, Any] = {"type": "txt2img", "parameters": {"infotext": text}}
    if found := MODEL.search(text):
        # By its name: the hash that also stands there is not known of files that were never uploaded.
        body["checkpoint"] = found[1]
    job = client.settled(client.submit(body)["id"], WAIT_SECONDS)
    if job["status"] != "succeed":
        raise Failure(job["error"]["message"] if job["error"] else f"the job is {job['status']}")
    return Image.open(io.BytesIO(client.download(job["images"][0]["url"])), formats=["PNG", "JPEG", "WEBP"])


def main() -> int:
    """The command; returns its exit status: 1 when nothing could be compared."""
    parser = argparse.ArgumentParser(description="Paint a WebUI's PNGs anew from their infotexts, and compare.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    home = Home.here()
    running = stack.running(home)
    if running is None:
        print("The stack does not run; start it with `make up ENGINE=diffusers MODELS=<a WebUI's models folder>`.")
        return 1
    compared = 0
    print(f"{'difference':>10}  {'decibels':>8}  {'equal':>6}  picture")
    with Darkroom(running.api, home.key_file.read_text()) as client:
        for path, original, text in pictures(folder):
            try:
                found = painted(client, text)
            except Failure as failure:
                print(f"{'-':>10}  {'-':>8}  {'-':>6}  {path.name}: {failure}")
                continue
            if found.size != original.size:
                print(f"{'-':>10}  {'-':>8}  {'-':>6}  {path.name}: {found.size} instead of {original.size}")
                continue
            like = likeness(original, found)
            compared += 1
            print(f"{like.difference:10.2f}  {like.decibels:8.1f}  {like.equal:6.1%}  {path.name}")
    print(f"{compared} pictures compared")
    return 0 if compared else 1


if __name__ == "__main__":
    raise SystemExit(main())
