"""The same case as every variant shows it: contact sheets for reports, players that run in step for notebooks."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vpgen.clip import RGB, Video
from vpgen.errors import Corrupted, InvalidInput, NotFound
from vpgen.media.contact_sheet import CELL, grid, pick
from vpgen.results import find
from vpgen.store.records import load, read_record

if TYPE_CHECKING:
    import pandas as pd

    from vpgen.lab.result import Result
    from vpgen.runtime import Runtime

MOST_PAIRS = 4
DETAIL = (CELL[0], CELL[1])
"""Pixels of the clip that are shown as they are, where the variants differ most."""
_EMPTY: tuple[int, int, int] = (38, 41, 50)


def worth_seeing(result: Result, most: int = MOST_PAIRS) -> list[int]:
    """Pairs that tell most: from where the challengers lose most to where they win most on what decides, evenly spread.

    Only pairs with two finished clips count; those that cannot be compared come last, in their order.
    """
    trials, decides = result.trials, result.experiment.decision.metric
    made = trials[trials["clip_id"].notna() & (trials["state"] == "completed")]
    pairs = [int(pair) for pair, own in made.groupby("pair") if len(own) > 1]
    if decides not in made:
        return pairs[:most]
    values = made.pivot_table(index="pair", columns="variant", values=decides, aggfunc="first", dropna=False)
    baseline = result.experiment.baseline
    gain = values.drop(columns=baseline, errors="ignore").mean(axis=1) - values.get(baseline, np.nan)
    gain = (gain if result.scales[decides].higher_is_better else -gain).reindex(pairs)
    ordered = [int(pair) for pair in gain.dropna().sort_values(kind="stable").index]
    ordered += [pair for pair in pairs if pair not in ordered]
    places = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def sheet(
    runtime: Runtime, result: Result, path: Path, *, pairs: Sequence[int] | None = None, detail: bool = True
) -> Path | None:
    """Write a PNG: a row a pair, a column a variant, each with its figures; None when no pair has two clips.

    Below each row, with `detail`, the part in which the variants differ most, pixel for pixel. Raises StoreError.
    """
    pictures: list[RGB] = []
    captions: list[str] = []
    variants = list(result.experiment.variants)
    for pair in worth_seeing(result) if pairs is None else pairs:
        own = result.trials[result.trials["pair"] == pair].set_index("variant")
        frames = _frames(runtime, own, variants)
        pictures += [frames.get(name, _blank()) for name in variants]
        captions += [_caption(own, name, shown=name in frames) for name in variants]
        at = _where_they_differ(list(frames.values())) if detail and len(frames) > 1 else None
        if at is not None:
            pictures += [_crop(frames[name], at) if name in frames else _blank() for name in variants]
            captions += [f"{name}   {DETAIL[0]}x{DETAIL[1]} pixels as they are" for name in variants]
    if not pictures:
        return None
    return grid(pictures, captions, path, columns=len(variants), title=result.experiment.question or result.name)


def players(runtime: Runtime, result: Result, pair: int) -> str:
    """HTML with every variant's clip of a pair, played in step. Raises InvalidInput for a pair without a trial."""
    from markupsafe import escape

    own = result.trials[result.trials["pair"] == pair].set_index("variant")
    if own.empty:
        known = sorted({int(number) for number in result.trials["pair"]})
        raise InvalidInput(
            f"there is no pair {pair}", remedy=f"The pairs are {', '.join(map(str, known)) or 'none yet'}"
        )
    cells = []
    for name in result.experiment.variants:
        video = _video(runtime, own, name)
        inner = f"<div class=none>{escape(_ending(own, name))}</div>"
        if video is not None:
            inner = f'<video src="{data_uri(video.path, "video/mp4")}" loop muted playsinline preload=auto></video>'
        cells.append(f"<figure>{inner}<figcaption>{escape(_caption(own, name, shown=True))}</figcaption></figure>")
    return _PLAYERS.replace("CELLS", "".join(cells))


