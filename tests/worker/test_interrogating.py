"""Describing pictures with tiny random models in the layouts of the real files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from darkroom.jobs.contract import ModelFile, WorkRequest
from tests.worker import interrogators
from tests.worker.files import CPU
from tests.worker.interrogators import TAGS, WORDS
from tests.worker.jobs import photo, task_of
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.files import open_weights
from worker.engines.diffusers.interrogating import blip, clip, deepbooru
from worker.engines.diffusers.interrogating.lists import WordList
from worker.engines.diffusers.interrogating.options import InterrogateOptions
from worker.engines.diffusers.interrogating.pixels import middle, squeezed
from worker.engines.diffusers.models import Models
from worker.engines.diffusers.tokens import tokenizer
from worker.errors import JobError
from worker.model_files import ModelFiles
from worker.store import Store

PICTURE = photo((50, 40))
SHORT = {"interrogate_clip_min_length": 6, "interrogate_clip_max_length": 12}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of this test."""
    return tmp_path


def described(folder: Path, job: str, *, look: Any = None, **options: Any) -> tuple[str, list[str]]:
    """The description of PICTURE with every file of the folder, and the notices."""
    engine = DiffusersEngine(ModelFiles(Store(), cache=folder / "cache", local=folder), Models(CPU, pickles=True))
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    request = WorkRequest(
        job_id="job-1",
        type=job,
        parameters={"image": "image:init", "override_settings": options},
        images={"init": "s3://pictures/init"},
        files={job: [ModelFile(name=name, s3=f"s3://models/{name}") for name in names]} if names else {},
        output="s3://pictures/jobs/job-1/output/",
    )
    task = task_of(request, {"init": PICTURE}, look)
    engine.load(task)
    text = engine.caption(task)
    assert [used.name for used in engine.components(task).files] == names
    return text, engine.notices(task)


def clip_files(folder: Path) -> None:
    interrogators.write(folder / "blip.safetensors", interrogators.blip_tensors(interrogators.blip()))
    interrogators.write_lines(folder / "vocab.txt", WORDS)


def deepbooru_file(folder: Path) -> Path:
    path = folder / "model-resnet_custom_v3.pt"
    torch.save({**interrogators.deepbooru(), "tags": list(TAGS)}, path)
    return path


# Interrogate CLIP


def test_a_picture_is_described_by_a_sentence_as_the_library_makes_it(folder: Path) -> None:
    clip_files(folder)
    text, notices = described(folder, "interrogate_clip", **SHORT)
    prompt = torch.tensor([[len(WORDS), 4, 5, 6, 3]])
    tokens = interrogators.blip().generate(
        squeezed(PICTURE, 32), prompt, do_sample=False, num_beams=1, min_length=6, max_length=12
    )
    said = [WORDS[token] for token in tokens[0, 4:] if 4 <= token < len(WORDS)]
    assert text == " ".join(said).replace(" ##", "").replace(" .", ".")
    assert text
    assert "no list of words" in notices[0]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_the_layout_of_its_authors_gives_the_same_sentence(tmp_path: Path, suffix: str) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for each in (ours, theirs):
        each.mkdir()
        clip_files(each)
    tensors = interrogators.blip_tensors(interrogators.blip(), authors=True)
    assert "visual_encoder.blocks.0.attn.qkv.weight" in tensors
    (theirs / "blip.safetensors").unlink()
    if suffix == ".safetensors":
        interrogators.write(theirs / "blip.safetensors", tensors)
    else:
        # As model_base_caption_capfilt_large.pth has it.
        torch.save({"model": tensors, "epoch": 5}, theirs / "model_base_caption.pth")
    assert described(theirs, "interrogate_clip", **SHORT) == described(ours, "interrogate_clip", **SHORT)


