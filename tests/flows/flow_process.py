"""Runs flows in one process of its own: Prefect takes seconds to import and leaves sockets to the end of its process.

python flow_process.py < orders > answers        (JSON, one object a line)
"""

import asyncio
import importlib
import json
import os
import sys

from prefect.exceptions import PrefectException

from vpgen.errors import VpgenError


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order["environment"])
        flow = getattr(importlib.import_module(f"flows.{order['flow']}"), order["flow"])
        try:
            answer = {"result": asyncio.run(flow(**order["parameters"]))}
        except (VpgenError, PrefectException) as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
