"""A batch and housekeeping over real HTTP: table, pictures, store and clips in buckets of an S3 server on loopback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vpgen import batch, studio
from vpgen.config import PipelineConfig
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.retention import Policy, housekeeping

s3fs = pytest.importorskip("s3fs", reason="needs vpgen[s3]")
moto = pytest.importorskip("moto.server", reason="needs moto[server]")


@pytest.fixture
def settings() -> Iterator[Settings]:
    """An installation whose store is a bucket."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = Settings(
        store_url="s3://nightly/store",
        s3_endpoint=f"http://{host}:{port}",
        s3_key="test",
        s3_secret="test",  # noqa: S106
    )
    s3fs.S3FileSystem(**found.s3_options, use_listings_cache=False).mkdir("nightly")
    yield found
    server.stop()


def test_everything_in_buckets(settings: Settings, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """Read there, made here, delivered there; the same again makes nothing; housekeeping keeps the final whole."""
    s3 = s3fs.S3FileSystem(**settings.s3_options, use_listings_cache=False)
    picture = tmp_path / "me.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(picture)
    s3.pipe_file("nightly/in/me.png", picture.read_bytes())
    s3.pipe_file("nightly/in/requests.csv", b"story,character,name\na fox,me.png,fox\na cat,no.png,cat\n")
    with Runtime.open(settings) as runtime:
        work = {"profile": "final", "config": toy_config, "out": "s3://nightly/out/", "runtime": runtime}
        summary = asyncio.run(batch.run("s3://nightly/in/requests.csv", **work))
        assert (summary.completed, summary.failed) == (1, 1)
        assert summary.table == f"s3://nightly/out/{summary.id}.csv"
        assert s3.info("nightly/out/fox.mp4")["size"] > 0
        text = s3.cat_file(f"nightly/out/{summary.id}.csv").decode()
        assert "s3://nightly/out/fox.mp4" in text
        assert "there is no picture s3://nightly/in/no.png" in text
        assert asyncio.run(batch.run("s3://nightly/in/requests.csv", **work)) == summary

        before = {sha256 for sha256, _, _ in runtime.store.objects()}
        report = housekeeping(runtime, Policy(intermediates=0, previews=0, grace_hours=0), apply=True)
        assert report.bytes > 0
        left = {sha256 for sha256, _, _ in runtime.store.objects()}
        assert left < before
        (final,) = runtime.store.list_documents("clips")
        assert studio.show(runtime, final).video.stat().st_size > 0
