"""A hundred clips at once in one process, and a thousand jobs that only wait, beside a plain loop over the vendor's SDK.

    python -m benchmarks.concurrency [--clips 100] [--waiting 1000] [--speed 1] [--real] [--no-peer]

The provider is the sandbox, in a process of its own, with realistic latencies: pictures 3 to 8 s, videos 20 to 60 s,
5 % of requests answered 500 or 503, 2 % of jobs refused, twenty jobs at once (Runway's highest tier; ten times as many
for the pure waiting). A clip buys two pictures at a time and then a video of what they became; it ends as a preview.
Its local stages are the tests' toys, so that what is measured is the waiting; with `--real` they are those of the
`animatic` config. `--speed` compresses the provider's time and the pauses between polls, and with them the ideal.

The ideal is the provider's own queue replayed with clients that lose no time: the same jobs with the work that was
drawn for them, first come, first served, each submitted the moment it can be. Every part runs in a process of its own,
whose peak memory and CPU are given.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import heapq
import json
import logging
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parent.parent
TIER = 20
"""Jobs at once for the clips."""
WIDE = 200
"""For the jobs that only wait."""
SETTINGS: dict[str, Any] = {
    "latency": {"image": [3, 8], "video": [20, 60]},
    "transient_errors": 0.05,
    "refusals": 0.02,
    "media": "stock",
    "balance_usd": "100000",
}
CONFIG = """
extends: animatic
name: concurrency
preview: {size: [320, 180], fps: 12}
stages:
  character: runway/gen4_image
  background: runway/gen4_image
  animate: runway/gen4_turbo
"""
CHEAP = "".join(f"  {stage}: toy\n" for stage in ("plan", "moderate", "matting", "composite", "encode", "score"))
RATIO = {"text_to_image": "1920:1080", "image_to_video": "1280:720"}
PEER_TIMEOUT = 3_600
LAG = 0.05


def main() -> None:
    """Measure every part and print one table."""
    options = _options()
    if options.part:
        logging.getLogger("stamina").setLevel(logging.ERROR)
        print(json.dumps(asyncio.run(PARTS[options.part](options))))
        return
    parts = [("clips", options.clips, TIER), ("waiting", options.waiting, WIDE)]
    print(
        f"provider {options.speed:g} times as fast as in life, on {os.cpu_count()} cores it shares; local stages: "
        f"{'real' if options.real else 'toys'}; previews only\n"
    )
    print(
        f"{'':<34}{'wall s':>9}{'ideal':>8}{'ratio':>7}{'peak MB':>9}{'CPU s':>8}{'loop late: p99':>16}{'max':>7}  ends"
    )
    for part, count, tier in parts:
        for who in ("vpgen", "sdk"):
            if not count or (who == "sdk" and not options.peer):
                continue
            if who == "sdk" and find_spec("runwayml") is None:
                print(f"{part + ', plain loop over the SDK':<34} skipped: runwayml is not installed (group `bench`)")
                continue
            with _sandbox(options.speed, tier) as url:
                found = _run(f"{part}-{who}", options, url)
                bill = httpx.get(f"{url}/_control/bill", timeout=60).json()
            _print(part, count, who, found, bill, tier)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100, help="at once; 0 leaves them out")
    parser.add_argument("--waiting", type=int, default=1000, help="jobs that only wait; 0 leaves them out")
    parser.add_argument("--speed", type=float, default=1.0, help="of the provider, against life")
    parser.add_argument("--real", action="store_true", help="the real local stages instead of toys")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="without the vendor's SDK")
    parser.add_argument("--profile", type=Path, help="write what the loop's thread did (cProfile) into this folder")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _sandbox(speed: float, tier: int) -> Iterator[str]:
    """The provider, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vpgen", "sandbox", "--port", str(port), "--speed", str(speed)]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=url, timeout=120, transport=httpx.HTTPTransport(retries=8)) as http:
            _warm(http)
            http.put(
                "/_control/settings", json={**SETTINGS, "speed": speed, "throttle": {"runway": tier}}
            ).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _warm(http: httpx.Client) -> None:
    """Have the stock media drawn, which takes seconds once, and forget it."""
    http.put("/_control/settings", json={"speed": 1000, "media": "stock"}).raise_for_status()
    uri = f"data:image/png;base64,{base64.b64encode(_picture()).decode()}"
    picture = {"model": "gen4_image", "promptText": "a beach"}
    video = {"model": "gen4_turbo", "promptImage": uri, "duration": 6}
    for endpoint, body in (("text_to_image", picture), ("image_to_video", video)):
        headers = {"Authorization": "Bearer any", "X-Runway-Version": "2024-11-06"}
        made = http.post(f"/runway/v1/{endpoint}", json={**body, "ratio": RATIO[endpoint]}, headers=headers)
        time.sleep(1)
        task = http.get(f"/runway/v1/tasks/{made.raise_for_status().json()['id']}", headers=headers).json()
        http.get(task["output"][0]).raise_for_status()
    http.post("/_control/reset")


