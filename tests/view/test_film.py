"""Films: decoded again they are the pictures that went in; where nothing encodes, the line says what to install."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import tetrax
from tetrax.env import record
from tetrax.view import film
from tetrax.view.__main__ import main
from tetrax.view.frames import scenes
from tetrax.view.picture import picture
from tetrax.view.render import render_mp4

ENV = tetrax.make("mini", actions="drop")
STANDS_STILL = 3  # seconds, at the end


@pytest.fixture(scope="module")
def game() -> record.Recording:
    return record.record(ENV.config, ENV.default_params, jax.random.key(3), np.array([0, 2, 1, 0, 3]))


def decode(data: bytes) -> tuple[list[np.ndarray], Any]:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams.video
        images = [
            frame.reformat(format="rgb24", src_colorspace=film.BT709).to_ndarray()
            for frame in container.decode(stream)
        ]
        return images, (stream.codec_context.name, stream.pix_fmt, float(stream.average_rate))


def test_a_film_is_the_pictures_that_went_in(game: record.Recording) -> None:
    data = render_mp4(game, cell=9, frames_per_second=5)  # of an odd size
    images, (codec, pixels, rate) = decode(data)
    drawn = [picture(scene, cell=9) for scene in scenes(game)]
    assert (codec, pixels, rate) == ("h264", "yuv420p", 5.0)
    assert len(drawn) == 5  # four pieces (the last action has no place in view), and the end
    assert len(images) == 4 + 5 * STANDS_STILL
    height, width = drawn[0].shape[:2]
    assert images[0].shape == (height + height % 2, width + width % 2, 3) and (height % 2 or width % 2)
    for image, expected in zip(images, [*drawn, *drawn[-1:] * 14], strict=True):
        difference = np.abs(image[:height, :width].astype(int) - expected.astype(int))
        # Colours have half the resolution, which shows at edges; areas keep theirs.
        assert difference.mean() < 6
        assert np.median(difference) <= 3
        assert np.abs(difference.reshape(-1, 3).mean(axis=0) - difference.mean()).max() < 4


def test_the_same_game_is_the_same_file(game: record.Recording) -> None:
    pytest.importorskip("av")
    assert render_mp4(game, cell=8, max_frames=3) == render_mp4(game, cell=8, max_frames=3)


def test_the_command_writes_one(game: record.Recording, tmp_path: Path, capsys: Any) -> None:
    record.save(game, tmp_path / "game.json")
    words = [
        "--out",
        str(tmp_path / "a.mp4"),
        "--max-frames",
        "2",
        "--part",
        "first",
        "--frames-per-second",
        "2",
    ]
    assert main([str(tmp_path / "game.json"), *words]) == 0
    images, (_, _, rate) = decode((tmp_path / "a.mp4").read_bytes())
    assert (len(images), rate) == (1 + 2 * STANDS_STILL, 2.0)


def test_without_pyav_the_line_names_the_extra(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["game.json", "--out", str(tmp_path / "a.mp4")]) == 2
    error = capsys.readouterr().err
    assert "av is not installed; it comes with: pip install -e '.[video]'" in error
    assert error.count("\n") == 1


def test_without_an_encoder_the_line_says_so(monkeypatch: Any) -> None:
    av = pytest.importorskip("av")
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(
        ValueError, match=r"has no encoder of H\.264; allowed: one with libx264 or libopenh264"
    ):
        film.find_encoder()
