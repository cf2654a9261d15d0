"""A table of requests, read and checked: each row is a request that can be made, or says why it is none.

Columns: `story`, and if wanted `seed`, `character`, `background` (pictures beside the table), `config`, `name` (of the
file that is delivered). Other columns are carried by nobody and named in a note.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

import fsspec
from pydantic import Field, TypeAdapter, ValidationError

from vpgen.clip import Text, Value
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import ConfigError, InvalidInput, MissingDependency, VpgenError
from vpgen.store.objects import canonical_json
from vpgen.tables import read_rows

PICTURES = ("character", "background")


class Wanted(Value):
    """One request. `character` and `background` are absolute paths, or addresses where the table is on S3."""

    story: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    character: str | None = None
    background: str | None = None
    config: str | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?$")] | None = None


@dataclass(frozen=True)
class Row:
    """Number `number` (from 1) of a table: `request` as it is kept, or, with an `error`, as it was written."""

    number: int
    request: dict[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class Table:
    """A table as it was read. `digest` is of its rows, the pixels and the configs that they name."""

    source: str
    rows: tuple[Row, ...]
    digest: str
    notes: tuple[str, ...] = ()


def read(source: str, options: dict[str, object]) -> Table:
    """Read and check a table; `options` are fsspec's for S3.

    Raises NotFound, InvalidInput or MissingDependency when there is no table to read; a bad row is a row.
    """
    if "://" not in source:
        source = str(Path(source).expanduser().absolute())
    beside = _Beside(source, options)
    rows: list[Row] = []
    matters: list[list[object]] = []
    unused = Counter[str]()
    found = read_rows(source, options)
    names = Counter(_file(row["name"]) for row in found if not isinstance(row, InvalidInput) and "name" in row)
    for number, row in enumerate(found, 1):
        if isinstance(row, InvalidInput):
            rows.append(Row(number, {}, str(row)))
            matters.append([str(row.message.rpartition("/")[2])])
            continue
        unused.update(row.keys() - Wanted.model_fields.keys())
        given = {key: value for key, value in row.items() if key in Wanted.model_fields}
        checked, decides = _checked(number, given, beside, names)
        rows.append(checked)
        matters.append([checked.error is None, {key: str(value) for key, value in given.items()}, decides])
    digest = hashlib.sha256(canonical_json(matters).encode()).hexdigest()
    return Table(source, tuple(rows), digest, tuple(_unused(unused)))


def _checked(number: int, given: dict[str, Any], beside: _Beside, names: Mapping[str, int]) -> tuple[Row, list[str]]:
    """The row, and what else than its words decides what is made of it."""
    problems: list[str] = []
    decides: list[str] = []
    document: dict[str, Any] = dict(given)
    for key in [key for key in PICTURES if key in given]:
        try:
            document[key], digest = beside.picture(given[key])
            decides.append(digest)
        except VpgenError as error:
            problems.append(f"{key}: {error.message}")
    try:
        wanted = TypeAdapter(Wanted).validate_python(document)
    except ValidationError as error:
        problems += [
            f"{detail['loc'][0]}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False)
        ]
        if "story" not in given:
            problems = [problem for problem in problems if not problem.startswith("story:")]
            problems.insert(0, "story: there is none")
        return _bad(number, given, problems), decides
    if wanted.name and names[_file(wanted.name)] > 1:
        problems.append(f"name: {wanted.name!r} is there {names[_file(wanted.name)]} times: its files would clash")
    request = wanted.model_dump(mode="json", exclude_none=True)
    if wanted.config:
        try:
            config = beside.config(wanted.config)
            request["resolved"] = config.model_dump(mode="json")
            decides.append(config.fingerprint("final"))
        except ConfigError as error:
            problems.append(f"config: {'; '.join(error.problems)}")
        except VpgenError as error:
            problems.append(f"config: {error.message}")
    return (_bad(number, given, problems) if problems else Row(number, request)), decides


def _file(name: object) -> str:
    """What a name is on a disk that takes Fox and fox for the same file, as those of macOS and Windows do."""
    return str(name).casefold()


def _bad(number: int, given: Mapping[str, Any], problems: list[str]) -> Row:
    return Row(number, {key: str(value)[:500] for key, value in given.items()}, "; ".join(problems))


def _unused(columns: Counter[str]) -> list[str]:
    notes = []
    for column in sorted(columns):
        near = difflib.get_close_matches(column.lower(), list(Wanted.model_fields), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(Wanted.model_fields)}"
        notes.append(f"the column {column[:80]!r} is not used; {hint}")
    return notes


class _Beside:
    """What rows name: pictures beside the table, configs. Each is looked at once."""

    def __init__(self, source: str, options: dict[str, object]) -> None:
        self._source, self._options = source, options
        self._remote = "://" in source
        self._pictures: dict[str, tuple[str, str]] = {}
        self._configs: dict[str, PipelineConfig | VpgenError] = {}

    def picture(self, named: object) -> tuple[str, str]:
        """Its full address, and a digest of what it is now. Raises InvalidInput."""
        name = str(named)
        if name not in self._pictures:
            self._pictures[name] = self._far(name) if self._remote or "://" in name else self._near(name)
        return self._pictures[name]

    def config(self, name: str) -> PipelineConfig:
        """By the name of one that ships, or a file beside the table. Raises ConfigError, NotFound."""
        if name not in self._configs:
            local = None if self._remote else Path(self._source).parent / name
            try:
                self._configs[name] = load_config(local if local is not None and local.is_file() else name)
            except VpgenError as error:
                self._configs[name] = error
        found = self._configs[name]
        if isinstance(found, VpgenError):
            raise found
        return found

    def _near(self, name: str) -> tuple[str, str]:
        path = (Path(self._source).parent / Path(name).expanduser()).absolute()
        try:
            if not path.is_file():  # a device or a pipe would be read for ever
                raise InvalidInput(f"there is no file {name}")
            with path.open("rb") as file:
                return str(path), hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the file {name} cannot be read: {error}") from error

    def _far(self, name: str) -> tuple[str, str]:
        base = urlsplit(self._source)
        if "://" in name:
            url = name
        elif name.startswith(("/", "~")):
            raise InvalidInput(f"{name}: a table at {base.scheme}:// names pictures beside it, or by address")
        else:
            url = f"{base.scheme}://{PurePosixPath(base.netloc + base.path).parent / name}"
        if urlsplit(url).scheme not in {"s3", "s3a", "memory", "file"}:
            raise InvalidInput(f"{name}: pictures are files, or objects on s3://")
        try:
            fs, path = fsspec.core.url_to_fs(url, **(self._options if url.startswith("s3") else {}))
            return url, str(fs.ukey(path))
        except FileNotFoundError:
            raise InvalidInput(f"there is no picture {url}") from None
        except ImportError as error:
            raise MissingDependency(f"{url}: {error}", remedy="pip install 'vpgen[s3]'") from error
        except Exception as error:  # what a far file system's library raises is its own
            raise InvalidInput(f"cannot look at {url}: {error}") from error