def test_the_caption_has_as_many_words_as_the_settings_say(folder: Path) -> None:
    with open_weights(_blip_file(folder), "blip") as weights:
        made = blip.read(weights, WordList("vocab.txt", WORDS), CPU)
    lengths = []
    for least, most in ((6, 8), (30, 34)):
        options = InterrogateOptions(interrogate_clip_min_length=least, interrogate_clip_max_length=most)
        counted: list[None] = []
        made.caption(PICTURE, options, lambda counted=counted: counted.append(None))
        lengths.append(len(counted))
    # What it begins with counts.
    assert 2 <= lengths[0] <= 4
    assert 26 <= lengths[1] <= 30
    beams = InterrogateOptions(interrogate_clip_num_beams=4, interrogate_clip_min_length=6)
    assert made.caption(PICTURE, beams, lambda: None)


def _blip_file(folder: Path) -> Path:
    return interrogators.write(folder / "blip.safetensors", interrogators.blip_tensors(interrogators.blip()))


def test_the_words_that_fit_best_stand_behind_the_caption(folder: Path) -> None:
    clip_files(folder)
    caption, _ = described(folder, "interrogate_clip", **SHORT)
    lists = {"artists.txt": ("by nobody", "by somebody"), "flavors.top2.txt": ("hdr", "sharp", "blurry", "warm")}
    for name, lines in lists.items():
        interrogators.write_lines(folder / name, lines)
    interrogators.write(folder / "clip.safetensors", interrogators.clip().state_dict())
    text, notices = described(folder, "interrogate_clip", **SHORT)
    expected = [line for name, top in (("artists.txt", 1), ("flavors.top2.txt", 2)) for line in _best(lists[name], top)]
    assert text == ", ".join([caption, *(line for line, _ in expected)])
    assert notices == []
    ranked, _ = described(folder, "interrogate_clip", **SHORT, interrogate_return_ranks=True)
    assert ranked == ", ".join([caption, *(f"({line}:{share:.3f})" for line, share in expected)])
    some, _ = described(folder, "interrogate_clip", **SHORT, interrogate_clip_skip_categories=["flavors.top2"])
    assert some == f"{caption}, {expected[0][0]}"
    first, _ = described(folder, "interrogate_clip", **SHORT, interrogate_clip_dict_limit=1)
    assert first == f"{caption}, by nobody, hdr"


def _best(lines: tuple[str, ...], top: int) -> list[tuple[str, float]]:
    """The lines that the library's own CLIP likes best, each with its share."""
    tokens = tokenizer()(list(lines), padding="max_length", max_length=77, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        done = interrogators.clip()(input_ids=tokens, pixel_values=middle(PICTURE, 28))
    shares = (100 * done.image_embeds @ done.text_embeds.T).softmax(dim=-1)[0]
    found = sorted(zip(lines, shares.tolist(), strict=True), key=lambda each: -each[1])
    return found[:top]


def test_without_clip_the_lists_are_not_compared_and_that_is_said(folder: Path) -> None:
    clip_files(folder)
    interrogators.write_lines(folder / "artists.txt", ("by nobody",))
    text, [notice] = described(folder, "interrogate_clip", **SHORT)
    assert "nobody" not in text
    assert "--for interrogate_clip" in notice


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((), ("upload model.safetensors", "upload vocab.txt")),
        (("blip.safetensors",), ("upload vocab.txt",)),
        (("vocab.txt",), ("upload model.safetensors",)),
    ],
)
def test_the_refusal_says_what_to_upload(folder: Path, there: tuple[str, ...], told: tuple[str, ...]) -> None:
    clip_files(folder)
    for name in {"blip.safetensors", "vocab.txt"} - set(there):
        (folder / name).unlink()
    with pytest.raises(JobError) as refused:
        described(folder, "interrogate_clip")
    assert refused.value.code == "files_missing"
    assert refused.value.message.count("darkroom checkpoints upload") == len(told)
    for command in told:
        assert f"{command} --kind engine-file --for interrogate_clip" in refused.value.message


def test_the_vocabulary_must_be_that_of_the_model(folder: Path) -> None:
    clip_files(folder)
    interrogators.write_lines(folder / "vocab.txt", (*WORDS, "more"))
    with pytest.raises(JobError, match=r"has 15 words, and 'blip\.safetensors' knows 14"):
        described(folder, "interrogate_clip")


