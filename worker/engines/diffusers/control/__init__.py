"""ControlNet units: what a body says of them, the maps that are made of their pictures, and what they do to a pass.

As the extension does it (Mikubill/sd-webui-controlnet 1.1.455, and the one inside Forge), told anew from its behaviour.
"""
