"""One sheet of what the illustrator makes of many stories.

    python -m benchmarks.gallery [--stories experiments/stories.jsonl] [--seed 0] [--out docs/images/stories.png]

Each story goes through plan, character, background, matting and composite, as a clip's does; rain and snow, which
the animator adds, fall as in its first frame. Look at the sheet: could a stranger tell which story made which picture?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vpgen import pipeline
from vpgen.clip import RGB, ClipRequest, Still
from vpgen.config import PipelineConfig, load_config
from vpgen.events import silent
from vpgen.media.ambient import Weather
from vpgen.media.color import convert
from vpgen.media.contact_sheet import CELL, FONT, GAP, INK, MARGIN, PAPER, wrap
from vpgen.money.ledger import Ledger
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import BackgroundRequest, CharacterRequest, CompositeRequest, MattingRequest
from vpgen.step import Steps

ROOT = Path(__file__).parent.parent
COLUMNS, CAPTION = 4, 52
"""Pictures in a row, and the pixels under each for two lines of its story."""


def main() -> None:
    """Draw every story of a file and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=Path, default=ROOT / "experiments" / "stories.jsonl")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "stories.png")
    options = parser.parse_args()
    stories = [json.loads(line)["story"] for line in options.stories.read_text("utf-8").splitlines() if line.strip()]
    config = load_config("animatic").model_copy(update={"stills": (960, 540)})
    with tempfile.TemporaryDirectory() as home, Runtime.open(Settings(home=Path(home), tracking=False)) as runtime:
        pictures = [asyncio.run(picture(story, options.seed, config, runtime)) for story in stories]
    # 256 colours: a third of the bytes, and flat drawings lose nothing one sees.
    sheet(pictures, stories).quantize(256).save(options.out, optimize=True)
    print(f"{len(pictures)} stories, seed {options.seed}: {options.out}")


async def picture(story: str, seed: int, config: PipelineConfig, runtime: Runtime) -> RGB:
    """The composited still of a story, with the weather that falls in it."""
    step = Steps(runtime, config, Ledger(runtime.database, runtime.prices, None, config.budget.clip), silent)
    prompt = await pipeline.plan(ClipRequest(story=story, seed=seed), step)
    character = await step("character", CharacterRequest(prompt, seed, config.stills))
    background = await step("background", BackgroundRequest(prompt, seed, config.stills))
    person = await step("matting", MattingRequest(character))
    still: Still = (await step("composite", CompositeRequest(person, background, prompt))).load()
    weather = Weather.of(still.scene, still.size, seed)
    if weather is None:
        return still.rgb
    frame = convert(still.rgb, "rgb24", "yuv444p").astype(np.int16)
    weather.over(list(frame), 0.0)
    return convert(frame.astype(np.uint8), "yuv444p", "rgb24")


def sheet(pictures: Sequence[RGB], stories: Sequence[str]) -> Image.Image:
    """The pictures in rows, each with its number and story under it."""
    font, (width, height) = ImageFont.truetype(str(FONT), 16), CELL
    rows = -(-len(pictures) // COLUMNS)
    size = (2 * MARGIN + COLUMNS * (width + GAP) - GAP, 2 * MARGIN + rows * (height + CAPTION + GAP) - GAP)
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    for index, (shown, story) in enumerate(zip(pictures, stories, strict=True)):
        x, y = MARGIN + index % COLUMNS * (width + GAP), MARGIN + index // COLUMNS * (height + CAPTION + GAP)
        page.paste(Image.fromarray(shown).resize(CELL, Image.Resampling.LANCZOS), (x, y))
        for line, text in enumerate(wrap(f"{index + 1}. {story}", font, width, 2)):
            draw.text((x, y + height + 4 + 22 * line), text, INK, font)
    return page


if __name__ == "__main__":
    main()
