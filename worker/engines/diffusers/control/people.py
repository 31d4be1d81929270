"""Finds the bodies in a picture: RT-DETR the people, ViTPose their points (transformers' `rt_detr` and `vitpose`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from worker.engines.diffusers import foreign
from worker.engines.diffusers.control.arrays import Picture
from worker.engines.diffusers.control.poses import Point, body
from worker.engines.diffusers.files import Shape
from worker.engines.diffusers.foreign import count, first
from worker.engines.diffusers.models import Step

PERSON = 0
"""The first of COCO's 80 classes."""
SURE = 0.5
"""How sure the detector must be that it sees a person."""
SEEN = 0.3
"""How sure the pose model must be of a point."""
TOGETHER = 16
"""People whose points are looked for in one call."""
COCO_POINTS = 17
_HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}
"""Attention heads of ViTPose by its width; the file does not tell."""
_PATCH = 16
_DETECTOR, _POSE = "model.enc_score_head.weight", "backbone.embeddings.patch_embeddings.projection.weight"

Box = list[float]
"""Left, top, width, height in pixels."""


def is_detector(shapes: Mapping[str, Shape]) -> bool:
    """Whether a file with these tensors is RT-DETR."""
    return _DETECTOR in shapes and not any(key.endswith("n_points_scale") for key in shapes)


def is_pose_model(shapes: Mapping[str, Shape]) -> bool:
    """Whether a file with these tensors is ViTPose."""
    return _POSE in shapes and "head.conv.weight" in shapes


class People:
    """Both models in memory."""

    def __init__(self, detector: tuple[Path, str], pose: tuple[Path, str], device: str) -> None:
        """The files of both, as path and name. JobError `model_unreadable`, `model_unsupported`."""
        from transformers import RTDetrForObjectDetection, VitPoseForPoseEstimation

        self._device = device
        self._detector = foreign.load(*detector, RTDetrForObjectDetection, detector_config, device)
        self._pose = foreign.load(*pose, VitPoseForPoseEstimation, pose_config, device)

    @torch.no_grad()
    def bodies(self, picture: Picture, look: Step) -> list[list[Point]]:
        """The points of every body in the picture, as openpose orders them."""
        boxes = self._boxes(picture)
        found = []
        for at in range(0, len(boxes), TOGETHER):
            look()
            found += [body(points) for points in self._points(picture, boxes[at : at + TOGETHER])]
        return found

    def _boxes(self, picture: Picture) -> list[Box]:
        from transformers import RTDetrImageProcessorPil

        processor = RTDetrImageProcessorPil()
        seen = processor(images=Image.fromarray(picture), return_tensors="pt").to(self._device)
        answer = self._detector(**seen)
        [found] = processor.post_process_object_detection(answer, threshold=SURE, target_sizes=[picture.shape[:2]])
        corners = found["boxes"][found["labels"] == PERSON].tolist()
        return [[left, top, right - left, bottom - top] for left, top, right, bottom in corners]

    def _points(self, picture: Picture, boxes: list[Box]) -> list[list[Point]]:
        from transformers import VitPoseImageProcessorPil

        height, width = self._pose.config.backbone_config.image_size
        processor = VitPoseImageProcessorPil(size={"height": height, "width": width})
        arrays = np.array([boxes], dtype=np.float32)
        seen = processor(Image.fromarray(picture), boxes=arrays, return_tensors="pt").to(self._device)
        answer = self._pose(seen["pixel_values"], **self._dataset(len(boxes)))
        [found] = processor.post_process_pose_estimation(answer, boxes=arrays)
        return [_seen(each["keypoints"], each["scores"]) for each in found]

    def _dataset(self, people: int) -> dict[str, Any]:
        """ViTPose+ has learned from several sets of pictures; COCO's is the first."""
        if self._pose.config.backbone_config.num_experts == 1:
            return {}
        return {"dataset_index": torch.zeros(people, dtype=torch.long, device=self._device)}


def _seen(points: Any, scores: Any) -> list[Point]:
    return [
        (float(x), float(y)) if float(score) > SEEN else None
        for (x, y), score in zip(points.tolist(), scores.flatten().tolist(), strict=True)
    ]


