"""Samplers, schedules and noise with the meaning they have in the WebUI (AUTOMATIC1111 1.10).

`names` and `options` do not need torch: they say what is taken, and refuse the rest by name. `run` is the way in for
what paints: `from_noise` and `from_latent`. A sampler is a plain function on `denoise(x, sigma) -> x0`:

- `x` is a batch of latents (B, C, H, W), clean latents plus `sigma` times noise, float32;
- `sigma` is one noise level for each picture, shape (B,);
- the answer is the clean latents as the model sees them, with the guidance applied.
"""
