"""How large the pictures of a body get (the WebUI's modules/processing.py)."""


def hires_size(
    width: float, height: float, *, scale: float, resize_x: float = 0, resize_y: float = 0
) -> tuple[float, float]:
    """The size after the second pass of a picture of that width and height. The body gives a factor, one side (the
    other keeps the proportions), or both sides; 0 for a side that it does not give."""
    if not resize_x and not resize_y:
        return int(width * scale), int(height * scale)
    return resize_x or resize_y * width // height, resize_y or resize_x * height // width
