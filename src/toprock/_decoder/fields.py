"""Frames that are woven of two fields, as television cameras make them, shown as one picture."""

from __future__ import annotations

from typing import Any

from av.filter import Graph


class Weave:
    """Takes from a frame the mark that its odd and even rows are two fields; other frames pass as they are.

    A scaler that sees the mark scales each field by itself. The rows of a small picture then show two moments in turn:
    a comb, which optical flow would take for motion. Without it a small picture blends both, as players do.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(self, frame: Any) -> Any:
        if not frame.interlaced_frame:
            return frame
        kind = frame.width, frame.height, frame.format.name
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = Graph(), kind
            size, clock = {"width": frame.width, "height": frame.height}, frame.time_base
            source = self._graph.add_buffer(**size, format=frame.format, time_base=clock)
            nodes = source, self._graph.add("setfield", "prog"), self._graph.add("buffersink")
            self._graph.link_nodes(*nodes).configure()
        self._graph.vpush(frame)
        return self._graph.vpull()
