"""Draw the README's pictures: the terminal of a real training, filmed, and the best game of what it learned.

    python docs/pictures.py FOLDER

trains by `python -m tetrax.train` in a terminal of 80 columns by 24 rows and keeps in FOLDER the run and all that the
terminal was sent; a FOLDER that has both is only drawn. The terminal is played by pyte: pip install pyte.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
GAME, LIVE_VIEW = PICTURES / "game.gif", PICTURES / "live-view.gif"
MOST_BYTES = 1_000_000  # of a picture: a page that is slow to load is not read

COLUMNS, ROWS = 80, 24
CELL = (14, 27)  # width and height of a character in pixels; pages show the picture at half of that
FONT_SIZE = 23
MARGIN, TITLE_BAR, CORNER = 22, 52, 16
# One dark window reads on light and on dark pages.
BACKGROUND, BAR, TEXT, EDGE = "#16181d", "#262a33", "#d7dae0", "#4a5060"
LIGHTS = ("#ff5f57", "#febc2e", "#28c840")
ANSI = {"black": "#000000", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
        "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d7dae0"}  # fmt: skip
BLOCKS = " ▁▂▃▄▅▆▇█"
# Lines of boxes and of the progress bar: where they go from the middle of their cell, and how thick they are.
LINES = {"─": "lr", "│": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu",
         "━": "lr", "╸": "l", "╺": "r"}  # fmt: skip
THIN, THICK = 2, 6

NUM_FRAMES, FRAME_TIME, LAST_FRAME_TIME = 56, 220, 4000  # frames; milliseconds
PAUSE = 0.02  # seconds: the view is drawn eight times a second, each time at once
GAME_PIECES, GAME_CELL = 150, 16  # pieces at the end of the game; pixels


class Sent(NamedTuple):
    """Something that a terminal was sent."""

    seconds: float  # since the program began
    text: str


def main() -> None:
    """Train if need be, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, help="where the run and the film of its terminal are, or will be"
    )
    folder = parser.parse_args().folder
    run, film = folder / "run", folder / "terminal.jsonl"
    if not film.exists():
        folder.mkdir(parents=True, exist_ok=True)
        record(film, [sys.executable, "-m", "tetrax.train", "--run-dir", "run"], folder)
    PICTURES.mkdir(exist_ok=True)
    draw_game(run / "recordings" / "best.json", GAME)
    draw_live_view([Sent(*json.loads(line)) for line in film.read_text().splitlines()], LIVE_VIEW)
    for path in (GAME, LIVE_VIEW):
        sys.stderr.write(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes\n")


def record(film: Path, command: Sequence[str], folder: Path) -> None:
    """Run a command in a terminal of its own, and keep what the terminal is sent."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    hidden = ("COLUMNS", "LINES", "NO_COLOR")  # they would say something else
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    variables |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=variables, stdin=its, stdout=its, stderr=its)
    os.close(its)
    with film.with_suffix(".part").open("w") as file:
        for sent in read(ours):
            file.write(json.dumps(sent) + "\n")
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)}: ended with code {process.returncode}; see {file.name}")
    film.with_suffix(".part").rename(film)


def read(terminal: int) -> Iterator[Sent]:
    """Read what a terminal is sent until its program ends."""
    began, rest = time.monotonic(), b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so of a terminal that nobody has open any more
            return
        if not data:
            return
        whole, rest = split_characters(rest + data)
        yield Sent(time.monotonic() - began, whole)


def split_characters(data: bytes) -> tuple[str, bytes]:
    """Return the whole characters of UTF-8, and the bytes of one that has only begun."""
    for end in range(len(data), max(len(data) - 4, -1), -1):
        try:
            return data[:end].decode(), data[end:]
        except UnicodeDecodeError:
            continue
    return data.decode(errors="replace"), b""


def draw_game(recording: Path, path: Path) -> None:
    """Draw the last pieces of a recorded game."""
    from tetrax.env import record as recordings
    from tetrax.view.render import render_gif

    game = recordings.load(recording)
    path.write_bytes(render_gif(game, part="last", max_frames=GAME_PIECES, cell=GAME_CELL))


def draw_live_view(film: Sequence[Sent], path: Path) -> None:
    """Draw a terminal through time as an animation, the first picture when there is something to see."""
    pictures = [draw_screen(screen) for screen in screens(film)]
    # One palette for all, of the picture that has most to show.
    palette = pictures[-2].quantize(128)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    frames[0].save(
        path,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[FRAME_TIME] * (len(frames) - 1) + [LAST_FRAME_TIME],
        loop=0,
        optimize=True,
    )


def screens(film: Sequence[Sent]) -> Iterator[list[list[Any]]]:
    """Play what a terminal was sent; yield its rows of characters at even times, and at the end."""
    import pyte
    from pyte import graphics

    graphics.TEXT[2] = "+blink"  # faint text, which pyte does not know; nothing here blinks
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    last = film[-1].seconds
    first = next(
        (sent.seconds for sent in film if " left" in sent.text), 0.0
    )  # it has trained, and knows how long
    times = [first + (last - first) * index / (NUM_FRAMES - 1) for index in range(NUM_FRAMES - 1)]
    before = 0.0
    for sent in film:
        is_whole = sent.seconds - before > PAUSE  # else what was drawn last arrives in several parts
        while times and is_whole and sent.seconds > times[0]:
            times.pop(0)
            yield characters(screen)
        stream.feed(sent.text)
        before = sent.seconds
    yield characters(screen)


def characters(screen: Any) -> list[list[Any]]:
    """Return the characters of a screen, row by row."""
    return [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]


def draw_screen(rows: list[list[Any]]) -> Image.Image:
    """Draw the characters of a terminal in a window with round corners."""
    width, height = 2 * MARGIN + COLUMNS * CELL[0], TITLE_BAR + ROWS * CELL[1] + MARGIN
    picture = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width, TITLE_BAR - 10), fill=BAR)
    for index, light in enumerate(LIGHTS):
        x = MARGIN + 30 * index
        pen.ellipse((x, 13, x + 16, 29), fill=light)
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            draw_character(pen, character, MARGIN + x * CELL[0], TITLE_BAR + y * CELL[1])
    pen.rectangle((0, 0, width - 1, height - 1), outline=EDGE)
    return picture


def draw_character(pen: ImageDraw.ImageDraw, character: Any, x: int, y: int) -> None:
    """Draw one character; blocks and lines as rectangles, so that those side by side leave no gap."""
    width, height = CELL
    ink, paper = colour(character.fg, TEXT), colour(character.bg, BACKGROUND)
    if character.reverse:
        ink, paper = paper, ink
    if character.blink:  # faint
        ink = blend(ink, paper)
    if paper != BACKGROUND:
        pen.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
    text = character.data
    if text in LINES:
        draw_line(pen, LINES[text], THICK if text in "━╸╺" else THIN, (x, y), ink)
    elif text == "▀":
        pen.rectangle((x, y, x + width - 1, y + height // 2 - 1), fill=ink)
    elif text != " " and text in BLOCKS:
        top = y + height - (height - 3) * BLOCKS.index(text) // 8  # curves in neighbouring rows do not touch
        pen.rectangle((x, top, x + width - 1, y + height - 1), fill=ink)
    elif text.strip():
        pen.text((x, y + height - 6), text, fill=ink, font=font(character.bold), anchor="ls")


def draw_line(pen: ImageDraw.ImageDraw, goes: str, thickness: int, corner: tuple[int, int], ink: str) -> None:
    """Draw a line from the middle of a cell to its edges: l(eft), r(ight), u(p), d(own)."""
    (x, y), (width, height), half = corner, CELL, thickness // 2
    middle_x, middle_y = x + width // 2, y + height // 2
    left = x if "l" in goes else middle_x - half
    right = x + width - 1 if "r" in goes else middle_x + half - 1
    top = y if "u" in goes else middle_y - half
    bottom = y + height - 1 if "d" in goes else middle_y + half - 1
    if set(goes) & set("lr"):
        pen.rectangle((left, middle_y - half, right, middle_y + half - 1), fill=ink)
    if set(goes) & set("ud"):
        pen.rectangle((middle_x - half, top, middle_x + half - 1, bottom), fill=ink)


def font(bold: bool) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib brings along."""
    from matplotlib import font_manager

    weight = "bold" if bold else "normal"
    name = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans Mono", weight=weight))
    return ImageFont.truetype(name, FONT_SIZE)


def colour(name: str, default: str) -> str:
    """Return a colour as pyte names it in the way that Pillow reads it."""
    if name == "default":
        return default
    return ANSI.get(name.removeprefix("bright"), f"#{name}")


def blend(ink: str, paper: str) -> str:
    """Return the colour between two."""
    parts = (int(ink[i : i + 2], 16) // 2 + int(paper[i : i + 2], 16) // 2 for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


if __name__ == "__main__":
    main()
