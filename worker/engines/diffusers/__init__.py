"""The engine `diffusers`: paints with real model files, as the WebUI would.

It is built on the modules of diffusers and transformers (UNet, VAE, ControlNet, CLIP), not on their pipelines. Nothing
is fetched from anywhere: what a module is made with follows from the shapes in the file.

| module | what it is for |
| --- | --- |
| `files`, `tensors` | opens .safetensors and pickles: names and shapes first, then tensors, by several threads |
| `families` | what a checkpoint is (`Kind`), and the refusal of others by name |
| `unets`, `autoencoders`, `encoders` | where each tensor of a file belongs, and the configuration that follows |
| `models` | `Models.get(path, name) -> Model`: one checkpoint in memory |
| `running`, `graphs` | `model.runner(inputs)` calls the UNet, through CUDA graphs where it is worth it |
| `compiled`, `compiling` | compiles UNets beside the jobs, and keeps the packages in S3 |
| `memory` | what would fit where a job did not |
| `tokens` | CLIP's tokenizer |
| `vaes` | `read`, `chosen(model, vae)`, `decode`, `encode` |
| `loras`, `lora_forms`, `weights` | `loras.read`, `strengths`, and `weights.apply(model, uses)` |
| `hypernetworks` | `read`, `apply(model, [(network, strength)])` |
| `embeddings` | `read(path, name).for_model(model)`: vectors by text encoder |
| `controlnets`, `upscalers` | `read` |
| `tiny`, `tiny_networks`, `tiny_command` | tiny random files with the layout of real ones |

A `Model` has `.unet`, `.vae`, `.encoders` (each with `.key`: `clip_l`, `clip_h`, `clip_g`), `.tokenizer`, `.kind`
(`.family`, `.inpainting`, `.zero_snr`), `.prediction`, `.latent_scale`, `.placement` (device and precisions) and
`.runner`. A text encoder called with tokens returns what each layer made of them and the pooled vector; `final_norm`
and `with_vectors(places)` are for CLIP skip and embeddings.

What a job changes is a context manager, which puts everything back, also when the job fails:

    with vaes.chosen(model, vae), weights.apply(model, uses), hypernetworks.apply(model, networks):
        ...

Every refusal is a JobError with the file's name: `model_unreadable` (broken, incomplete, a pickle where none is
allowed), `model_unsupported` (another family, another form), `nothing_painted` (only values that are no numbers).
"""
