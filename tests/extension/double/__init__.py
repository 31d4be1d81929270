"""A double of a Stable Diffusion WebUI, written for these tests: what an extension sees of one, and nothing behind it.

It has the contract of the script runner, the elem_ids, the shapes of options and of picture components, the callbacks,
and the localisation, on Gradio 3 as AUTOMATIC1111 has them and on Gradio 4 as Forge has them. Its package `modules` is
on the path of its own process alone (`python tests/extension/double/webui.py`).
"""
