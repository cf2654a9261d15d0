"""What a Prefect server recorded, asked as its page asks it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class Recorded:
    """One server, and the folder with everything it keeps."""

    url: str
    home: Path

    def ask(self, what: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self.call("POST", f"{what}/filter", {"limit": 200, **wanted}))

    def call(self, method: str, path: str, wanted: dict[str, Any] | None = None) -> Any:
        """One request, again while SQLite keeps the server from answering: two cores run more than this test."""
        deadline = time.monotonic() + 30.0
        while True:
            reply = httpx.request(method, f"{self.url}/api/{path}", json=wanted, timeout=30.0, trust_env=False)
            if reply.status_code != 503 or time.monotonic() > deadline:
                return reply.raise_for_status().json()
            time.sleep(0.5)

    def make(self, what: str, wanted: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/api/{what}/", json=wanted, trust_env=False).raise_for_status()

    def run(self, name: str) -> dict[str, Any]:
        """The newest flow run of that name, once it is over."""

        def over() -> dict[str, Any] | None:
            found = self.ask("flow_runs", {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC"})
            return found[0] if found and found[0]["state_type"] not in {"PENDING", "RUNNING", "CANCELLING"} else None

        return _until(over)

    def tasks(self, run: dict[str, Any], count: int) -> dict[str, str]:
        """The names of that many task runs with the names of their states; they are recorded a moment later."""

        def recorded() -> list[dict[str, Any]] | None:
            found = self.ask("task_runs", {"flow_runs": {"id": {"any_": [run["id"]]}}})
            ended = [task for task in found if task["state_type"] not in {"PENDING", "RUNNING"}]
            return ended if len(ended) >= count else None

        return {task["name"]: task["state_name"] for task in _until(recorded)}

    def artifacts(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Those that have a key."""
        found = self.ask("artifacts", {"flow_runs": {"id": {"any_": [run["id"]]}}})
        return {artifact["key"]: artifact for artifact in found if artifact["key"]}

    def log(self, run: dict[str, Any], until: str) -> str:
        """Its log, once it has those words; it is sent in batches."""

        def complete() -> str | None:
            lines = self.ask("logs", {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"})
            text = "\n".join(line["message"] for line in lines)
            return text if until in text else None

        return _until(complete)


def _until(found: Any, seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while (result := found()) is None:
        assert time.monotonic() < deadline, "Prefect did not record it"
        time.sleep(0.2)
    return result