def _run(part: str, options: argparse.Namespace, url: str) -> dict[str, Any]:
    """One part in a process of its own, with an installation of its own."""
    command = [sys.executable, "-m", "benchmarks.concurrency", "--part", part, "--url", url]
    command += ["--clips", str(options.clips), "--waiting", str(options.waiting), "--speed", str(options.speed)]
    command += ["--real"] if options.real else []
    command += ["--profile", str(options.profile)] if options.profile else []
    with tempfile.TemporaryDirectory() as home:
        places = [str(ROOT), str(ROOT / "tests" / "plugin")]
        env = os.environ | {
            "VPGEN_HOME": home,
            "VPGEN_OUT": f"{home}/out",
            "VPGEN_TRACKING": "false",
            "VPGEN_PROVIDERS_URL": url,
            "VPGEN_PROVIDERS_SPEED": str(options.speed),
            "PYTHONPATH": os.pathsep.join(places),
        }
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(part: str, count: int, who: str, found: dict[str, Any], bill: dict[str, Any], tier: int) -> None:
    jobs = {job["id"]: job for job in bill["jobs"] if job["id"] in found["jobs"]}
    ideal = _ideal(jobs, found["jobs"], tier)
    name = f"{count} {part}, {'vpgen' if who == 'vpgen' else 'plain loop over the SDK'}"
    ends = ", ".join(f"{number} {end}" for end, number in sorted(found["ends"].items()))
    print(
        f"{name:<34}{found['wall']:>9.1f}{ideal:>8.1f}{found['wall'] / ideal:>7.2f}{found['peak_mb']:>9.0f}"
        f"{found['cpu']:>8.1f}{found['late'][0] * 1000:>13.0f} ms{found['late'][1] * 1000:>4.0f} ms  {ends}",
        flush=True,
    )
    if "booked" in found:
        booked, held, billed = Decimal(found["booked"]), Decimal(found["held"]), Decimal(bill["total_usd"])
        verdict = "equal to the cent" if booked + held == billed else "NOT EQUAL"
        print(f"{'':<34}booked {booked:.2f} USD + held for jobs left behind {held:.2f}; billed {billed:.2f}: {verdict}")
    if len(bill["jobs"]) != len(jobs):
        print(f"{'':<34}{len(bill['jobs']) - len(jobs)} jobs were billed that the client knows nothing of")


def _ideal(jobs: dict[str, Any], clips: dict[str, str], tier: int) -> float:
    """Seconds until all are done when nobody but the provider takes time. `clips`: job → clip."""

    def seconds(job: dict[str, Any], since: str, until: str) -> float:
        return (datetime.fromisoformat(job[until]) - datetime.fromisoformat(job[since])).total_seconds()

    left: Counter[str] = Counter()
    videos: dict[str, Any] = {}
    waiting: list[tuple[float, str]] = []
    for job_id, job in jobs.items():
        pictures_first = job["model"] != "gen4_image" and any(
            clips[other] == clips[job_id] for other in jobs if jobs[other]["model"] == "gen4_image"
        )
        if pictures_first:
            videos[clips[job_id]] = job_id
        else:
            left[clips[job_id]] += 1
            waiting.append((seconds(job, "created", "ready"), job_id))
    heapq.heapify(waiting)
    places = [0.0] * tier
    done: dict[str, float] = {}
    while waiting:
        ready, job_id = heapq.heappop(waiting)
        ended = max(ready, heapq.heappop(places)) + seconds(jobs[job_id], "began", "ended")
        heapq.heappush(places, ended)
        clip = clips[job_id]
        left[clip] -= 1
        done[clip] = max(done.get(clip, 0.0), ended)
        if not left[clip] and clip in videos:
            video = videos.pop(clip)
            left[clip] += 1
            heapq.heappush(waiting, (done[clip] + seconds(jobs[video], "created", "ready"), video))
    return max(done.values())


