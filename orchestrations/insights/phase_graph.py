"""Phases and what they wait for, laid out in layers as a drawing: no lines through boxes.

Pure: it takes names and keys and gives numbers, which a template writes as SVG.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 184, 46  # of a box
LANE = 20  # across, for a line that passes a layer
GAP_ACROSS, GAP_ALONG = 18, 40
MARGIN = 12
LAYERS_ABREAST = 5  # more layers are drawn from top to bottom
SWEEPS = 4
LETTERS = 22  # of a name that fit into a box


@dataclass(frozen=True)
class Node:
    """A phase to draw."""

    key: str
    name: str
    tasks: int


@dataclass(frozen=True)
class Box:
    """A phase as drawn: the place of its upper left corner."""

    node: Node
    x: int
    y: int
    in_circle: bool = False

    @property
    def label(self) -> str:
        """The name, as much as fits."""
        name = self.node.name
        return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"


@dataclass(frozen=True)
class Line:
    """An arrow from a phase to one that waits for it: `path` as in SVG's `d`.

    One that closes a circle is drawn backwards: its head stands at the path's beginning.
    """

    path: str
    in_circle: bool = False
    is_backwards: bool = False


@dataclass(frozen=True)
class Drawing:
    """All boxes and lines, and the size of what holds them."""

    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


Spot = tuple[str, str, int]  # a box (key, "", layer), or a line's lane (from, to, layer)
Edge = tuple[str, str]  # from what is waited for, to what waits


def draw(
    nodes: Sequence[Node],
    waits: Mapping[str, Sequence[str]],
    circles: Sequence[Sequence[str]] = (),
) -> Drawing:
    """Lay the phases out so that each stands after those it waits for; in circles as good as can.

    `waits` names keys of `nodes` only.
    """
    if not nodes:
        return Drawing(0, 0)
    edges = [(need, key) for key, needs in waits.items() for need in dict.fromkeys(needs)]
    back = _closing(nodes, waits)
    forward = [(b, a) if (a, b) in back else (a, b) for a, b in edges if a != b]
    layer = _layers(nodes, forward)
    spots = _ordered(_rows(nodes, forward, layer), forward, layer)
    plan = _Plan(spots, down=max(layer.values()) >= LAYERS_ABREAST)
    ring = {(c[n - 1], c[n]) for circle in circles for c in [list(circle)] for n in range(len(c))}
    ring |= {(b, a) for a, b in ring}
    members = {key for circle in circles for key in circle}
    lines = [
        Line(
            plan.path(*(edge[::-1] if edge in back else edge), layer),
            in_circle=edge in ring,
            is_backwards=edge in back,
        )
        for edge in edges
        if edge[0] != edge[1]
    ]
    boxes = [Box(n, *plan.corner((n.key, "", layer[n.key])), n.key in members) for n in nodes]
    return Drawing(*plan.size(), boxes, lines)


def _closing(nodes: Sequence[Node], waits: Mapping[str, Sequence[str]]) -> set[Edge]:
    """Return edges without which nothing waits for itself."""
    done: set[str] = set()
    closing: set[Edge] = set()
    for node in nodes:
        path: list[str] = []
        todo = [(node.key, False)]
        while todo:
            key, is_end = todo.pop()
            if is_end:
                done.add(path.pop())
            elif key not in done and key not in path:
                path.append(key)
                todo.append((key, True))
                closing |= {(need, key) for need in waits[key] if need in path}
                todo += [(need, False) for need in waits[key] if need not in path]
    return closing


def _layers(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """Return how many phases at most stand before each."""
    needs: dict[str, list[str]] = {node.key: [] for node in nodes}
    for need, key in edges:
        needs[key].append(need)
    layer: dict[str, int] = {}
    left = dict(needs)
    while left:
        ready = [key for key, before in left.items() if all(b in layer for b in before)]
        for key in ready:
            layer[key] = max((layer[b] + 1 for b in left.pop(key)), default=0)
    return layer


def _rows(
    nodes: Sequence[Node], edges: Sequence[Edge], layer: Mapping[str, int]
) -> list[list[Spot]]:
    """Return what stands in each layer: boxes, and lanes of lines that pass it."""
    rows: list[list[Spot]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in nodes:
        rows[layer[node.key]].append((node.key, "", layer[node.key]))
    for need, key in edges:
        for passed in range(layer[need] + 1, layer[key]):
            rows[passed].append((need, key, passed))
    return rows


def _ordered(
    rows: list[list[Spot]], edges: Sequence[Edge], layer: Mapping[str, int]
) -> list[list[Spot]]:
    """Order each layer by the middle of its neighbours, down and up again: fewer crossings."""
    above: dict[Spot, list[Spot]] = {}
    below: dict[Spot, list[Spot]] = {}
    for need, key in edges:
        way = _way(need, key, layer)
        for first, second in itertools.pairwise(way):
            below.setdefault(first, []).append(second)
            above.setdefault(second, []).append(first)
    for _ in range(SWEEPS):
        for number in range(1, len(rows)):
            rows[number] = _by_middle(rows[number], rows[number - 1], above)
        for number in range(len(rows) - 2, -1, -1):
            rows[number] = _by_middle(rows[number], rows[number + 1], below)
    return rows


def _by_middle(
    row: list[Spot], beside: list[Spot], neighbours: Mapping[Spot, list[Spot]]
) -> list[Spot]:
    place = {spot: (n + 0.5) / len(beside) for n, spot in enumerate(beside)}
    here = {spot: (n + 0.5) / len(row) for n, spot in enumerate(row)}

    def middle(spot: Spot) -> float:
        places = [place[other] for other in neighbours.get(spot, ())]
        return sum(places) / len(places) if places else here[spot]

    return sorted(row, key=middle)


def _way(need: str, key: str, layer: Mapping[str, int]) -> list[Spot]:
    lanes = [(need, key, passed) for passed in range(layer[need] + 1, layer[key])]
    return [(need, "", layer[need]), *lanes, (key, "", layer[key])]


class _Plan:
    """Where each spot is, along the layers and across them; from left to right, or down."""

    def __init__(self, rows: Sequence[Sequence[Spot]], *, down: bool) -> None:
        self.down = down
        self.along, self.across = (HEIGHT, WIDTH) if down else (WIDTH, HEIGHT)
        breadths = [sum(map(self._breadth, row)) + GAP_ACROSS * (len(row) - 1) for row in rows]
        self.breadth = max(breadths)
        self.depth = len(rows) * (self.along + GAP_ALONG) - GAP_ALONG
        self.middles: dict[Spot, float] = {}
        for row, breadth in zip(rows, breadths, strict=True):
            at = MARGIN + (self.breadth - breadth) / 2
            for spot in row:
                self.middles[spot] = at + self._breadth(spot) / 2
                at += self._breadth(spot) + GAP_ACROSS

    def size(self) -> tuple[int, int]:
        """Return width and height."""
        return self._turned(self.depth + 2 * MARGIN, self.breadth + 2 * MARGIN)

    def corner(self, spot: Spot) -> tuple[int, int]:
        """Return the upper left corner of a box."""
        return self._turned(self._start(spot), self.middles[spot] - self.across / 2)

    def path(self, need: str, key: str, layer: Mapping[str, int]) -> str:
        """Return the line from one box to another, on its lanes through the layers between."""
        way = _way(need, key, layer)
        parts = [f"M{self._point(self._start(way[0]) + self.along, self.middles[way[0]])}"]
        for first, second in itertools.pairwise(way):
            start, end = self._start(first) + self.along, self._start(second)
            half = (start + end) / 2
            bends = [(half, self.middles[first]), (half, self.middles[second])]
            points = [*bends, (end, self.middles[second])]
            parts.append("C" + " ".join(self._point(*point) for point in points))
            if second is not way[-1]:
                parts.append(f"L{self._point(end + self.along, self.middles[second])}")
        return "".join(parts)

    def _breadth(self, spot: Spot) -> int:
        return LANE if spot[1] else self.across

    def _start(self, spot: Spot) -> int:
        return MARGIN + spot[2] * (self.along + GAP_ALONG)

    def _turned(self, along: float, across: float) -> tuple[int, int]:
        return (round(across), round(along)) if self.down else (round(along), round(across))

    def _point(self, along: float, across: float) -> str:
        x, y = self._turned(along, across)
        return f"{x},{y}"
