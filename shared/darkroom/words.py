"""How words are compared that people search for.

Names of files have a comparison of their own (`webui.spelling.folded`): two files whose names differ only in the width
of their letters are two files, and a job must get the one that it names. Who searches for a word wants all that read
the same, so here also the compatibility forms are one (Unicode, UAX 15: full and half width, ligatures).
"""

import re
from unicodedata import normalize

_DOT = "\u0307"
_I_WITH_MARKS = re.compile("i[\u0300-\u036f]+")


def folded(text: str) -> str:
    """A text as words are compared: in any case, width and encoding of its accents, `ß` as `ss`, and the Turkish i with
    and without its dot as one letter, which Unicode keeps apart. An accent still counts: `e` is not `é`."""
    if text.isascii():
        return text.lower()
    # Folding and normalizing undo each other for some letters, so both are done twice (as in the standard, D146).
    for _ in range(2):
        text = normalize("NFKC", normalize("NFKC", text).replace("ı", "i").casefold())
    if _DOT not in text:
        return text
    return normalize("NFKC", _I_WITH_MARKS.sub(lambda found: found[0].replace(_DOT, ""), normalize("NFKD", text)))
