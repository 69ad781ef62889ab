"""A strict reader of the documents that reports are."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}
PAGE = re.compile(r"[a-z0-9-]+\.html")


class Document(HTMLParser):
    """Parses strictly: every element closed in order, ids unique, links inside the page resolved."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[tuple[str, str]] = []  # class of the nearest classed element, text
        self._classes: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        ids = [a["id"] for _, a in self.elements if "id" in a]
        assert len(ids) == len(set(ids)), "an id stands twice"
        for _, attributes in self.elements:
            target = attributes.get("href", "")
            assert not target or PAGE.fullmatch(target) or (target.startswith("#") and target[1:] in ids), target
            for name in attributes.get("aria-labelledby", "").split():
                assert name in ids, name

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {k: v or "" for k, v in attrs}
        assert len(attributes) == len(attrs), f"an attribute of <{tag}> stands twice"
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
            self._classes.append(attributes.get("class", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        self._classes.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append((next((c for c in reversed(self._classes) if c), ""), data.strip()))

    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(t for _, t in self.text))
