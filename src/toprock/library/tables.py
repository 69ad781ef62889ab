"""The tables of a library: what is kept beside videos, features and models.

::

    Video 1 ── * Performance 1 ── * Comment
                     │  │ └────── * Assessment * ── 1 Model
                     │  └──────── * Judgment (two performances each), Offer (a pair that somebody looks at now)
    Job: what is to be done, is being done, was done        Session: who is let in        Setting: name -> value

Keys that stand in addresses are random words without meaning; a performance's `name` is what pairs files call it.
Times are UTC, seconds of videos end in `_s`.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SCHEMA = 1


def new_key() -> str:
    """A name for an address that says nothing and cannot be guessed."""
    return secrets.token_hex(8)


def now() -> datetime:
    """UTC without a zone, as databases keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy reads it so


class Setting(Base):
    """A value of the library as a whole."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Video(Base):
    """A file. `path` is below the library's folder where it is `owned`, else absolute: it stays where it was.

    `preview` is the name of a copy that browsers play, where they do not play the file itself.
    """

    __tablename__ = "video"

    key: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_key)
    filename: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text, unique=True)
    owned: Mapped[bool]
    size: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64), default=new_key, unique=True)
    duration_s: Mapped[float | None]
    width: Mapped[int]
    height: Mapped[int]
    rate_hz: Mapped[float]
    codec: Mapped[str] = mapped_column(String(64))
    container: Mapped[str] = mapped_column(String(32))
    preview: Mapped[str] = mapped_column(String(64), default="")
    created: Mapped[datetime] = mapped_column(default=now)

    performances: Mapped[list[Performance]] = relationship(back_populates="video", order_by="Performance.intervals")


class Performance(Base):
    """One performance: a video or spans of one (`intervals` as in a manifest), and who performed.

    `extra` holds further columns of a manifest. `state` is new (to be looked at), ready (has features) or failed
    (`problem` says why).
    """

    __tablename__ = "performance"

    key: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_key)
    name: Mapped[str] = mapped_column(String(500), unique=True)
    video_key: Mapped[str] = mapped_column(ForeignKey("video.key", ondelete="CASCADE"), index=True)
    intervals: Mapped[str] = mapped_column(Text, default="")
    performer: Mapped[str] = mapped_column(String(500), default="", index=True)
    event: Mapped[str] = mapped_column(Text, default="")
    date: Mapped[str] = mapped_column(String(32), default="")
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(16), default="new", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now, index=True)

    video: Mapped[Video] = relationship(back_populates="performances", lazy="joined")

    @property
    def title(self) -> str:
        """What people call it: who performed, where that is known."""
        return self.performer or self.name


class Comment(Base):
    """What somebody said of a performance at a time of its video."""

    __tablename__ = "comment"

    id: Mapped[int] = mapped_column(primary_key=True)
    performance_key: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(String(200))
    time_s: Mapped[float]
    text: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=now)


class Offer(Base):
    """A pair that was put before an annotator; answered once, by its token."""

    __tablename__ = "offer"

    token: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_key)
    annotator: Mapped[str] = mapped_column(String(200), index=True)
    criterion: Mapped[str] = mapped_column(String(200), default="")
    left: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"))
    right: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"))
    repeat_of: Mapped[int | None]
    answered: Mapped[bool] = mapped_column(default=False, index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class Judgment(Base):
    """An answer. `outcome` is left, right, tie, unsure or skip; the first three are comparisons.

    `token` is that of the offer, so that one that is sent twice counts once. `repeat_of` names the judgment that a
    hidden repeat asks for again. Those taken back stay, with the time in `undone`. `source` is room; import, with the
    sides that were shown; or pairs, of a file that does not tell sides: the better one is on the left then.
    """

    __tablename__ = "judgment"
    __table_args__ = (Index("judgment_by", "criterion", "annotator"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    annotator: Mapped[str] = mapped_column(String(200))
    criterion: Mapped[str] = mapped_column(String(200), default="")
    left: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"), index=True)
    right: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"), index=True)
    outcome: Mapped[str] = mapped_column(String(8))
    seconds: Mapped[float | None]
    weight: Mapped[float] = mapped_column(default=1.0)
    repeat_of: Mapped[int | None]
    source: Mapped[str] = mapped_column(String(16), default="room")
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)
    undone: Mapped[datetime | None]


class Model(Base):
    """A trained model: its folder below `models/` is named by its key. `summary` is what the pages tell of it."""

    __tablename__ = "model"

    key: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_key)
    name: Mapped[str] = mapped_column(String(200))
    criterion: Mapped[str] = mapped_column(String(200), default="")
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)


class Assessment(Base):
    """What a model says of a performance: the documented JSON object of a score, and the numbers to sort by."""

    __tablename__ = "assessment"

    performance_key: Mapped[str] = mapped_column(ForeignKey("performance.key", ondelete="CASCADE"), primary_key=True)
    model_key: Mapped[str] = mapped_column(ForeignKey("model.key", ondelete="CASCADE"), primary_key=True, index=True)
    score: Mapped[float]
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    percentile: Mapped[float | None]
    document: Mapped[dict[str, Any]] = mapped_column(deferred=True)  # large: lists do without
    created: Mapped[datetime] = mapped_column(default=now)


class Job(Base):
    """Something that takes long.

    `kind` is take, extract, train or score; `subject` the video or model that it concerns. `state` is queued, running,
    done, failed or cancelled. A running job is its `worker`'s until `lease`, which the worker keeps moving on.
    `log` grows while it runs, a list of small objects; `result` says what came out.
    """

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(String(64), default="", index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(Text, default="")
    problem: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(64), default="")
    lease: Mapped[datetime | None]
    cancel: Mapped[bool] = mapped_column(default=False)
    log: Mapped[list[Any]] = mapped_column(default=list, deferred=True)  # large: lists do without
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]


class Gone(Base):
    """A file of something that was deleted, below the library's folder; the row goes once the file is gone."""

    __tablename__ = "gone"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)


class Coming(Base):
    """A place below the library's folder that something is on its way to; the row goes once the database knows it."""

    __tablename__ = "coming"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)


class Session(Base):
    """Somebody who has been let in, by which password; of that and of the cookie only digests are kept.

    The table `session` of earlier libraries did not know the password: who is in it enters again.
    """

    __tablename__ = "visit"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(8))
    password: Mapped[str] = mapped_column(String(64))
    expires: Mapped[datetime]
