"""What the prompt lab's notebook calls: a config with a few dials turned, stills of several seeds, live sliders."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpgen import studio
from vpgen.clip import RGB, Still
from vpgen.config import PipelineConfig, config_from, load_config
from vpgen.errors import Corrupted, NotFound, VpgenError
from vpgen.media.contact_sheet import grid, pick
from vpgen.results import Clip
from vpgen.runtime import Runtime
from vpgen.store.records import load, read_record

if TYPE_CHECKING:
    import pandas as pd
    from ipywidgets import Widget

DIALS: Mapping[str, tuple[str, str]] = {
    "scale": ("composite", "scale"),
    "place": ("composite", "x"),
    "harmony": ("composite", "harmony"),
    "camera": ("animate", "strength"),
}
"""Dial → stage and parameter. None leaves it as the config has it."""


def dialled(config: str, **dials: float | None) -> PipelineConfig:
    """A config with some dials turned: `scale`, `place` and `harmony` of the person, `camera` movement.

    Raises ConfigError for a dial that the config's backend does not have, or a value that it does not take.
    """
    stages: dict[str, dict[str, Any]] = {}
    base = load_config(config)
    for dial, value in dials.items():
        stage, parameter = DIALS[dial]
        if value is not None:
            backend = next(choice.backend for name, choice in base.stages.items() if name == stage)
            stages.setdefault(stage, {"backend": backend})[parameter] = value
    if not stages:
        return base
    return config_from({"extends": config, "name": base.name, "stages": stages}, {}, Path("the prompt lab"))


def stills(runtime: Runtime, clips: Sequence[Clip], *, columns: int = 3) -> bytes:
    """A PNG of what each preview was animated from, with its seed. Raises StoreError."""
    with tempfile.TemporaryDirectory(prefix="vpgen-stills-") as folder:
        path = grid(
            [_still(runtime, clip) for clip in clips],
            [f"seed {clip.manifest.request.seed}   {clip.id}" for clip in clips],
            Path(folder) / "stills.png",
            columns=min(columns, max(1, len(clips))),
        )
        return path.read_bytes()


def figures(clips: Sequence[Clip]) -> pd.DataFrame:
    """Scores, seconds and USD of clips, one column a clip, headed by its seed."""
    import pandas as pd

    columns = {
        clip.manifest.request.seed: {
            **{score.name: score.value for score in clip.scores.scores if score.value is not None},
            "seconds": round(clip.seconds, 2),
            "USD": float(clip.cost.total) if clip.cost.total is not None else None,
        }
        for clip in clips
    }
    frame = pd.DataFrame(columns)
    frame.columns.name = "seed"
    return frame


def sliders(story: str, *, config: str = "animatic", seed: int = 0, runtime: Runtime) -> Widget:
    """Dials for one preview and a button that makes it; what was made before comes back at once.

    Raises MissingDependency without ipywidgets.
    """
    try:
        import ipywidgets as widgets
    except ImportError as error:
        from vpgen.errors import MissingDependency

        raise MissingDependency("sliders need ipywidgets", remedy="pip install 'vpgen[notebooks]'") from error
    import asyncio

    wide = {"layout": widgets.Layout(width="520px"), "style": {"description_width": "90px"}}
    text = widgets.Textarea(value=story, description="story", **wide)
    turned = {
        "seed": widgets.IntSlider(value=seed, min=0, max=50, description="seed", **wide),
        "scale": widgets.FloatSlider(value=0.6, min=0.2, max=1.2, step=0.05, description="size", **wide),
        "place": widgets.FloatSlider(value=0.5, min=0.1, max=0.9, step=0.05, description="left-right", **wide),
        "harmony": widgets.FloatSlider(value=1.0, min=0.0, max=1.0, step=0.1, description="harmony", **wide),
        "camera": widgets.FloatSlider(value=1.0, min=0.0, max=2.0, step=0.1, description="camera", **wide),
    }
    own = widgets.Checkbox(value=True, description="size and place from the words of the story", indent=False)
    button, shown = widgets.Button(description="Preview", button_style="primary"), widgets.HTML()
    working: set[asyncio.Task[None]] = set()

    async def make() -> None:
        button.disabled, shown.value = True, "Making it…"
        try:
            dials = {name: slider.value for name, slider in turned.items() if name != "seed"}
            if own.value:
                dials |= {"scale": None, "place": None}
            clip = await studio.preview(
                text.value, config=dialled(config, **dials), seed=turned["seed"].value, runtime=runtime
            )
            shown.value = player(clip)
        except VpgenError as error:
            shown.value = _said(error)
        finally:
            button.disabled = False

    def pressed(_: object) -> None:
        task = asyncio.ensure_future(make())
        working.add(task)
        task.add_done_callback(working.discard)

    button.on_click(pressed)
    return widgets.VBox([text, *turned.values(), own, button, shown])


def player(clip: Clip) -> str:
    """HTML that plays a clip where it stands, with its id and figures below."""
    from markupsafe import escape

    from vpgen.lab.side_by_side import data_uri

    said = escape(f"{clip.id}, {clip.seconds:.1f} s, {'from the store' if clip.cached else 'made now'}")
    return (
        f'<video src="{data_uri(clip.video, "video/mp4")}" width=640 controls autoplay loop muted></video><p>{said}</p>'
    )


def _said(error: VpgenError) -> str:
    from markupsafe import escape

    return str(escape(f"{type(error).__name__}: {error}. {error.remedy or ''}"))


def _still(runtime: Runtime, clip: Clip) -> RGB:
    """The composite of a preview; a frame of the clip itself where the composite is not kept."""
    for entry in clip.manifest.trail:
        if entry.stage == "composite":
            try:
                record = read_record(runtime.store, entry.key)
                still = load(runtime.store, record.result) if record else None
            except (NotFound, Corrupted):
                continue
            if isinstance(still, Still):
                return still.rgb
    from vpgen.media.video import probe

    return np.asarray(pick(probe(clip.video), {0})[0], np.uint8)
