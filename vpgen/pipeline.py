"""The stages in order: how a story becomes a preview, and an approved preview a final. Reads like a recipe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from vpgen.clip import ClipRequest, Prompt, Still, Video
from vpgen.config import PipelineConfig
from vpgen.errors import Refused
from vpgen.stages import (
    AnimateRequest,
    BackgroundRequest,
    CharacterRequest,
    CompositeRequest,
    EncodeRequest,
    EnlargeRequest,
    InterpolateRequest,
    MattingRequest,
    ModerateRequest,
    PlanRequest,
    Ref,
    Request,
    ScoreRequest,
    Scores,
    Stage,
    UpscaleRequest,
    Verdict,
)


class Step(Protocol):
    """Runs one stage: `vpgen.step.Steps`, or anything that behaves like it."""

    def __call__(self, stage: Stage, request: Request) -> Awaitable[Ref[Any]]: ...


class Picture(Protocol):
    """Gives the stored reference picture of that digest as a `Ref`."""

    def __call__(self, digest: str, *, cover: tuple[int, int] | None = None) -> Ref[Still]: ...


@dataclass(frozen=True)
class Moving:
    """Everything up to the animated clip, which a preview and its final share."""

    prompt: Prompt
    person: Ref[Still]
    still: Ref[Still]
    video: Ref[Video]


@dataclass(frozen=True)
class Rendered:
    """A finished file with its figures."""

    moving: Moving
    video: Ref[Video]
    scores: Ref[Scores]


async def plan(request: ClipRequest, step: Step) -> Prompt:
    """Story → prompts. Nothing is spent before the words are allowed. Raises Refused."""
    await _allow(step, ModerateRequest(_texts(request.story, request.prompt)))
    prompt: Prompt = request.prompt or (await step("plan", PlanRequest(request.story))).load()
    await _allow(step, ModerateRequest(_texts(prompt)))
    return prompt


async def animate(request: ClipRequest, config: PipelineConfig, step: Step, picture: Picture) -> Moving:
    """Story → moving picture at preview size. Raises Refused when moderation says no."""
    prompt = await plan(request, step)
    enlarging = "enlarge" in config.stages
    character, background = await _side_by_side(
        _given(picture(request.character_image))
        if request.character_image
        else step("character", CharacterRequest(prompt, request.seed, config.stills)),
        _given(picture(request.background_image, cover=None if enlarging else config.stills))
        if request.background_image
        else step("background", BackgroundRequest(prompt, request.seed, config.stills, as_made=enlarging)),
    )
    await _allow(step, ModerateRequest((), (character, background)))
    if enlarging:
        person_words = "" if request.character_image else _described(prompt.character, prompt)
        place_words = "" if request.background_image else _described(prompt.background, prompt)
        character, background = await _side_by_side(
            step("enlarge", EnlargeRequest(character, config.stills, person_words)),
            step("enlarge", EnlargeRequest(background, config.stills, place_words, cover=True)),
        )

    person = await step("matting", MattingRequest(character))
    still = await step("composite", CompositeRequest(person, background, prompt))
    video = await step("animate", AnimateRequest(still, prompt, request.seed, config.preview_spec))
    return Moving(prompt, person, still, video)


async def preview(request: ClipRequest, config: PipelineConfig, step: Step, picture: Picture) -> Rendered:
    """Story → a small moving preview to approve or reject."""
    moving = await animate(request, config, step, picture)
    video = await step("encode", EncodeRequest(moving.video, config.preview_spec))
    scores = await step("score", ScoreRequest(video, moving.prompt, person=moving.person))
    return Rendered(moving, video, scores)


async def final(request: ClipRequest, config: PipelineConfig, step: Step, picture: Picture) -> Rendered:
    """The approved preview → the clip to deliver. It starts from the very frames that were approved."""
    moving = await animate(request, config, step, picture)
    video: Ref[Any] = moving.video
    for stage in config.finish:
        if stage == "upscale":
            video = await step("upscale", UpscaleRequest(video, config.final.size))
        else:
            video = await step("interpolate", InterpolateRequest(video, config.final.fps))
    clip = await step("encode", EncodeRequest(video, config.final_spec))
    scores = await step("score", ScoreRequest(clip, moving.prompt, preview=moving.video, person=moving.person))
    return Rendered(moving, clip, scores)


async def _side_by_side(first: Awaitable[Ref[Any]], second: Awaitable[Ref[Any]]) -> list[Ref[Any]]:
    """Both results. When one fails the other still ends: it may be paid for, and its result is used again.

    When the clip itself is cancelled, both are.
    """
    tasks = [asyncio.ensure_future(work) for work in (first, second)]
    try:
        await asyncio.wait(tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return await asyncio.gather(*tasks)  # raises the first error, and takes note of the other


async def _given(picture: Ref[Still]) -> Ref[Still]:
    return picture


def _described(what: str, prompt: Prompt) -> str:
    return ", ".join(part for part in (what, prompt.style) if part)


def _texts(*parts: str | Prompt | None) -> tuple[str, ...]:
    """Every word a generator would see; the negative prompt names what must *not* be there."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, Prompt):
            texts += [part.character, part.background, part.motion, part.style]
        elif part:
            texts.append(part)
    return tuple(text for text in texts if text)


async def _allow(step: Step, request: ModerateRequest) -> None:
    verdict: Verdict = (await step("moderate", request)).load()
    if not verdict.allowed:
        raise Refused(
            f"moderation refused this ({', '.join(verdict.categories)}): {', '.join(verdict.terms)}",
            terms=verdict.terms,
            stage="moderate",
            remedy="Rephrase the story, or change the list the moderate stage uses",
        )
