"""The same file, model and versions give the same score: whatever runs beside it, in which order, and after what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from hardening.chapter import Chapter, Scale, Table
from toprock.assess.model import Model
from toprock.backbones import build
from toprock.backbones.base import Backbone, Compute, NetworkBackbone
from toprock.comparisons import Pair
from toprock.errors import UsageError, WeightsError
from toprock.features import FeatureStore, extract
from toprock.features.encoding import Encoding
from toprock.features.extraction import describe_video
from toprock.performance import Performance, read_manifest
from toprock.ranker import Plan, SavedModel, train_from_store
from toprock.video import Limits

MOST = 1e-5
"""By so much a score may differ."""
MOST_HALF = 0.1
"""By such a share of their spread scores may differ that were made in bfloat16 from those made in float32."""
FLOAT32 = Compute(device="cpu", precision="float32")
Scores = Mapping[str, float]


@dataclass(frozen=True)
class Bench:
    """Performances, pairs of them, their features and a model of them.

    Attributes:
        folder: for files that may go afterwards.
        performances: at least four.
        pairs: among them.
        store, model: as the commands left them.
    """

    folder: Path
    performances: Sequence[Performance]
    pairs: Sequence[Pair]
    store: Path
    model: Path

    def opened(self, limits: Limits | None = None) -> Model:
        """The model, loaded anew."""
        return Model(SavedModel.load(self.model), limits=limits)

    def stored(self, store: Path | None = None) -> dict[str, float]:
        """Scores of what a store holds."""
        return scores_in(FeatureStore(store or self.store), self.opened())


@dataclass
class Differences:
    """What was varied, and the greatest difference of a score by it."""

    rows: list[list[object]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def add(self, what: str, ways: str, reference: Scores, *others: Scores, most: float = MOST) -> None:
        """Compare scores with those of reference, which have no id that others lack."""
        differences = [abs(other[ident] - score) for other in others for ident, score in reference.items()]
        off = float(np.max(differences))  # NaN where any is
        self.rows.append([what, ways, len(others) * len(reference), f"{off:.1e}"])
        if not off <= most:
            self.lost.append(f"{what} ({ways}): a score differs by {off:.2g}, {most:.0e} at most was promised")


def scores_in(store: FeatureStore, model: Model) -> dict[str, float]:
    """Scores of all that a store holds."""
    return {ident: model.assess(model.features_of(store, ident)).score for ident in store.ids()}


# ---- reading and scoring


def runs(bench: Bench, found: Differences, environments: Sequence[tuple[str, str]]) -> None:
    """The command in processes of their own, each with a hash seed and a number of threads, in another order."""
    told = []
    for turn, (seed, count) in enumerate(environments):
        videos = [str(p.video) for p in bench.performances[:2]][:: -1 if turn % 2 else 1]
        command = [sys.executable, "-m", "toprock", "score", *videos, "--model", str(bench.model), "--json"]
        set_ = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": count, "TOPROCK_LOG": "off"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | set_)
        told.append({one["id"]: one["score"] for one in json.loads(done.stdout)})
    ways = ", ".join(f"{seed}/{count}" for seed, count in environments)
    found.add("runs of the command, PYTHONHASHSEED/OMP_NUM_THREADS", ways, told[0], *told[1:])


def threads(bench: Bench, found: Differences, counts: Sequence[int]) -> None:
    """Threads of the computation and of the decoder."""
    scores, read = [], []
    for count in counts:
        with computing(count):
            scores.append(bench.stored())
        model = bench.opened(Limits(threads=count))
        read.append({p.id: model.assess(p).score for p in bench.performances[:2]})
    ways = ", ".join(map(str, counts))
    found.add("threads that compute", ways, scores[0], *scores[1:])
    found.add("threads that decode", ways, read[0], *read[1:])


def company(bench: Bench, found: Differences) -> None:
    """From the store, alone, among others, in another order, twice."""
    model, them, stored = bench.opened(), bench.performances[:3], bench.stored()
    alone = {p.id: bench.opened().assess(p).score for p in them}
    twice = {one.id: one.score for one in model.assess_all([*them, *them]) if hasattr(one, "score")}
    back = {one.id: one.score for one in model.assess_all(them[::-1]) if hasattr(one, "score")}
    ranked = {one.id: one.score for one in model.rank([p.video for p in them])}
    found.add("from the video and from the store", "assess", alone, stored)
    found.add("alone and among others", "assess, assess_all, reversed, rank", alone, twice, back, ranked)


# ---- extracting and training


def workers(bench: Bench, found: Differences, counts: Sequence[int]) -> None:
    """Workers of an extraction, which meet the videos in another order."""
    stores = []
    for count in counts:
        them = bench.performances[:: -1 if count % 2 == 0 else 1]
        stores.append(extracted(bench.folder / f"workers-{count}", them, built(bench), workers=count))
    ways = ", ".join(map(str, counts))
    found.add("workers that extract, and the order of the videos", ways, bench.stored(), *map(bench.stored, stores))


def resumed_extraction(bench: Bench, found: Differences) -> None:
    """An extraction that is interrupted after two videos and begun again."""
    store = bench.folder / "resumed"
    count = 0

    def interrupt(progress: object) -> None:
        nonlocal count
        count = progress.done  # type: ignore[attr-defined]
        if count == 2:
            raise KeyboardInterrupt

    try:
        extracted(store, bench.performances, built(bench), workers=1, on_progress=interrupt)
    except KeyboardInterrupt:
        assert len(FeatureStore(store).ids()) == 2
    extracted(store, bench.performances, built(bench), workers=1)
    found.add("an extraction interrupted and resumed", "after 2 videos", bench.stored(), bench.stored(store))


def resumed_training(bench: Bench, found: Differences, *, steps: int | None, at: Sequence[int]) -> None:
    """Trainings that are interrupted after so many steps of all and begun again, against one that is not."""
    plan, store = Plan(steps=steps, members=2), FeatureStore(bench.store)
    whole = scores_in(store, Model(train_from_store(store, bench.pairs, plan=plan)))
    again = scores_in(store, Model(train_from_store(store, bench.pairs, plan=plan)))
    length = "steps chosen by cross-validation" if steps is None else f"{steps} steps"
    found.add("a training, done twice", length, whole, again)
    others = []
    for place in at:
        checkpoint, left = bench.folder / f"checkpoint-{steps}-{place}", place

        def interrupt(_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

        try:
            train_from_store(store, bench.pairs, plan=plan, checkpoint=checkpoint, on_advance=interrupt)
        except KeyboardInterrupt:
            assert any(checkpoint.rglob("*.safetensors"))
        left = -1
        model = train_from_store(store, bench.pairs, plan=plan, checkpoint=checkpoint)
        others.append(scores_in(store, Model(model)))
    found.add("a training interrupted and resumed", f"{length}; after {', '.join(map(str, at))} of all", whole, *others)


# ---- networks


def batches(bench: Bench, found: Differences, name: str, backbones: Sequence[Backbone], sizes: Sequence[int]) -> None:
    """Networks that are shown a video alone or among others, and, as where memory is short, batches of other sizes."""
    mates = [
        FeatureStore(extracted(fresh(bench.folder / f"mates-{name}-{n}"), them, backbones, compute=FLOAT32))
        for n, them in enumerate((bench.performances, bench.performances[::-1]))
    ]
    stores = []
    for size in sizes:
        with Encoding(FLOAT32) as encoding, computing(1 if size % 2 else 2):
            for backbone in backbones:
                assert isinstance(backbone, NetworkBackbone)
                encoding.load(backbone).batch = size  # type: ignore[misc]
            store = FeatureStore(fresh(bench.folder / f"batch-{name}-{size}"), create=True)
            for p in bench.performances:
                for features in describe_video(p.video, [p], backbones, encoding=encoding):
                    store.write(features)
        stores.append(store)
    model = Model(train_from_store(stores[0], bench.pairs, plan=Plan(steps=40, members=2)))
    scores = [scores_in(store, model) for store in stores]
    spread = max(1.0, float(np.std(list(scores[0].values()))))
    what = f"sizes of batches of {name}, in spreads of the scores"
    found.add(what, ", ".join(map(str, sizes)), *({i: s / spread for i, s in one.items()} for one in scores))
    together = [scores_in(store, model) for store in mates]
    found.add(f"what else is in a batch of {name}", "all videos at once, in two orders", together[0], together[1])


def halves(bench: Bench, found: Differences, backbone: Backbone) -> Table:
    """A network in bfloat16 against float32: features, and scores of a model that learnt from the latter."""
    exact, half = (
        FeatureStore(
            extracted(
                bench.folder / f"precision-{precision}",
                bench.performances,
                [backbone],
                compute=replace(FLOAT32, precision=precision),
            )
        )
        for precision in ("float32", "bfloat16")
    )
    off, cosine = 0.0, 1.0
    for ident in exact.ids():
        one, other = (next(iter(s.read(ident).streams.values())).features.astype(float) for s in (exact, half))
        lengths = np.linalg.norm(one, axis=1)
        off = max(off, float((np.linalg.norm(one - other, axis=1) / lengths).max()))
        cosine = min(cosine, float(((one * other).sum(1) / lengths / np.linalg.norm(other, axis=1)).min()))
    model = Model(train_from_store(exact, bench.pairs, plan=Plan(steps=40, members=2)))
    one, other = (scores_in(store, model) for store in (exact, half))
    spread = float(np.std(list(one.values())))
    moved = float(np.max([abs(other[ident] - score) for ident, score in one.items()]))
    if not moved <= MOST_HALF * spread:
        found.lost.append(f"bfloat16 moves a score by {moved / spread:.1%} of their spread, {MOST_HALF:.0%} at most")
    head = ["network", "features off, share of length", "least cosine", "score off", "spread of scores", "share"]
    row = [backbone.spec.name, f"{off:.2%}", f"{cosine:.5f}", f"{moved:.1e}", f"{spread:.2f}", f"{moved / spread:.1%}"]
    return Table(head, [row])


# ---- what they share


def fresh(folder: Path) -> Path:
    """A folder in which nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def built(bench: Bench) -> list[Backbone]:
    """The backbones of the bench's store."""
    return [recipe.build() for recipe in FeatureStore(bench.store).recipes]


