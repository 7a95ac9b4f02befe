"""Every axis letter of an annotation is in the glossary, and every letter of the glossary is used."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ANNOTATION = re.compile(r'\w+\[(?:Array|Key|np\.ndarray), "([^"]*)"\]')  # Float32[Array, "T *B"]
COMMENT = re.compile(r"\b(?:u?int\d+|float\d+|bool|key<fry>)\[([^\]]*)\]")  # float32[T, B]


def letters(pattern: re.Pattern[str], text: str) -> set[str]:
    """Return the axes that are a single capital letter."""
    return {
        letter
        for shape in pattern.findall(text)
        for letter in re.findall(r"(?<![A-Za-z_])[A-Z](?![A-Za-z_])", shape)
    }


def test_the_glossary_has_the_letters_that_are_used_and_no_others():
    glossary = set(
        re.findall(r"^\| `([A-Z])` \|", (ROOT / "docs" / "axes.md").read_text(), flags=re.MULTILINE)
    )
    text = "\n".join(path.read_text() for path in sorted((ROOT / "tetrax").rglob("*.py")))
    annotated, remarked = letters(ANNOTATION, text), letters(COMMENT, text)
    assert len(annotated) > 15
    assert annotated | remarked == glossary


def test_letters_are_found():
    assert letters(ANNOTATION, 'x: Float32[Array, "T *B 4W+1 rows"]') == {"T", "B", "W"}
    assert letters(COMMENT, "y: Array  # uint32[2 * N, heads]") == {"N"}
