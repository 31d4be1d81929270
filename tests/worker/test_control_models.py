"""Preprocessors with model files: people and depth, by tiny random models of the installed transformers."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from darkroom.jobs.contract import ModelFile
from tests.worker.files import folder
from tests.worker.jobs import file, photo
from tests.worker.test_painting import apart
from tests.worker.units import refused, steered, unit
from worker.engines.diffusers import foreign, tiny
from worker.engines.diffusers.control.depth import Depth, depth_config
from worker.engines.diffusers.control.people import People, detector_config, pose_config
from worker.errors import JobError


def written(model: torch.nn.Module, name: str) -> ModelFile:
    """The model as its authors publish it: transformers writes the names that those files have."""
    target: Any = model
    target.save_pretrained(folder() / name)
    (folder() / name / "model.safetensors").rename(folder() / f"{name}.safetensors")
    return file(f"{name}.safetensors")


@cache
def detector(basic: bool = False, sure: int = 5) -> ModelFile:
    """A tiny RT-DETR that takes everything for a person, or nothing where it is not `sure`."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

    torch.manual_seed(0)
    widths = [16, 16, 32, 32]
    config = RTDetrConfig(
        backbone_config=RTDetrResNetConfig(
            embedding_size=16,
            hidden_sizes=widths,
            depths=[1, 2, 1, 1],
            layer_type="basic" if basic else "bottleneck",
            out_features=["stage2", "stage3", "stage4"],
        ),
        encoder_in_channels=widths[1:],
        encoder_hidden_dim=32,
        d_model=32,
        encoder_ffn_dim=48,
        decoder_ffn_dim=40,
        decoder_layers=2,
        decoder_in_channels=[32, 32, 32],
        hidden_expansion=0.5 if basic else 1.0,
        num_queries=300,
        num_labels=80,
    )
    made = RTDetrForObjectDetection(config)
    for head in (made.model.enc_score_head, *made.model.decoder.class_embed):
        torch.nn.init.constant_(head.bias, -9)
        head.bias.data[0] = sure
    return written(made, f"tiny-rtdetr-{'basic' if basic else 'deep'}-{sure}")


@cache
def pose_model(simple: bool = True, experts: int = 1) -> ModelFile:
    """A tiny ViTPose that is sure of everything."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=1,
        image_size=[64, 48],
        num_experts=experts,
        part_features=8,
    )
    made = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, use_simple_decoder=simple, num_labels=17))
    torch.nn.init.constant_(made.head.conv.bias, 0.5)
    return written(made, f"tiny-vitpose-{simple}-{experts}")


@cache
def depth_model(layers: int = 12) -> ModelFile:
    """A tiny Depth Anything."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=1,
        image_size=518,
        patch_size=14,
        out_indices={12: [3, 6, 9, 12], 24: [5, 12, 18, 24]}[layers],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[4, 8, 8, 16],
        fusion_hidden_size=8,
        head_hidden_size=4,
    )
    made = DepthAnythingForDepthEstimation(config)
    for parameter in made.parameters():
        if parameter.dim() > 1:
            # Those of a fresh one are so small that every picture would look the same.
            torch.nn.init.normal_(parameter, std=0.3)
    return written(made, f"tiny-depth-{layers}")


def resnet(*depths: int, basic: bool = False) -> Any:
    """The backbone of a published RT-DETR."""
    from transformers import RTDetrResNetConfig

    kind, widths = ("basic", [64, 128, 256, 512]) if basic else ("bottleneck", [256, 512, 1024, 2048])
    features = ["stage2", "stage3", "stage4"]
    return RTDetrResNetConfig(layer_type=kind, hidden_sizes=widths, depths=[*depths], out_features=features)


