"""What the words of a prompt say: modality, side, and what is left as the structure."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+")
MODALITY_WORDS: dict[str, re.Pattern[str]] = {
    "CT": re.compile(r"\b(?:cb|ang)?ct\b|\bcta\b|computed tomograph|\bcat scan", re.I),
    "MR": re.compile(
        r"\bf?mri?\b|\bmra\b|magnetic resonance|\bt[12](?:\b|w|c\b|-?weighted)|\bflair\b|\bdwi\b",
        re.I,
    ),
    "PET": re.compile(r"\bpet\b|positron|\bfdg\b|\bspect\b", re.I),
    # In small letters "us" is a pronoun.
    "US": re.compile(r"\bUS\b|(?i:ultrasound|sonogra|echocardiogra|\becho\b)"),
    "Microscopy": re.compile(
        r"microscop|\b[st]em\b|\bfib-?sem\b|\bsstem\b|fluorescen|confocal|light.?sheet", re.I
    ),
}
MODALITY_TOKENS = """
abdominal axial cat cbct cine computed confocal contrast coronal ct cta dwi echo
echocardiography electron emission enhanced fdg flair fluorescence fluorescent fmri
magnetic microscope microscopy mr mra mri pet planning positron radiotherapy resonance
sagittal sonography spect t1 t1c t1w t2 t2w thoracic tomography ultrasound us weighted
"""
FILLERS = """
a about all an and annotate annotation appear appears are area as at be belong belongs
binary body boundary by can case colour contour contouring could count delineate
delineating delineation detect draw each entire every everything extent extract find
focus for from give given highlight how i identify image in individual input instance
interest is isolate it its label labelling large like locate look looking mark mask may
me measure measured measurement modality model my need object of on one only or out
outline outlining part patient patients per pick picture please question reconstruction
region return roi scan see seen seg segment segmentation segmenting separate should show
showing shown single stack structure study surface target thank thanks that the these
this those to touching trace visible volume voxel want we what where which whole with
within would you your
"""
SPELLINGS = (("tumour", "tumor"), ("oedema", "edema"), ("oesoph", "esoph"), ("coeliac", "celiac"))
SIDES = ("left", "right")
SIDE_WORDS = {
    "left": re.compile(r"\bleft\b|\bsinist(?:er|ra|rum)\b|\bL\b(?!\s*[1-5]\b)", re.I),
    "right": re.compile(r"\bright\b|\bdext(?:er|ra|rum)\b|\bR\b", re.I),
}
SIDE_TOKENS = frozenset(
    ["left", "right", "l", "r", "side", "sided", "bilateral", "both", "sinister", "dexter"]
)
NOT_STRUCTURE = frozenset((*MODALITY_TOKENS.split(), *FILLERS.split(), *SIDE_TOKENS))
BOTH = re.compile(
    r"\bboth\b|\bbilateral|left (?:and|or|&|/) ?right|right (?:and|or|&|/) ?left", re.I
)


def modalities_of(text: str) -> frozenset[str]:
    """Modalities that a text names; empty if it names none."""
    return frozenset(name for name, words in MODALITY_WORDS.items() if words.search(text))


def sides_of(text: str) -> frozenset[str]:
    """``left``, ``right``, both or neither, as the text says."""
    if joins_sides(text):
        return frozenset(SIDES)
    return frozenset(side for side, words in SIDE_WORDS.items() if words.search(text))


def joins_sides(text: str) -> bool:
    """Whether both sides are meant, as in "left and right kidney"."""
    return bool(BOTH.search(text))


def structure_words(text: str) -> frozenset[str]:
    """The words that say what is looked for: singular, without fillers, modality and side."""
    normal = text.lower()
    for british, american in SPELLINGS:
        normal = normal.replace(british, american)
    words = {_singular(word) for word in WORD.findall(normal)}
    return frozenset(words - NOT_STRUCTURE)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as"))
    return word[:-1] if plural else word
