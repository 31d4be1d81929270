"""Pictures that come into the page: every way in, how the page understands them, and what it says of bad ones.

The page must see a picture as the API does (`darkroom.images.header`): so both are asked here.
"""

import base64
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, expect

from darkroom.images.header import read_header
from tests.page.conftest import Opened, Person

WIDTH, HEIGHT = 64, 40
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'


def written(form: str, **options: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(content, form, **options)
    return content.getvalue()


def exif(orientation: int) -> bytes:
    told = Image.Exif()
    told[274] = orientation
    return told.tobytes()


def with_texts(**texts: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name.replace("_", " "), text, zip=True)
    return info


def turned() -> Iterator[tuple[str, bytes]]:
    """Pictures that say in every way which way up they are, by a name that tells how."""
    for orientation in range(1, 9):
        block = exif(orientation)
        yield f"exif-{orientation}.jpg", written("JPEG", exif=block)
        yield f"exif-{orientation}.png", written("PNG", exif=block)
        yield f"exif-{orientation}.webp", written("WEBP", exif=block)
        yield f"xmp-{orientation}.jpg", written("JPEG", xmp=XMP.format(orientation).encode())
        yield f"xmp-{orientation}.webp", written("WEBP", xmp=XMP.format(orientation).encode())
    profile = f"\nexif\n{len(exif(6)):8}\n{exif(6).hex()}\n"
    yield "profile.png", written("PNG", pnginfo=with_texts(Raw_profile_type_exif=profile))
    yield "broken.jpg", written("JPEG", exif=exif(6)[:20])
    yield "both.jpg", written("JPEG", exif=exif(1), xmp=XMP.format(6).encode())
    yield "wrong.jpg", written("JPEG", exif=exif(9))


@pytest.fixture
def img2img(opened: Opened, artist: Person) -> Page:
    """The page with the empty canvas of img2img."""
    return opened(artist.key, "#/img2img")


def test_every_picture_stands_as_the_api_says(img2img: Page, tmp_path: Path) -> None:
    choose = img2img.get_by_label("Choose a picture: img2img", exact=True)
    for name, content in turned():
        path = tmp_path / name
        path.write_bytes(content)
        choose.set_input_files(path)
        width, height = read_header(content).size
        expect(img2img.get_by_text(f"{width} × {height}", exact=True), name).to_be_visible()
        img2img.get_by_role("button", name="Remove the picture").click()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(img2img: Page, way: str) -> None:
    expect(img2img.get_by_text("Drop Image Here").first).to_be_visible()
    give(img2img, way, written("PNG"), "image/png")
    expect(img2img.get_by_text("64 × 40", exact=True)).to_be_visible()


def test_a_text_is_pasted_where_texts_are(img2img: Page) -> None:
    """Only pictures go to the canvas."""
    img2img.get_by_label("Prompt", exact=True).focus()
    img2img.keyboard.insert_text("a pier")
    expect(img2img.get_by_label("Prompt", exact=True)).to_have_value("a pier")
    expect(img2img.get_by_text("Drop Image Here").first).to_be_visible()


def test_a_format_that_the_api_refuses_is_taken_where_the_browser_can_open_it(img2img: Page, tmp_path: Path) -> None:
    path = tmp_path / "old.bmp"
    path.write_bytes(written("BMP"))
    img2img.get_by_label("Choose a picture: img2img", exact=True).set_input_files(path)
    expect(img2img.get_by_text("64 × 40", exact=True)).to_be_visible()


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(img2img: Page, tmp_path: Path) -> None:
    """A small file that unfolds to gigabytes."""
    small = written("PNG")
    header = (40_000).to_bytes(4, "big") * 2 + small[24:29]
    chunk = b"IHDR" + header
    bomb = small[:8] + small[8:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + small[33:]
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb)
    img2img.get_by_label("Choose a picture: img2img", exact=True).set_input_files(path)
    expect(img2img.get_by_text("This picture is too large.")).to_be_visible()


def give(page: Page, way: str, content: bytes, kind: str) -> None:
    """Drop or paste a file where the canvas is."""
    page.locator(".picture-canvas:visible .drop-zone").evaluate(
        """(zone, [way, text, type]) => {
            const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "given", { type }));
            const options = { bubbles: true, cancelable: true };
            if (way === "drop") zone.dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
            else document.body.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",
        [way, base64.b64encode(content).decode(), kind],
    )
