"""The WebUI's own HTTP API on this machine, whose jobs run in the cloud.

    from darkroom_bridge.app import build
    from darkroom_bridge.settings import Settings

    app = build(Settings(url="https://….execute-api.eu-west-1.amazonaws.com/v1"))

Clients see a WebUI that answers each call when its pictures are there; Darkroom sees one idempotent job for each call.
"""
