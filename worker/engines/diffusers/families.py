"""Recognises what a checkpoint is by the names and shapes of its tensors, and names what cannot be used here."""

from dataclasses import dataclass
from enum import StrEnum

from worker.engines.diffusers.files import WeightFile, missing
from worker.errors import JobError

UNSUPPORTED = "model_unsupported"
"""The code of a model file that is whole, but of a family or form that this engine does not know."""
UNET = "model.diffusion_model."
VAE = "first_stage_model."
INPAINTING_CHANNELS = 9


class Family(StrEnum):
    """The families that are painted with, by the names that Darkroom uses for them."""

    SD1 = "Stable Diffusion 1.x"
    SD2 = "Stable Diffusion 2.x"
    SDXL = "SDXL"
    REFINER = "SDXL refiner"


ENCODERS = {
    Family.SD1: {"clip_l": "cond_stage_model."},
    Family.SD2: {"clip_h": "cond_stage_model."},
    Family.SDXL: {"clip_l": "conditioner.embedders.0.", "clip_g": "conditioner.embedders.1."},
    Family.REFINER: {"clip_g": "conditioner.embedders.0."},
}
"""The text encoders of each family, and what stands before the names of their tensors."""
SCALING = {Family.SD1: 0.18215, Family.SD2: 0.18215, Family.SDXL: 0.13025, Family.REFINER: 0.13025}
"""What a latent of the VAE is multiplied with before the UNet sees it."""


class Prediction(StrEnum):
    """What the UNet predicts: the noise, or the velocity."""

    EPSILON = "epsilon"
    V = "v"


@dataclass(frozen=True)
class Kind:
    """What a checkpoint is. `prediction` is None where only a run of the UNet can tell (SD 2.x)."""

    family: Family
    inpainting: bool
    prediction: Prediction | None
    zero_snr: bool


LORA = (".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora.down.weight", ".hada_w1_a", ".lokr_w1")
# A part of the names of tensors, and what a file with such a name is. The first that is found counts.
OTHERS: tuple[tuple[str, str], ...] = (
    *((part, "a LoRA, and no checkpoint") for part in LORA),
    ("lora_unet_", "a LoRA, and no checkpoint"),
    ("lora_te", "a LoRA, and no checkpoint"),
    ("control_model.", "a ControlNet, and no checkpoint"),
    ("input_hint_block.", "a ControlNet, and no checkpoint"),
    ("controlnet_cond_embedding.", "a ControlNet, and no checkpoint"),
    ("lllite_unet", "a ControlNet LLLite, and no checkpoint"),
    ("ip_adapter.", "an IP-Adapter, and no checkpoint"),
    ("motion_modules.", "an AnimateDiff motion module, and no checkpoint"),
    (".absmax", "a checkpoint quantized to 4 bits, which this engine cannot use"),
    (".scale_weight", "a checkpoint in scaled fp8, which this engine cannot use"),
    ("weight_scale", "a checkpoint in scaled fp8, which this engine cannot use"),
    ("joint_blocks.", "a Stable Diffusion 3 checkpoint"),
    ("distilled_guidance_layer.", "a Chroma checkpoint"),
    ("txt_in.individual_token_refiner.", "a Hunyuan Video checkpoint"),
    ("double_stream_modulation_img.", "a FLUX.2 checkpoint"),
    ("double_blocks.", "a FLUX checkpoint"),
    ("single_transformer_blocks.", "a FLUX checkpoint"),
    ("double_layers.", "an AuraFlow checkpoint"),
    ("clip_txt_mapper.", "a Stable Cascade checkpoint"),
    ("clip_mapper.", "a Stable Cascade checkpoint"),
    ("effnet_mapper.", "a Stable Cascade checkpoint"),
    ("mlp_t5.", "a Hunyuan DiT checkpoint"),
    ("cap_embedder.", "a Lumina or Z-Image checkpoint"),
    ("txt_norm.weight", "a Qwen Image checkpoint"),
    ("llm_adapter.", "an Anima checkpoint"),
    ("t_embedding_norm.", "a HiDream checkpoint"),
    ("caption_projection.", "a PixArt, Sana or HiDream checkpoint"),
    ("scale_shift_table", "a PixArt, Sana or LTX Video checkpoint"),
    ("y_embedder.y_proj.", "a PixArt or Sana checkpoint"),
    ("net.x_embedder.proj.", "a Cosmos checkpoint"),
    ("blocks.0.cross_attn.norm_k.", "a Wan checkpoint"),
    ("text_embedding.0.", "a Wan checkpoint"),
    (".time_stack.", "a Stable Video Diffusion checkpoint"),
    ("encoder_hid_proj.", "a Kolors checkpoint"),
    ("conditioner.embedders.0.word_embeddings.", "a Kolors checkpoint"),
    ("cond_stage_model.roberta.", "an AltDiffusion checkpoint"),
    ("depth_model.", "an SD 2 depth checkpoint"),
    ("embedder.model.ln_final.", "an SD 2 unCLIP checkpoint"),
    ("edm_mean", "a Playground v2.5 checkpoint"),
    ("edm_vpred.", "an SDXL checkpoint with EDM v-prediction"),
    ("down_blocks.0.", "in the layout of diffusers; a checkpoint must be a single file in the layout of the WebUI"),
    ("text_model.encoder.", "a text encoder"),
    ("string_to_param", "an embedding, and no checkpoint"),
    ("emb_params", "an embedding, and no checkpoint"),
)
CHANNELS = {
    5: "an SD 2 depth checkpoint",
    7: "an SD upscaler checkpoint",
    8: "an InstructPix2Pix checkpoint",
}
"""Input channels of UNets that are fed with more than a latent, and are not for inpainting."""


