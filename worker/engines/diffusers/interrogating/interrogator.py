"""Describes the picture of an interrogate job with the files of its purpose.

What a file is, its content tells: a BLIP, a CLIP, a DeepBooru network, a vocabulary or a list of words.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from PIL import Image

from darkroom.jobs.contract import ModelFile, WorkRequest
from worker.engines.diffusers.files import WeightFile, open_weights
from worker.engines.diffusers.interrogating import blip, clip, deepbooru
from worker.engines.diffusers.interrogating.lists import LIST, WordList, categories
from worker.engines.diffusers.interrogating.lists import read as read_list
from worker.engines.diffusers.interrogating.needed import lacking
from worker.engines.diffusers.interrogating.options import InterrogateOptions, interrogate_options_of
from worker.engines.diffusers.models import Placement
from worker.engines.diffusers.studio import Files

CLIP, DEEPBOORU = "interrogate_clip", "interrogate_deepbooru"
"""The types of jobs, and what their files are for."""
_BLIP = ("the model BLIP, in the file model.safetensors of Salesforce/blip-image-captioning-large", "model.safetensors")
_WORDS = ("BLIP's vocabulary, in the file vocab.txt beside it", "vocab.txt")
_TAGGER = ("the network DeepDanbooru, in the file model-resnet_custom_v3.pt of the WebUI", "model-resnet_custom_v3.pt")
_TAGS = ("the tags of the network, one a line", "tags.txt")
NO_LISTS = (
    "The description is the caption alone: no list of words (such as artists.txt) is there to compare the picture with."
)
NO_CLIP = (
    "The description is the caption alone: no CLIP is there to compare the picture with the lists of words. Upload "
    f"the model.safetensors of openai/clip-vit-large-patch14 with --kind engine-file --for {CLIP}."
)


class Interrogator:
    """Describes one job's picture. The models are read for the job, and gone after it, as in the WebUI."""

    def __init__(
        self, request: WorkRequest, files: Files, placed: Placement, look: Callable[[], None], *, pickles: bool
    ) -> None:
        """`look` is called between steps, and what it raises ends the job."""
        self._request = request
        self._files = files
        self._placed = placed
        self._look = look
        self._pickles = pickles
        self._options: InterrogateOptions = interrogate_options_of(request.parameters)
        self.notices: list[str] = []

    def describe(self, picture: Image.Image) -> str:
        """The description of the picture (RGB). JobError `files_missing` names the files to upload."""
        return self._sentence(picture) if self._request.type == CLIP else self._tags(picture)

    def _given(self, purpose: str) -> tuple[list[tuple[Path, str]], list[WordList]]:
        """The model files of a purpose, and its lists."""
        models, lists = [], []
        for file in self._request.files.get(purpose, []):
            path = self._path(file)
            if PurePath(file.name).suffix.lower() == LIST:
                lists.append(read_list(path, file.name))
            else:
                models.append((path, file.name))
        return models, lists

    def _path(self, file: ModelFile) -> Path:
        self._look()
        return self._files.path(file, self._look)

    def _sentence(self, picture: Image.Image) -> str:
        models, lists = self._given(CLIP)
        vocabulary = next((each for each in lists if each.is_vocabulary), None)
        with self._first(models, blip.is_blip) as weights:
            absent = [what for what, found in ((_BLIP, weights), (_WORDS, vocabulary)) if found is None]
            if weights is None or vocabulary is None:
                raise lacking(CLIP, absent)
            caption = blip.read(weights, vocabulary, self._placed).caption(picture, self._options, self._look)
        return ", ".join([caption, *self._ranked(picture, models, lists)])

    def _ranked(
        self, picture: Image.Image, models: Sequence[tuple[Path, str]], lists: Sequence[WordList]
    ) -> Iterator[str]:
        """The lines of the lists that fit the picture best."""
        compared = categories(lists, self._options.interrogate_clip_skip_categories)
        if not compared:
            if not categories(lists, ()):
                self.notices.append(NO_LISTS)
            return
        with self._first(models, clip.is_clip) as weights:
            if weights is None:
                self.notices.append(NO_CLIP)
                return
            comparing = clip.read(weights, self._placed)
        seen = comparing.seen(picture)
        limit = self._options.interrogate_clip_dict_limit or None
        for each in compared:
            for line, share in comparing.best(seen, each.lines[:limit], each.top, self._look):
                yield f"({line}:{share:.3f})" if self._options.interrogate_return_ranks else line

    def _tags(self, picture: Image.Image) -> str:
        models, lists = self._given(DEEPBOORU)
        with self._first(models, deepbooru.is_deepbooru) as weights:
            if weights is None:
                raise lacking(DEEPBOORU, [_TAGGER])
            names = _names_in(weights) or (lists[0].lines if lists else ())
            if not names:
                raise lacking(DEEPBOORU, [_TAGS])
            tagger = deepbooru.read(weights, names, self._placed)
        self._look()
        return deepbooru.description(tagger.probabilities(picture), self._options)

    @contextmanager
    def _first(
        self, models: Sequence[tuple[Path, str]], is_wanted: Callable[[WeightFile], bool]
    ) -> Iterator[WeightFile | None]:
        """The first of the files that is wanted, open; None when none is."""
        for path, name in models:
            self._look()
            with open_weights(path, name, pickles=self._pickles, device=self._placed.device) as weights:
                if is_wanted(weights):
                    yield weights
                    return
        yield None


def _names_in(weights: WeightFile) -> Sequence[str]:
    """The tags in the file of the network itself, if they are in it; they mostly are in the .pt file."""
    try:
        tags = json.loads(weights.metadata.get("tags", "[]"))
    except ValueError:
        return ()
    return tags if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) else ()