def test_a_broken_file_names_the_file_and_the_tensor(folder: Path) -> None:
    clip_files(folder)
    tensors = interrogators.blip_tensors(interrogators.blip())
    del tensors["vision_model.encoder.layers.1.mlp.fc2.weight"]
    interrogators.write(folder / "blip.safetensors", tensors)
    with pytest.raises(JobError, match=r"blip\.safetensors.*vision_model\.encoder\.layers\.1\.mlp\.fc2\.weight"):
        described(folder, "interrogate_clip")
    (folder / "vocab.txt").write_bytes(b"\xff\xfe[CLS]")
    with pytest.raises(JobError, match=r"vocab\.txt"):
        described(folder, "interrogate_clip")


def test_a_cancel_ends_the_sentence(folder: Path) -> None:
    clip_files(folder)

    looks: list[float] = []

    def cancelled(share: float) -> None:
        looks.append(share)
        if len(looks) == 12:
            raise JobError("cancelled", "The job was cancelled.")

    with pytest.raises(JobError, match="cancelled"):
        described(folder, "interrogate_clip", look=cancelled, interrogate_clip_min_length=40)
    assert len(looks) == 12


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"interrogate_clip_num_beams": 0}, "interrogate_clip_num_beams"),
        ({"interrogate_deepbooru_score_threshold": "high"}, "interrogate_deepbooru_score_threshold"),
        ({"interrogate_clip_min_length": 100}, "above interrogate_clip_max_length"),
    ],
)
def test_an_option_that_is_none_is_named(folder: Path, options: dict[str, Any], told: str) -> None:
    clip_files(folder)
    with pytest.raises(JobError, match=told):
        described(folder, "interrogate_clip", **options)


# DeepBooru


def reference(rows: torch.Tensor) -> torch.Tensor:
    """What the tiny network answers, written out step by step: padding as TensorFlow pads."""
    tensors = interrogators.deepbooru()

    def convolved(rows: torch.Tensor, number: int, stride: int = 1, pad: tuple[int, ...] = (0, 0)) -> torch.Tensor:
        padded = torch.nn.functional.pad(rows, (*pad, *pad))
        weight, bias = tensors[f"n_Conv_{number}.weight"], tensors.get(f"n_Conv_{number}.bias")
        return torch.nn.functional.conv2d(padded, weight, bias, stride)

    def three(rows: torch.Tensor, number: int, stride: int = 1) -> torch.Tensor:
        inner = convolved(rows, number).relu()
        inner = convolved(inner, number + 1, stride, (0, 1) if stride == 2 else (1, 1)).relu()
        return convolved(inner, number + 2)

    rows = convolved(rows, 0, 2, (2, 3)).relu()
    # After a ReLU nothing is below 0, so zeros at the edge are as good as minus infinity.
    rows = torch.nn.functional.max_pool2d(torch.nn.functional.pad(rows, (0, 1, 0, 1)), 3, 2)
    rows = (three(rows, 2) + convolved(rows, 1)).relu()
    rows = (three(rows, 5) + rows).relu()
    rows = (three(rows, 9, 2) + convolved(rows, 8, 2)).relu()
    rows = (three(rows, 12, 2) + convolved(rows, 15, 2)).relu()
    rows = (three(rows, 16) + rows).relu()
    return convolved(rows, 19).mean(dim=(2, 3)).sigmoid()


