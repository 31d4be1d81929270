"""The panel *Amazon SageMaker Inference* for a Stable Diffusion WebUI.

`scripts/darkroom_panel.py` is what the WebUI loads. Modules in `webui` are the only ones that import the WebUI's own
modules, and they do it inside functions. All other modules need httpx, Gradio (`panel`, `events`) and the client.
"""

TITLE = "Amazon SageMaker Inference"
"""What the panel and the script are called."""
