"""Forge has a package of this name; other WebUIs have none."""