def test_the_network_is_read_from_the_shapes_of_its_convolutions(folder: Path) -> None:
    path = deepbooru_file(folder)
    with open_weights(path, path.name, pickles=True) as weights:
        network = deepbooru.read(weights, TAGS, CPU)
    rows = torch.rand(2, 3, 65, 48, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(network.scores(rows), reference(rows))
    assert [block.stride for block in network.blocks] == [1, 1, 2, 2, 1]


def test_a_picture_is_described_by_its_tags(folder: Path) -> None:
    path = deepbooru_file(folder)
    with open_weights(path, path.name, pickles=True) as weights:
        shares = deepbooru.read(weights, TAGS, CPU).probabilities(PICTURE)
    everything, notices = described(folder, "interrogate_deepbooru", interrogate_deepbooru_score_threshold=0)
    assert everything == "1girl, blue sky, fate \\(series\\), long hair, sky"
    assert notices == []
    middle_share = sorted(shares.values())[3]
    some, _ = described(folder, "interrogate_deepbooru", interrogate_deepbooru_score_threshold=middle_share)
    kept = [tag for tag in sorted(TAGS) if shares[tag] >= middle_share and tag != "rating:safe"]
    assert len(some.split(", ")) == len(kept) < 5


PROBABLE = {"sky": 0.7, "rating:safe": 0.99, "fate_(series)": 0.9, "long_hair": 0.5, "boat": 0.4999}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "fate \\(series\\), long hair, sky"),
        ({"deepbooru_sort_alpha": False}, "fate \\(series\\), sky, long hair"),
        ({"deepbooru_use_spaces": False}, "fate_\\(series\\), long_hair, sky"),
        ({"deepbooru_escape": False}, "fate (series), long hair, sky"),
        ({"deepbooru_filter_tags": "long hair, sky"}, "fate \\(series\\)"),
        ({"interrogate_return_ranks": True}, "(fate \\(series\\):0.900), (long hair:0.500), (sky:0.700)"),
        ({"interrogate_deepbooru_score_threshold": 0.95}, ""),
    ],
)
def test_tags_are_written_as_the_webui_writes_them(options: dict[str, Any], text: str) -> None:
    assert deepbooru.description(PROBABLE, InterrogateOptions(**options)) == text


def test_a_network_without_tags_takes_them_from_a_list(folder: Path) -> None:
    with_tags, without = folder / "one", folder / "two"
    with_tags.mkdir()
    without.mkdir()
    deepbooru_file(with_tags)
    interrogators.write(without / "deepbooru.safetensors", interrogators.deepbooru())
    with pytest.raises(JobError, match=r"upload tags\.txt --kind engine-file --for interrogate_deepbooru"):
        described(without, "interrogate_deepbooru")
    interrogators.write_lines(without / "tags.txt", TAGS)
    options = {"interrogate_deepbooru_score_threshold": 0, "deepbooru_sort_alpha": False}
    assert described(without, "interrogate_deepbooru", **options) == described(
        with_tags, "interrogate_deepbooru", **options
    )
    interrogators.write_lines(without / "tags.txt", TAGS[1:])
    with pytest.raises(JobError, match="knows 6 tags, and there are the names of 5"):
        described(without, "interrogate_deepbooru")


def test_without_the_network_the_refusal_says_what_to_upload(folder: Path) -> None:
    with pytest.raises(JobError, match=r"model-resnet_custom_v3\.pt --kind engine-file --for") as refused:
        described(folder, "interrogate_deepbooru")
    assert refused.value.code == "files_missing"
    clip_files(folder)
    with pytest.raises(JobError, match="files_missing"):
        described(folder, "interrogate_deepbooru")


def test_a_pickle_that_would_run_code_is_refused(folder: Path) -> None:
    torch.save({**interrogators.deepbooru(), "tags": list(TAGS), "extra": Path("x")}, folder / "model.pt")
    with pytest.raises(JobError, match="could run code"):
        described(folder, "interrogate_deepbooru")


def test_pictures_come_in_the_shape_that_the_models_know() -> None:
    wide = Image.new("RGB", (60, 30), "white")
    wide.paste("black", (0, 0, 15, 30))
    # The caption sees all of it, the ranking its middle.
    assert squeezed(wide, 16)[0, 0, 8, 0] < 0 < squeezed(wide, 16)[0, 0, 8, 8]
    assert (middle(wide, 16)[0, 0] > 0).all()
    assert middle(wide, 16).shape == (1, 3, 16, 16)
    assert clip.AT_ONCE > 1