def detectors() -> list[Any]:
    """The published sizes of RT-DETR: of 18, 50 and 101 layers."""
    from transformers import RTDetrConfig

    small: dict[str, Any] = {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": 3}
    large: dict[str, Any] = {"encoder_hidden_dim": 384, "encoder_ffn_dim": 2048, "decoder_in_channels": [384] * 3}
    return [
        RTDetrConfig(backbone_config=resnet(2, 2, 2, 2, basic=True), num_labels=80, **small),
        RTDetrConfig(backbone_config=resnet(3, 4, 6, 3), num_labels=80),
        RTDetrConfig(backbone_config=resnet(3, 4, 23, 3), num_labels=80, **large),
    ]


def poses() -> list[Any]:
    """The published sizes of ViTPose: small, base, large, huge, and base of ViTPose+."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig

    sizes: list[tuple[int, int, int, dict[str, Any]]] = [
        (384, 12, 12, {}),
        (768, 12, 12, {}),
        (1024, 24, 16, {}),
        (1280, 32, 16, {}),
    ]
    experts = {"num_experts": 6, "part_features": 192}
    return [
        VitPoseConfig(
            backbone_config=VitPoseBackboneConfig(
                hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, **more
            ),
            use_simple_decoder=simple,
            num_labels=17,
        )
        for width, layers, heads, more in [*sizes, (768, 12, 12, experts)]
        for simple in (True, False)
    ]


def depths() -> list[Any]:
    """The published sizes of Depth Anything V2: small, base, large."""
    from transformers import DepthAnythingConfig, Dinov2Config

    sizes = [
        (384, 12, 6, [48, 96, 192, 384], 64, [3, 6, 9, 12]),
        (768, 12, 12, [96, 192, 384, 768], 128, [3, 6, 9, 12]),
        (1024, 24, 16, [256, 512, 1024, 1024], 256, [5, 12, 18, 24]),
    ]
    return [
        DepthAnythingConfig(
            backbone_config=Dinov2Config(
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                image_size=518,
                patch_size=14,
                out_indices=seen,
                reshape_hidden_states=False,
            ),
            reassemble_hidden_size=width,
            neck_hidden_sizes=neck,
            fusion_hidden_size=fusion,
        )
        for width, layers, heads, neck, fusion, seen in sizes
    ]


def test_the_configurations_of_published_models_follow_from_their_tensors() -> None:
    from transformers import DepthAnythingForDepthEstimation, RTDetrForObjectDetection, VitPoseForPoseEstimation

    cases: list[tuple[Any, list[Any], Any]] = [
        (RTDetrForObjectDetection, detectors(), detector_config),
        (VitPoseForPoseEstimation, poses(), pose_config),
        (DepthAnythingForDepthEstimation, depths(), depth_config),
    ]
    for module, published, config_of in cases:
        for config in published:
            with torch.device("meta"):
                shapes = {name: tuple(tensor.shape) for name, tensor in module(config).state_dict().items()}
                found = config_of(shapes, "published.safetensors")
                again = {name: tuple(tensor.shape) for name, tensor in module(found).state_dict().items()}
            # This one is used in training alone.
            shapes.pop("model.denoising_class_embed.weight", None)
            assert again == shapes
            for part in ("num_attention_heads", "encoder_attention_heads", "image_size", "out_indices"):
                assert said(found, part) == said(config, part)


def said(config: Any, part: str) -> Any:
    """A part of a configuration, or of its backbone's; None where neither has it."""
    value = getattr(config.backbone_config, part, getattr(config, part, None))
    return [*value] if isinstance(value, list | tuple) else value


def at(model: ModelFile) -> tuple[Any, str]:
    """Path and name of a file."""
    return folder() / model.name, model.name


@pytest.mark.parametrize("basic", [False, True])
@pytest.mark.parametrize(("simple", "experts"), [(True, 1), (False, 1), (True, 3)])
def test_bodies_are_found_by_models_of_every_build(basic: bool, simple: bool, experts: int) -> None:
    people = People(at(detector(basic)), at(pose_model(simple, experts)), "cpu")
    looks: list[None] = []
    bodies = people.bodies(np.asarray(photo((96, 64))), lambda: looks.append(None))
    assert bodies
    assert len(looks) == -(-len(bodies) // 16)
    assert all(len(points) == 18 for points in bodies)
    assert any(point is not None for points in bodies for point in points)


def test_openpose_draws_what_the_models_see_and_bends_the_picture() -> None:
    files = {"openpose": [pose_model(), detector()]}
    seen = steered(unit(module="openpose", processor_res=64), files=files)
    assert apart(seen, steered(unit())) > 0.01
    assert apart(seen, steered(unit(module="dw_openpose_full", processor_res=64), files=files)) == 0


@pytest.mark.parametrize(("given", "lacks"), [(pose_model, "person detector"), (detector, "pose model")])
def test_the_file_that_is_missing_of_two_is_named(given: Any, lacks: str) -> None:
    with pytest.raises(JobError, match=lacks) as error:
        refused(unit(module="openpose"), files={"openpose": [given()]})
    assert error.value.code == "files_missing"
    assert "--for openpose FILE" in error.value.message


@pytest.mark.parametrize("layers", [12, 24])
def test_depth_draws_from_black_to_white_in_the_size_of_the_picture(layers: int) -> None:
    depth = Depth(*at(depth_model(layers)), "cpu")
    picture = np.asarray(photo((96, 64)))
    near = depth.drawn(picture)
    assert near.shape == picture.shape
    assert near.min() == 0
    assert near.max() >= 254
    assert not np.array_equal(near, depth.drawn(picture[::-1].copy()))


def test_depth_looks_at_pictures_of_any_proportions() -> None:
    depth = Depth(*at(depth_model()), "cpu")
    assert depth.drawn(np.asarray(photo((640, 8)))).shape == (8, 640, 3)


def test_depth_bends_the_picture() -> None:
    files = {"depth_anything": [depth_model()]}
    near = steered(unit(module="depth_anything_v2", processor_res=64), files=files, pictures={"pose": photo()})
    assert apart(near, steered(unit(), pictures={"pose": photo()})) > 0.01


def test_a_file_that_lacks_tensors_is_refused_by_their_names() -> None:
    tensors = load_file(folder() / depth_model().name)
    del tensors["head.conv1.bias"], tensors["backbone.encoder.layer.3.norm1.weight"]
    broken = tiny.write(folder() / "torn-depth.safetensors", tensors)
    with pytest.raises(
        JobError, match=r"'torn-depth\.safetensors'.*backbone\.encoder\.layer\.3\.norm1\.weight"
    ) as error:
        Depth(broken, broken.name, "cpu")
    assert error.value.code == "model_unreadable"


def test_another_kind_of_file_is_refused_by_its_name() -> None:
    with pytest.raises(JobError, match=r"'tiny-rtdetr-deep-5\.safetensors' is no Depth Anything") as error:
        refused(unit(module="depth_anything_v2"), files={"depth_anything": [detector()]})
    assert error.value.code == "model_unsupported"
    with pytest.raises(JobError, match=r"person detector"):
        refused(unit(module="openpose"), files={"openpose": [depth_model(), pose_model()]})


def test_a_pose_model_with_other_points_is_refused() -> None:
    tensors = load_file(folder() / pose_model().name)
    tensors["head.conv.weight"] = torch.zeros(21, 32, 3, 3)
    hands = tiny.write(folder() / "tiny-hands.safetensors", tensors)
    with pytest.raises(JobError, match=r"a pose model with 21 points"):
        People(at(detector()), (hands, hands.name), "cpu")


def test_a_file_that_is_none_is_named() -> None:
    path = folder() / "noise.safetensors"
    path.write_bytes(b"no safetensors at all")
    with pytest.raises(JobError, match=r"'noise\.safetensors' is broken"):
        foreign.shapes_of(path, path.name)


def test_a_picture_without_people_makes_a_black_map() -> None:
    people = People(at(detector(sure=-5)), at(pose_model()), "cpu")
    assert people.bodies(np.asarray(Image.new("RGB", (64, 64))), lambda: None) == []
