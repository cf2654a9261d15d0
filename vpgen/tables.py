"""Tables of requests: CSV, JSON lines or Parquet, in a folder or wherever fsspec reaches (s3://…)."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePosixPath
from typing import Any

import fsspec

from vpgen.errors import InvalidInput, MissingDependency, NotFound

MAX_BYTES = 50_000_000
MAX_ROWS = 100_000
FORMATS = (".csv", ".jsonl", ".parquet")


def read_table(source: str, options: dict[str, object] | None = None) -> list[dict[str, Any]]:
    """The rows of a table, each a mapping by column; empty cells are left out.

    `options` are fsspec's (`Settings.s3_options`). Raises NotFound, InvalidInput with the line, MissingDependency.
    """
    rows = []
    for row in read_rows(source, options):
        if isinstance(row, InvalidInput):
            raise row
        rows.append(row)
    return rows


def read_rows(source: str, options: dict[str, object] | None = None) -> list[dict[str, Any] | InvalidInput]:
    """The same, where a row that cannot be read does not stand in the way of the others: its error takes its place."""
    suffix = PurePosixPath(source.partition("?")[0]).suffix.lower()
    if suffix not in FORMATS:
        raise InvalidInput(f"{source} is no table: its name ends in none of {', '.join(FORMATS)}")
    rows = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[suffix](_bytes(source, options or {}), source)
    if len(rows) > MAX_ROWS:
        raise InvalidInput(f"{source} has {len(rows)} rows; the limit is {MAX_ROWS}", remedy="Split it")
    if not rows:
        raise InvalidInput(f"{source} has no rows")
    return [row if isinstance(row, InvalidInput) else _filled(row) for row in rows]


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    """Without empty cells; NaN is what pandas writes for one."""
    return {key: value for key, value in row.items() if value not in (None, "") and value == value}  # noqa: PLR0124


def _bytes(source: str, options: dict[str, object]) -> bytes:
    try:
        with fsspec.open(source, "rb", **(options if "://" in source else {})) as file:
            data: bytes = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no table {source}") from None
    except ImportError as error:
        raise MissingDependency(f"{source}: {error}", remedy="pip install 'vpgen[s3]' for s3:// addresses") from error
    except Exception as error:  # what a far file system's library raises is its own
        remedy = "Check the address, and that this machine may read it" if "://" in source else ""
        raise InvalidInput(f"cannot read {source}: {error}", remedy=remedy) from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{source} is larger than {MAX_BYTES} bytes", remedy="Split it")
    return data


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _csv(data: bytes, source: str) -> list[dict[str, Any] | InvalidInput]:
    reader = csv.DictReader(io.StringIO(_text(data, source)), strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InvalidInput(f"{source}:{reader.line_num}: {error}") from error
    return [
        InvalidInput(f"{source}: row {number} has more cells than the header", remedy='Quote cells with commas: "…"')
        if None in row
        else {str(key): value for key, value in row.items()}
        for number, row in enumerate(rows, 2)
    ]


def _jsonl(data: bytes, source: str) -> list[dict[str, Any] | InvalidInput]:
    rows: list[dict[str, Any] | InvalidInput] = []
    for number, line in enumerate(_text(data, source).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            row = InvalidInput(f"{source}:{number}: not JSON: {error}")
        if not isinstance(row, dict | InvalidInput):
            row = InvalidInput(f'{source}:{number}: a row is an object, {{"story": …}}, not {type(row).__name__}')
        rows.append(row)
    return rows


def _parquet(data: bytes, source: str) -> list[dict[str, Any] | InvalidInput]:
    try:
        from pyarrow import ArrowException, BufferReader, parquet
    except ImportError as error:
        raise MissingDependency("Parquet needs pyarrow", remedy="pip install 'vpgen[lab]', or use CSV") from error
    try:
        rows: list[dict[str, Any] | InvalidInput] = parquet.read_table(BufferReader(data)).to_pylist()
    except (ArrowException, OSError) as error:
        raise InvalidInput(f"{source} is not Parquet: {error}") from error
    return rows