_PLAYERS = """<div class=vpgen-pair>
<style>
.vpgen-pair .row{display:flex;flex-wrap:wrap;gap:8px}.vpgen-pair figure{flex:1 1 300px;margin:0;min-width:0}
.vpgen-pair video{width:100%;display:block;background:#000}.vpgen-pair figcaption{font-size:13px;padding:4px 0}
.vpgen-pair .none{background:#262932;color:#eceef3;padding:3em 1em;text-align:center}
.vpgen-pair input{width:min(420px,60%);vertical-align:middle}
</style>
<div class=row>CELLS</div>
<button type=button>Play / pause</button> <input type=range min=0 max=1 step=0.001 value=0 aria-label=Position>
<script>
(() => {
  const box = document.currentScript.closest(".vpgen-pair"), all = [...box.querySelectorAll("video")];
  const bar = box.querySelector("input"), first = all[0];
  if (!first) return;
  const each = f => all.forEach(f);
  box.querySelector("button").onclick = () => {
    const paused = first.paused;
    each(v => { v.currentTime = first.currentTime; paused ? v.play() : v.pause(); });
  };
  bar.oninput = () => each(v => { v.pause(); v.currentTime = bar.value * v.duration; });
  first.ontimeupdate = () => {
    bar.value = first.currentTime / first.duration;
    each(v => { if (Math.abs(v.currentTime - first.currentTime) > 0.08) v.currentTime = first.currentTime; });
  };
})();
</script></div>"""


def _frames(runtime: Runtime, own: pd.DataFrame, variants: Iterable[str]) -> dict[str, RGB]:
    """A frame from the middle of each clip, all of the same size; odd, so that an interpolated one is shown as such."""
    frames = {}
    for name in variants:
        video = _video(runtime, own, name)
        if video is not None:
            index = min(video.frames // 2 | 1, video.frames - 1)
            frames[name] = pick(video, {index})[index]
    if not frames:
        return {}
    height, width = max((frame.shape[:2] for frame in frames.values()), key=lambda size: size[0] * size[1])
    return {
        name: frame if frame.shape[:2] == (height, width) else np.asarray(cv2.resize(frame, (width, height)), np.uint8)
        for name, frame in frames.items()
    }


def _video(runtime: Runtime, own: pd.DataFrame, variant: str) -> Video | None:
    """The clip of a variant; None when there is none, or none any more."""
    if variant not in own.index or own.loc[variant, "state"] != "completed" or not own.loc[variant, "clip_id"]:
        return None
    try:
        record = read_record(runtime.store, find(runtime, str(own.loc[variant, "clip_id"])).video)
        video = load(runtime.store, record.result) if record else None
    except (NotFound, Corrupted):
        return None
    return video if isinstance(video, Video) else None


def _where_they_differ(frames: Sequence[RGB]) -> tuple[int, int] | None:
    """Left and top of the part in which the frames differ most; None when the whole is no larger than that part."""
    height, width = frames[0].shape[:2]
    if width <= DETAIL[0] or height <= DETAIL[1]:
        return None
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames])
    differs = np.asarray(grey.max(axis=0) - grey.min(axis=0), np.float32)
    summed = cv2.boxFilter(differs, -1, DETAIL, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    room = np.asarray(summed)[: height - DETAIL[1] + 1, : width - DETAIL[0] + 1]
    top, left = np.unravel_index(int(room.argmax()), room.shape)
    return int(left), int(top)


def _crop(frame: RGB, at: tuple[int, int]) -> RGB:
    left, top = at
    return frame[top : top + DETAIL[1], left : left + DETAIL[0]]


def _blank() -> RGB:
    return np.full((CELL[1], CELL[0], 3), _EMPTY, np.uint8)


def _caption(own: pd.DataFrame, variant: str, *, shown: bool) -> str:
    """The variant's name, the case and the figures that decide; or how it ended."""
    from vpgen.lab.views import with_unit

    if variant not in own.index:
        return f"{variant}   not run"
    row: Mapping[str, Any] = own.loc[variant].to_dict()
    where = f"{variant}   {row['case']}, seed {row['seed']}"
    if not shown or row["state"] != "completed":
        return f"{where}   {_ending(own, variant)}"
    figures = [f"quality {with_unit(row['quality'], 'quality')}", *(with_unit(row[m], m) for m in ("seconds", "usd"))]
    return "   ".join([where, *figures])


def _ending(own: pd.DataFrame, variant: str) -> str:
    if variant not in own.index:
        return "not run"
    state = str(own.loc[variant, "state"])
    return "no longer in the store" if state == "completed" else state


def data_uri(path: Path, kind: str) -> str:
    """A file as an address that holds the file itself; `kind` is its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