def unsupported(name: str, what: str) -> JobError:
    """The refusal of the file `name`, which is `what`: a FLUX checkpoint."""
    families = ", ".join(family.value for family in Family)
    message = f"The file '{name}' is {what}. This engine paints with checkpoints of these families: {families}."
    return JobError(UNSUPPORTED, message)


def recognise(weights: WeightFile, yaml: str | None = None) -> Kind:
    """What the checkpoint is. `yaml` is the text of the .yaml file beside it, if there is one: it decides over the
    prediction, as in the WebUI.

    Raises JobError: `model_unsupported`, with the name of the family, for what is no checkpoint of Family, and
    `model_unreadable` for one that lacks a whole part.
    """
    known = any(key.startswith(f"{UNET}input_blocks.") for key in weights.shapes)
    for part, what in OTHERS:
        # A checkpoint of a known family may carry more than it needs.
        suspicious = not known or part in _DECISIVE
        if suspicious and any(part in key for key in weights.shapes):
            raise unsupported(weights.name, what)
    if not known:
        raise _no_unet(weights)
    first = f"{UNET}input_blocks.0.0.weight"
    if first not in weights.shapes:
        raise missing(weights.name, [first])
    channels = weights.shapes[first][1]
    if channels in CHANNELS:
        raise unsupported(weights.name, CHANNELS[channels])
    family = _family(weights)
    vector = f"{UNET}label_emb.0.0.weight"
    if family in (Family.SDXL, Family.REFINER) and vector not in weights.shapes:
        raise missing(weights.name, [vector])
    prediction = _prediction(weights, yaml)
    inpainting = channels == INPAINTING_CHANNELS
    if prediction is None and (family is not Family.SD2 or inpainting):
        prediction = Prediction.EPSILON
    return Kind(family, inpainting, prediction, "ztsnr" in weights.shapes)


_DECISIVE = {
    ".absmax",
    ".scale_weight",
    "weight_scale",
    ".time_stack.",
    "encoder_hid_proj.",
    "conditioner.embedders.0.word_embeddings.",
    "cond_stage_model.roberta.",
    "depth_model.",
    "embedder.model.ln_final.",
    "edm_mean",
    "edm_vpred.",
    "control_model.",
}
"""Those of OTHERS that have a UNet like that of a known family."""


def _no_unet(weights: WeightFile) -> JobError:
    if {"encoder.conv_in.weight", "decoder.conv_in.weight"} & weights.shapes.keys():
        return unsupported(weights.name, "a VAE, and no checkpoint")
    return unsupported(weights.name, "no checkpoint that this engine knows")


def _family(weights: WeightFile) -> Family:
    """The family, by the text encoders that are in the file."""
    if any(key.startswith("conditioner.embedders.1.") for key in weights.shapes):
        return Family.SDXL
    if any(key.startswith("conditioner.embedders.0.model.") for key in weights.shapes):
        return Family.REFINER
    if any(key.startswith("cond_stage_model.model.") for key in weights.shapes):
        return Family.SD2
    if any(key.startswith("cond_stage_model.transformer.") for key in weights.shapes):
        return Family.SD1
    raise unsupported(weights.name, "a UNet without its text encoders")


def _prediction(weights: WeightFile, yaml: str | None) -> Prediction | None:
    """What file and .yaml say of the prediction; None when they say nothing."""
    if yaml is not None:
        says_v = any(line.split("#")[0].replace(" ", "") in _YAML_V for line in yaml.splitlines())
        return Prediction.V if says_v else Prediction.EPSILON
    if "v_pred" in weights.shapes:
        return Prediction.V
    said = weights.metadata.get("modelspec.prediction_type", "").lower()
    return {"v": Prediction.V, "v_prediction": Prediction.V, "epsilon": Prediction.EPSILON}.get(said)


_YAML_V = {'parameterization:"v"', "parameterization:'v'", "parameterization:v"}