class Measured:
    """Wall time, CPU, peak memory and how late the loop was, of what runs inside."""

    def __init__(self, profile: Path | None, part: str) -> None:
        self.late: list[float] = []
        self._profile, self._part = profile, part

    async def __aenter__(self) -> Self:
        self._watch = asyncio.ensure_future(self._watching())
        if self._profile:
            import cProfile

            self._profiler = cProfile.Profile()
            self._profiler.enable()
        self._began, self._cpu = time.monotonic(), time.process_time()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.wall, self.cpu = time.monotonic() - self._began, time.process_time() - self._cpu
        self._watch.cancel()
        if self._profile:
            self._profiler.disable()
            self._profile.mkdir(parents=True, exist_ok=True)
            self._profiler.dump_stats(self._profile / f"{self._part}.prof")

    async def _watching(self) -> None:
        while True:
            due = time.monotonic() + LAG
            await asyncio.sleep(LAG)
            self.late.append(time.monotonic() - due)

    def said(self, ends: list[str], jobs: dict[str, str]) -> dict[str, Any]:
        """For the other process."""
        late = sorted(self.late) or [0.0]
        return {
            "wall": self.wall,
            "cpu": self.cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            / (1024 if sys.platform == "linux" else 1024**2),
            "late": (late[int(len(late) * 0.99)], late[-1]),
            "ends": Counter(ends),
            "jobs": jobs,
        }


async def _clips(options: argparse.Namespace) -> dict[str, Any]:
    """The whole of vpgen: journal, ledger, store, previews."""
    import sqlalchemy as sa

    import vpgen
    from vpgen.config import load_config
    from vpgen.errors import Refused, VpgenError
    from vpgen.runtime import Runtime
    from vpgen.store import journal
    from vpgen.store.schema import Charge

    file = Path(os.environ["VPGEN_HOME"]) / "concurrency.yaml"
    file.write_text(CONFIG + ("" if options.real else CHEAP))
    config = load_config(file)
    with Runtime.open() as runtime:

        async def one(index: int) -> str:
            try:
                await vpgen.preview(
                    f"A woman walks along the beach, take {index}", config=config, seed=index, runtime=runtime
                )
            except Refused:
                return "refused"
            except VpgenError as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return f"failed ({type(error).__name__})"
            return "completed"

        async with runtime.connections(), Measured(options.profile, options.part) as measured:
            ends = await asyncio.gather(*(one(index) for index in range(options.clips)))
        rows = journal.entries(runtime.database, every=True, limit=10 * options.clips)
        with runtime.database.read() as session:
            charges = session.scalars(sa.select(Charge).where(Charge.sku.startswith("runway/"))).all()
        return measured.said(ends, {row.handle["job_id"]: str(row.clip_id) for row in rows if row.handle}) | {
            "booked": str(sum((row.usd for row in charges if row.usd is not None), Decimal(0))),
            "held": str(sum((row.estimate_usd for row in charges if row.usd is None), Decimal(0))),
        }


async def _waiting(options: argparse.Namespace) -> dict[str, Any]:
    """The shared client alone: submit and wait."""
    from vpgen.backends.http.client import Doubt
    from vpgen.backends.http.network import Network
    from vpgen.backends.http.runway import RunwayWire
    from vpgen.backends.http.wire import Ask, Handle, Media
    from vpgen.errors import VpgenError
    from vpgen.settings import Settings

    network = Network(Settings())
    client = network.client(RunwayWire())
    model = network.catalogue["runway"].model("gen4_turbo")
    media = Media("image", "image/png", _picture())
    jobs: dict[str, str] = {}

    async def one(index: int) -> str:
        ask = Ask(
            "animate", "gen4_turbo", model, "push in", seed=index, ratio=RATIO["image_to_video"], seconds=6, media=media
        )
        try:
            while True:
                try:
                    handle = await client.submit(await client.written(ask, None), ask)
                    break
                except Doubt:
                    # Without a journal there is nothing to compare the vendor's count with; this vendor's 500 is a no.
                    await asyncio.sleep(client.pause)
            assert isinstance(handle, Handle)
            jobs[handle.job_id] = str(index)
            report = await client.wait(handle, ask, lambda fraction, note: None, PEER_TIMEOUT)
        except VpgenError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return f"failed ({type(error).__name__})"
        return "completed" if report.state == "succeeded" else report.state

    async with Measured(options.profile, options.part) as measured:
        ends = await asyncio.gather(*(one(index) for index in range(options.waiting)))
    await network.aclose()
    return measured.said(ends, jobs)


