"""The result of a job in the shape in which the WebUI keeps its own: files, infotexts, generation info."""

import json
import re
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from darkroom_client import Darkroom

FILES = "darkroom_files"
"""The field of the generation info with the names of the cloud's files. The WebUI hands it on when it saves them."""
FOLDER = "sagemaker"
_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{1,3}\.(?:png|jpe?g|webp|avif|gif|mp4|webm)")
_SHOWN = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")
"""What a gallery shows. Videos are only stored."""


@dataclass(frozen=True)
class Result:
    """What a finished job made: its files on this machine, and the infotext of each."""

    job: "dict[str, Any]"
    files: "list[Path]"
    infotexts: "list[str]"

    @property
    def shown(self) -> "list[Path]":
        """The pictures, which come before all videos."""
        return [path for path in self.files if path.suffix.lower() in _SHOWN]

    @property
    def generation_info(self) -> str:
        """The text that the WebUI keeps beside its gallery, in the fields of `Processed.js()`."""
        asked, images = self.job["parameters"], self.job["images"]
        count = max(1, len(images))
        settings = asked.get("override_settings") or {}
        checkpoint = str(self.job.get("checkpoint") or "")
        subseed = asked.get("subseed", -1)
        fields = {
            "prompt": asked.get("prompt") or "",
            "all_prompts": [asked.get("prompt") or ""] * count,
            "negative_prompt": asked.get("negative_prompt") or "",
            "all_negative_prompts": [asked.get("negative_prompt") or ""] * count,
            "seed": images[0]["seed"] if images and images[0]["seed"] is not None else asked.get("seed", -1),
            "all_seeds": [image["seed"] if image["seed"] is not None else -1 for image in images],
            "subseed": subseed,
            "all_subseeds": [subseed] * count,
            "subseed_strength": asked.get("subseed_strength", 0),
            "width": images[0]["width"] if images else asked.get("width"),
            "height": images[0]["height"] if images else asked.get("height"),
            "sampler_name": asked.get("sampler_name"),
            "cfg_scale": asked.get("cfg_scale"),
            "steps": asked.get("steps"),
            "batch_size": asked.get("batch_size") or 1,
            "restore_faces": bool(asked.get("restore_faces")),
            "face_restoration_model": None,
            "sd_model_name": checkpoint.rpartition(".")[0] or checkpoint,
            "sd_model_hash": "",
            "sd_vae_name": settings.get("sd_vae"),
            "sd_vae_hash": None,
            "seed_resize_from_w": asked.get("seed_resize_from_w", -1),
            "seed_resize_from_h": asked.get("seed_resize_from_h", -1),
            "denoising_strength": asked.get("denoising_strength"),
            "extra_generation_params": {},
            "index_of_first_image": 0,
            "infotexts": self.infotexts,
            "styles": [],
            "job_timestamp": re.sub(r"\D", "", str(self.job.get("created_at") or ""))[:14],
            "clip_skip": settings.get("CLIP_stop_at_last_layers", 1),
            "is_using_inpainting_conditioning": False,
            "version": "",
            FILES: [path.name for path in self.shown],
        }
        return json.dumps(fields)


def fetch(client: Darkroom, job: "dict[str, Any]", folder: Path) -> Result:
    """The result of a job that has succeeded, with its files in `folder`, byte for byte as the cloud has them. Files
    that are there already are not downloaded again. Raises what the client raises."""
    expected = [(f"{job['id']}-{number}{_suffix(image)}", image) for number, image in enumerate(job["images"], 1)]
    paths = [folder / name for name, _ in expected]
    if not all(_is_there(path, image) for path, (_, image) in zip(paths, expected, strict=True)):
        folder.mkdir(parents=True, exist_ok=True)
        # Nobody may find half a file, so the files are written elsewhere and moved.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as draft:
            for saved, path in zip(client.save_pictures(_typed(job), Path(draft)), paths, strict=True):
                saved.replace(path)
    texts = job["infotexts"]
    infotexts = [
        image["infotext"] or (texts[number] if number < len(texts) else "")
        for number, image in enumerate(job["images"])
    ]
    return Result(job, paths, infotexts)


def is_name(name: Any) -> bool:
    """Whether this is the name of a file that `fetch` writes, and nothing that leads to another folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _suffix(image: "dict[str, Any]") -> str:
    return Path(image["key"]).suffix or ".png"


def _is_there(path: Path, image: "dict[str, Any]") -> bool:
    if not path.is_file() or (image["bytes"] is not None and path.stat().st_size != image["bytes"]):
        return False
    return not image["sha256"] or sha256(path.read_bytes()).hexdigest() == image["sha256"]


def _typed(job: "dict[str, Any]") -> Any:
    return job
