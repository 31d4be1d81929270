"""The lines of the script "Prompts from file or textbox" (the WebUI's scripts/prompts_from_file.py)."""

import shlex
from collections import deque
from collections.abc import Iterator

_PROMPTS = frozenset({"prompt", "negative_prompt"})
_OPTIONS = _PROMPTS | {
    "sd_model",
    "outpath_samples",
    "outpath_grids",
    "prompt_for_display",
    "styles",
    "seed",
    "subseed_strength",
    "subseed",
    "seed_resize_from_h",
    "seed_resize_from_w",
    "sampler_index",
    "sampler_name",
    "batch_size",
    "n_iter",
    "steps",
    "cfg_scale",
    "width",
    "height",
    "restore_faces",
    "tiling",
    "do_not_save_samples",
    "do_not_save_grid",
}


def read_lines(text: str) -> Iterator[dict[str, str]]:
    """What each line says, by option; a line without options, and one whose options cannot be read, is a prompt."""
    for line in map(str.strip, text.splitlines()):
        if line:
            yield (_options(line) if "--" in line else None) or {"prompt": line}


def _options(line: str) -> dict[str, str] | None:
    try:
        words = deque(shlex.split(line))
    except ValueError:
        return None
    found: dict[str, str] = {}
    while words:
        option = words.popleft()
        if not option.startswith("--") or option[2:] not in _OPTIONS or not words:
            return None
        values = [words.popleft()]
        # A prompt may stand without quotation marks: it goes on to the next option.
        while option[2:] in _PROMPTS and words and not words[0].startswith("--"):
            values.append(words.popleft())
        found[option[2:]] = " ".join(values)
    return found