async def _clips_sdk(options: argparse.Namespace) -> dict[str, Any]:
    """What one would write by hand: the same purchases, nothing kept, no local stages."""

    async def clip(sdk: Any, download: Callable[[str], Awaitable[bytes]], index: int, jobs: dict[str, str]) -> None:
        async def made(endpoint: Any, **asked: Any) -> bytes:
            task = await endpoint.create(ratio=RATIO[asked.pop("at")], seed=index, **asked)
            jobs[task.id] = str(index)
            done = await task.wait_for_task_output(timeout=PEER_TIMEOUT)
            return await download(done.output[0])

        pictures = await asyncio.gather(
            *(
                made(sdk.text_to_image, at="text_to_image", model="gen4_image", prompt_text=f"{what}, take {index}")
                for what in ("a woman", "a beach")
            )
        )
        uri = f"data:image/png;base64,{base64.b64encode(pictures[1]).decode()}"
        await made(
            sdk.image_to_video,
            at="image_to_video",
            model="gen4_turbo",
            prompt_image=uri,
            duration=6,
            prompt_text="push in",
        )

    return await _sdk(options, options.clips, clip)


async def _waiting_sdk(options: argparse.Namespace) -> dict[str, Any]:
    """The SDK's own submit and wait."""
    uri = f"data:image/png;base64,{base64.b64encode(_picture()).decode()}"

    async def job(sdk: Any, download: Callable[[str], Awaitable[bytes]], index: int, jobs: dict[str, str]) -> None:  # noqa: ARG001
        task = await sdk.image_to_video.create(
            model="gen4_turbo",
            prompt_image=uri,
            ratio=RATIO["image_to_video"],
            duration=6,
            seed=index,
            prompt_text="push in",
        )
        jobs[task.id] = str(index)
        await task.wait_for_task_output(timeout=PEER_TIMEOUT)

    return await _sdk(options, options.waiting, job)


async def _sdk(options: argparse.Namespace, count: int, one: Callable[..., Awaitable[None]]) -> dict[str, Any]:
    import runwayml
    from runwayml.lib import polling

    polling.POLL_TIME, polling.POLL_JITTER = polling.POLL_TIME / options.speed, polling.POLL_JITTER / options.speed  # type: ignore[assignment]
    jobs: dict[str, str] = {}
    async with (
        runwayml.AsyncRunwayML(api_key="any", base_url=f"{options.url}/runway") as sdk,
        httpx.AsyncClient(timeout=60) as downloads,
        Measured(options.profile, options.part) as measured,
    ):

        async def download(url: str) -> bytes:
            return (await downloads.get(url)).content

        async def ended(index: int) -> str:
            try:
                await one(sdk, download, index, jobs)
            except polling.TaskFailedError as error:
                code = str(getattr(error.task_details, "failure_code", ""))
                return "refused" if code.startswith("SAFETY") else f"failed ({code})"
            except (runwayml.RunwayMLError, httpx.HTTPError, polling.TaskTimeoutError) as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return f"failed ({type(error).__name__})"
            return "completed"

        ends = await asyncio.gather(*(ended(index) for index in range(count)))
    return measured.said(ends, jobs)


def _picture() -> bytes:
    """A small PNG."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (128, 72), "grey").save(buffer, "PNG")
    return buffer.getvalue()


PARTS: dict[str, Callable[[argparse.Namespace], Awaitable[dict[str, Any]]]] = {
    "clips-vpgen": _clips,
    "clips-sdk": _clips_sdk,
    "waiting-vpgen": _waiting,
    "waiting-sdk": _waiting_sdk,
}

if __name__ == "__main__":
    main()
