"""YAML as plain data, with the line of each place; strict, and safe with strangers' files.

Texts stay texts: `no`, `2026-11-01`, `0123` and `1:30` are what was written, not what an old
version of YAML takes them for. A key twice, a tag, endless nesting and repetition are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrations.services.exchange.problems import ExchangeError, Path, Problem, path_text

MAX_BYTES = 20 * 1024 * 1024  # of all files together
MAX_DEPTH = 60
TOO_DEEP = "It is nested too deep."
MAX_NODES = 500_000  # after aliases were followed
MAX_ALIASES = 1_000
KINDS = ("configurations", "orchestrations")
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LONGEST_INTEGER = 300  # digits
TAG = "tag:yaml.org,2002:"
TAGS = {f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
OLD_TAGS = {f"{TAG}{name}" for name in ("timestamp", "value", "merge")}  # read as texts
QUOTED = ("'", '"', "|", ">")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Documents:
    """Files put together: what they say by kind and key, and where each place stands."""

    content: dict[str, dict[str, Any]] = field(default_factory=lambda: {k: {} for k in KINDS})
    places: dict[Path, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[str, int]:
        """Return the file and line of a place, or of the nearest one around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, ("", 0))

    def problem(self, path: Path, text: str) -> None:
        """Note what is wrong at a place."""
        source, line = self.place(path)
        self.problems.append(Problem(source, line, path_text(path), text))

    def unnamed(self, path: Path, text: str) -> None:
        """Note what is wrong with an object that no file names, so that no line says it."""
        self.problems.append(Problem("", 0, path_text(path), text))

    def stop_if_wrong(self) -> None:
        """Raise ExchangeError where anything was noted."""
        if self.problems:
            raise ExchangeError(self.problems)


def read(files: Mapping[str, str]) -> Documents:
    """Read files, name to text, into one; raises ExchangeError where they are no project.

    Any number of files in any split: each holds `configurations` and `orchestrations` by key.
    """
    size = sum(len(text.encode(errors="replace")) for text in files.values())
    found = Documents()
    if size > MAX_BYTES:
        found.problem((), f"The files have {size} bytes; {MAX_BYTES} are allowed.")
    found.stop_if_wrong()
    for name in sorted(files):
        _Reader(name, found).read(files[name])
    found.stop_if_wrong()
    return found


def read_mapping(text: str, source: str) -> dict[str, Any]:
    """Read one flat file of names and values, such as one with secrets."""
    found = Documents()
    reader = _Reader(source, found)
    value = reader.value(text)
    found.stop_if_wrong()
    if not isinstance(value, dict) or any(isinstance(v, dict | list) for v in value.values()):
        raise ExchangeError([Problem(source, 1, "", "This must hold lines of `name: value`.")])
    return value


class _Reader:
    """Reads one file into documents."""

    def __init__(self, source: str, documents: Documents) -> None:
        self.source, self.documents = source, documents
        self.nodes = 0
        self.aliased: set[int] = set()
        self.aliases = 0
        self.places: dict[Path, tuple[str, int]] = {}

    def read(self, text: str) -> None:
        """Add what a file says to the documents."""
        content = self.value(text)
        if content is None:
            return
        if not isinstance(content, dict):
            self._problem(1, (), "A file holds `configurations` and `orchestrations` by key.")
            return
        self._check_head(content)
        for kind in KINDS:
            part = content.get(kind)
            if isinstance(part, dict):
                for key, item in part.items():
                    self._add(kind, key, item)
            elif part is not None:
                self._problem(self._line((kind,)), (kind,), "This must be a mapping of keys.")
        self.documents.places = {**self.places, **self.documents.places}

    def value(self, text: str) -> Any:
        """Return the content of a text of YAML; None where it is empty or wrong."""
        try:
            _check_depth(text)
            node = yaml.compose(text, Loader=Loader)
            return None if node is None else self._value(node, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ", ".join(part for part in (error.context, error.problem) if part)
            # the library has a limit of its own, which may come first
            text = TOO_DEEP if "nesting depth" in words else f"This is no YAML: {words}."
            self._problem(mark.line + 1 if mark else 1, (), text)
        except yaml.YAMLError as error:
            self._problem(1, (), f"This is no YAML: {str(error).splitlines()[0]}.")
        except _Refused as error:
            self._problem(error.line, error.path, str(error))
        except RecursionError:
            self._problem(1, (), TOO_DEEP)
        return None

    def _check_head(self, content: Mapping[str, Any]) -> None:
        for key in content:
            if key not in {"version", *KINDS}:
                self._problem(self._line((key,)), (key,), "There is no such part of a project.")
        if content.get("version", 1) != 1:
            text = "This version of the format is unknown; use 1."
            self._problem(self._line(("version",)), ("version",), text)

    def _add(self, kind: str, key: str, item: Any) -> None:
        known = self.documents.content[kind]
        if key in known:
            source, line = self.documents.place((kind, key))
            text = f"This key stands in {source}:{line} too."
            self._problem(self._line((kind, key)), (kind, key), text)
            return
        known[key] = item

    def _value(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.nodes += 1
        self.places[path] = (self.source, line)
        if len(path) > MAX_DEPTH or self.nodes > MAX_NODES:
            raise _Refused("This is too much: it is nested or repeated without end.", line, path)
        if node.tag not in TAGS | OLD_TAGS:
            raise _Refused(f"Tags such as {node.tag} are not allowed.", line, path)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self._count_alias(node, line, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, n)) for n, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, item in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused("A key is a text.", line, path)
            key = str(key_node.value)
            if key in found:
                raise _Refused(f"The key “{key}” stands here twice.", line, (*path, key))
            found[key] = self._value(item, (*path, key))
            self.places[(*path, key)] = (self.source, line)
        return found

    def _count_alias(self, node: Any, line: int, path: Path) -> None:
        if id(node) in self.aliased:
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise _Refused(f"More than {MAX_ALIASES} aliases are not allowed.", line, path)
        self.aliased.add(id(node))

    def _line(self, path: Sequence[str | int]) -> int:
        return self.places.get(tuple(path), (self.source, 1))[1]

    def _problem(self, line: int, path: Path, text: str) -> None:
        self.documents.problems.append(Problem(self.source, line, path_text(path), text))


def _check_depth(text: str) -> None:
    """Refuse deep nesting before it is composed, which recurses in C and would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _Refused(TOO_DEEP, line, ())


class _Refused(Exception):  # ends up as a Problem
    """Something in a file that is not allowed."""

    def __init__(self, text: str, line: int, path: Path) -> None:
        super().__init__(text)
        self.line, self.path = line, path


def _scalar(node: Any) -> Any:
    """Return a scalar: what is quoted or in a block is a text, other words as YAML 1.2 reads them.

    A number that only one of the versions of YAML takes for one stays a text.
    """
    text = str(node.value)
    if node.style in QUOTED or node.tag == f"{TAG}str":
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text) and len(text) <= LONGEST_INTEGER:
        return int(text)
    return float(text) if REAL.fullmatch(text) else text
