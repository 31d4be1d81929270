"""The engine `diffusers`: paints with real model files, as the WebUI would."""