def extracted(folder: Path, them: Sequence[Performance], backbones: Sequence[Backbone], **how: object) -> Path:
    """Fill a store, which may be there."""
    done = extract(them, FeatureStore(folder, create=True), backbones, **how)  # type: ignore[arg-type]
    assert not done.failed, done.failed
    return folder


@contextmanager
def computing(count: int) -> Iterator[None]:
    """With so many threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def made(folder: Path, count: int) -> Bench:
    """A bench of rendered battles."""
    from toprock.synthetic import quality_pairs, render_performances

    rendered = render_performances(folder / "in", count=count, seed=3, processes=1)
    pairs = [Pair(better, worse) for better, worse in quality_pairs(rendered)]
    them = list(read_manifest(folder / "in/manifest.csv"))
    store = extracted(folder / "features", them, [build("flow"), build("posture")])
    train_from_store(FeatureStore(store), pairs, plan=Plan(steps=40, members=2)).save(folder / "model")
    return Bench(folder, them, pairs, store, folder / "model")


def real_network() -> Backbone | None:
    """MobileNetV2 with its published weights, where they are on this machine."""
    shared = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    try:
        return build(str(shared / "weights/mobilenet_v2"))
    except (UsageError, WeightsError):
        return None


LEAD = f"""One file, model and versions are to give one score, within {MOST:.0e}. Rendered battles were scored,
extracted and trained on over and over; each time something was different that must not matter. The table has the
greatest difference of a score."""
NOTES = (
    "`--precision auto` takes bfloat16 where a trial at the start finds it fast, so that another machine, or a busier "
    "moment, may choose otherwise; the features say which it was, and `--precision float32` settles it.",
    f"In bfloat16 a score may move by {MOST_HALF:.0%} of the scores' spread at most.",
)


def run(scale: Scale, bench: Bench | None = None) -> Chapter:
    """Everything in the long run, networks with published weights included; in a short one what is soon done.

    Args:
        scale: how much.
        bench: what to score; rendered where there is none.
    """
    bench, found = bench or made(scale.folder, scale.of(8, 3)), Differences()
    ways = [("0", "1"), ("1", "4"), ("2", "2"), ("random", "1")]
    runs(bench, found, ways[: scale.of(4, 2)])
    threads(bench, found, (1, 2, 4) if scale.full else (1, 4))
    company(bench, found)
    workers(bench, found, (1, 2))
    resumed_extraction(bench, found)
    tables = [Table(["what was varied", "how", "scores compared", "greatest difference"], found.rows)]
    if scale.full:
        resumed_training(bench, found, steps=120, at=(51, 110, 175))
        resumed_training(bench, found, steps=None, at=(200,))
        if network := real_network():
            batches(bench, found, network.spec.name, [network], (8, 1, 3))
            tables.append(halves(bench, found, network))
        else:
            found.lost.append("there are no published weights on this machine: set TOPROCK_SHARED")
    return Chapter(LEAD, tables, found.lost, NOTES)
