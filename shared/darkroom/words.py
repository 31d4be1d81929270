"""How words are compared that people search for.

Names of files have a comparison of their own (`webui.spelling.folded`): two files whose names differ only in the width
of their letters are two files, and a job must get the one that it names. Who searches for a word wants all that read
the same, so here also the compatibility forms are one (Unicode, UAX 15: full and half width, ligatures).
"""

from unicodedata import normalize

_DOTTED_I = str.maketrans({"ı": "i"})


def folded(text: str) -> str:
    """A text as words are compared: in any case, width and encoding of its accents, `ß` as `ss`, and the Turkish i with
    and without its dot as one letter, which Unicode keeps apart. An accent still counts: `e` is not `é`."""
    if text.isascii():
        return text.lower()
    # Folding and normalizing undo each other for some letters, so both are done twice (Unicode standard, D146).
    once = normalize("NFKC", normalize("NFD", text).casefold())
    again = normalize("NFKD", once.casefold())
    return normalize("NFKC", again.translate(_DOTTED_I).replace("i\u0307", "i"))