def pose_config(shapes: Mapping[str, Shape], name: str) -> Any:
    """The configuration of a ViTPose with these tensors. JobError `model_unsupported` for one with other points."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig

    layer = "backbone.encoder.layer.0.mlp"
    experts = count(shapes, f"{layer}.experts.")
    patches, width = first(shapes, ["backbone.embeddings.position_embeddings"], name)[1:]
    points = first(shapes, ["head.conv.weight"], name)[0]
    if points != COCO_POINTS:
        raise foreign.unknown(name, f"a pose model with {points} points", f"one with COCO's {COCO_POINTS} points")
    # What it looks at is four patches high where it is three wide; one position more is for the whole.
    high = round(((patches - 1) * 4 / 3) ** 0.5)
    size = high * _PATCH, (patches - 1) // high * _PATCH
    backbone = VitPoseBackboneConfig(
        hidden_size=width,
        num_hidden_layers=count(shapes, "backbone.encoder.layer."),
        num_attention_heads=_HEADS.get(width, max(1, width // 64)),
        mlp_ratio=first(shapes, [f"{layer}.fc1.weight"], name)[0] // width,
        image_size=[*size],
        patch_size=[_PATCH, _PATCH],
        num_experts=max(1, experts),
        part_features=shapes[f"{layer}.experts.0.weight"][0] if experts else width // 4,
    )
    return VitPoseConfig(
        backbone_config=backbone, use_simple_decoder="head.deconv1.weight" not in shapes, num_labels=points
    )


def detector_config(shapes: Mapping[str, Shape], name: str) -> Any:
    """The configuration of an RT-DETR with these tensors."""
    from transformers import RTDetrConfig

    width = first(shapes, ["model.encoder_input_proj.0.0.weight"], name)[0]
    middle = first(shapes, ["model.encoder.fpn_blocks.0.conv1.conv.weight"], name)[0]
    old, new = "model.encoder.encoder.0.layers.0.", "model.encoder.aifi.0.layers.0.mlp."
    below, above = "model.decoder.layers.0.", "model.decoder.layers.0.mlp."
    return RTDetrConfig(
        backbone_config=_backbone(shapes, name),
        encoder_in_channels=_inputs(shapes, "model.encoder_input_proj."),
        encoder_hidden_dim=width,
        encoder_ffn_dim=first(shapes, [f"{old}fc1.weight", f"{new}fc1.weight"], name)[0],
        hidden_expansion=middle / width,
        d_model=first(shapes, ["model.enc_output.0.weight"], name)[0],
        decoder_in_channels=_inputs(shapes, "model.decoder_input_proj."),
        decoder_ffn_dim=first(shapes, [f"{below}fc1.weight", f"{above}fc1.weight"], name)[0],
        decoder_layers=count(shapes, "model.decoder.layers."),
        num_denoising=0,
        anchor_image_size=None,
        num_labels=first(shapes, [_DETECTOR], name)[0],
    )


def _backbone(shapes: Mapping[str, Shape], name: str) -> Any:
    from transformers import RTDetrResNetConfig

    stages = "model.backbone.model.encoder.stages."
    deep = f"{stages}0.layers.0.layer.2.convolution.weight" in shapes
    last = 2 if deep else 1
    numbers = range(count(shapes, stages))
    widths = [
        first(shapes, [f"{stages}{number}.layers.0.layer.{last}.convolution.weight"], name)[0] for number in numbers
    ]
    return RTDetrResNetConfig(
        embedding_size=first(shapes, ["model.backbone.model.embedder.embedder.2.convolution.weight"], name)[0],
        hidden_sizes=widths,
        depths=[count(shapes, f"{stages}{number}.layers.") for number in numbers],
        layer_type="bottleneck" if deep else "basic",
        out_features=["stage2", "stage3", "stage4"],
    )


def _inputs(shapes: Mapping[str, Shape], before: str) -> list[int]:
    return [shapes[f"{before}{number}.0.weight"][1] for number in range(count(shapes, before))]
