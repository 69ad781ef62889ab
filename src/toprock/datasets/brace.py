"""BRACE: battles of two dancers in the user's own videos; who won follows from the brackets.

Moltisanti et al., "BRACE: The Breakdancing Competition Dataset for Dance Motion Synthesis", ECCV 2022. The
annotations are the authors' repository (see `datasets.battles`). In the same folder DATA may lie::

    DATA/outcomes.csv       video_id, winner, loser, certain (yes or no): who won, where the user knows better
    DATA/features/          what `toprock extract` made of the videos
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from toprock.comparisons import Pair, read_pairs
from toprock.datasets.battles import Battle, Part, parts, performance_id, read_battles, rows_of, wrong
from toprock.datasets.knockout import Outcome, knockout_outcomes
from toprock.datasets.task import Fold, Task
from toprock.errors import FeaturesError, ManifestError, PairsError
from toprock.features.store import FeatureStore
from toprock.files import write_json
from toprock.performance import find_performances, write_manifest, write_table


def find_videos(folder: str | Path, battles: Iterable[Battle]) -> tuple[dict[str, Path], list[str]]:
    """video_id -> file, of the videos that lie at any depth below a folder, and the ids of those that do not.

    A file is called `VIDEO_ID.mp4`, or as downloaders do, `TITLE [VIDEO_ID].mp4` or `TITLE-VIDEO_ID.mp4`; any video's
    ending will do.

    Raises:
        ManifestError: there is no such folder, it holds none of the videos, or one of them twice.
    """
    ids = [battle.video_id for battle in battles]
    found: dict[str, Path] = {}
    for video in (p.video for p in find_performances(folder)):
        ends = [i for i in ids if video.stem.endswith((f" [{i}]", f"-{i}"))]
        named = video.stem if video.stem in ids else max(ends, key=len, default=None)
        if named is None:
            continue
        if named in found:
            raise ManifestError(f"{found[named]} and {video} are one video", advice="Keep one of them there.")
        found[named] = video
    if not found:
        raise ManifestError(
            f"{folder}: holds none of the {len(ids)} videos", advice=f"Call each by its id, such as {ids[0]}.mp4."
        )
    return found, [ident for ident in ids if ident not in found]


def outcomes(data: str | Path, battles: Sequence[Battle]) -> dict[str, Outcome]:
    """video_id -> who won: as outcomes.csv says, else as follows from who danced again that year.

    Raises:
        ManifestError: outcomes.csv names another video, other dancers, one battle twice, or neither yes nor no.
        PairsError: there is no such file, and the battles of a year are no knock-out of 16 dancers.
    """
    path = Path(data) / "outcomes.csv"
    known = {battle.video_id: battle for battle in battles}
    if path.is_file():
        told: dict[str, Outcome] = {}
        for number, row in rows_of(path, "video_id", "winner", "loser"):
            battle = known.get(row["video_id"])
            if battle is None or {row["winner"], row["loser"]} != set(battle.dancers):
                raise wrong(path, number, f"'{row['winner']}' and '{row['loser']}' are not in '{row['video_id']}'")
            if row.get("certain", "yes") not in ("yes", "no"):
                raise wrong(path, number, f"certain is '{row['certain']}', neither yes nor no")
            if battle.video_id in told:
                raise wrong(path, number, f"'{battle.video_id}' stands twice")
            told[battle.video_id] = Outcome(row["winner"], row["loser"], row.get("certain", "yes") == "yes")
        return told
    found: dict[str, Outcome] = {}
    for year in sorted({battle.year for battle in battles}):
        try:
            found |= knockout_outcomes({b.video_id: b.dancers for b in battles if b.year == year})
        except ValueError as problem:
            raise PairsError(
                f"{data}: who won in {year} cannot be told ({problem})", advice=f"Write down who won in {path}."
            ) from None
    return found


def battle_pairs(data: str | Path, battles: Sequence[Battle], *, uncertain: bool = False) -> list[Pair]:
    """One pair a battle whose winner is known; with `uncertain`, also where the winner is only likely.

    Raises:
        ManifestError, PairsError: as `outcomes`.
    """
    won = outcomes(data, battles)
    return [
        Pair(
            performance_id(battle.year, battle.video_id, found.winner),
            performance_id(battle.year, battle.video_id, found.loser),
        )
        for battle in battles
        if (found := won.get(battle.video_id)) and (found.certain or uncertain)
    ]


def write_files(out: str | Path, performances: Mapping[str, Part], videos: Mapping[str, Path]) -> None:
    """Write what toprock's commands read, of performances whose videos are there.

    ::

        OUT/manifest.csv    for `toprock extract`
        OUT/segments.csv    id, start_s, end_s, type (toprock, powermove, footwork)
        OUT/beats.json      id -> seconds of the beats in its turns, where they are annotated
        OUT/cuts.json       id -> seconds of the camera's cuts within its turns, where they are annotated

    Args:
        out: folder, made where needed.
        performances: id -> what it is made of.
        videos: video_id -> file.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    out = Path(out)
    found = [part for part in performances.values() if part.battle.video_id in videos]
    write_manifest([part.performance(videos[part.battle.video_id]) for part in found], out / "manifest.csv")
    pieces = [(part.id, span, kind) for part in found for turn in part.turns for span, kind in turn.pieces]
    rows = [(ident, f"{start:.3f}", f"{end:.3f}", kind) for ident, (start, end), kind in pieces]
    write_table(out / "segments.csv", ("id", "start_s", "end_s", "type"), [(row, {}) for row in rows])
    write_json(out / "beats.json", {part.id: _rounded(part.beats_s) for part in found if part.beats_s})
    write_json(out / "cuts.json", {part.id: _rounded(part.cuts_s) for part in found if part.cuts_s is not None})


def yearly_folds(pairs: Sequence[Pair]) -> list[Fold]:
    """One fold a year: its own pairs to test, and those without any of its performances to train on.

    >>> old, new = Pair("2013/v/ann", "2013/v/bob"), Pair("2014/w/ann", "2014/w/cat")
    >>> [(fold.name, fold.train == [new], fold.test == [old]) for fold in yearly_folds([old, new])]
    [('2013', True, True), ('2014', False, False)]
    """
    dated = [(pair, {ident.split("/", 1)[0] for ident in (pair.better, pair.worse)}) for pair in pairs]
    return [
        Fold(year, [p for p, years in dated if year not in years], [p for p, years in dated if years == {year}])
        for year in sorted({year for _, years in dated for year in years})
    ]


def read(data: str | Path, pairs: str | Path | None = None) -> Iterator[Task]:
    """The task: rank the two dancers of battles of a year that nothing was learnt from.

    One fold a year: its battles are the test, those of all other years are trained on. So no test performance,
    stage or camera crew was seen in training. Dancers come back over the years; `performers` tells them apart from
    new ones, and pairs of two dancers who are not in training are the both-unseen subset. Facts hold BRACE's own
    number of cuts as `annotated_cuts` beside the `cuts` that extraction found.

    Args:
        data: the folder; see above. Its features are those of the manifest that `toprock dataset brace` writes.
        pairs: a pairs file in place of the outcomes, or a folder with pairs.csv; it may compare single turns too.

    Raises:
        FeaturesError: there are no features.
        ManifestError, PairsError: an annotation makes no sense, or no year is left to test or to train on.
    """
    data = Path(data)
    battles = read_battles(data)
    folder = data / "features"
    if not folder.is_dir():
        raise FeaturesError(
            f"{folder}: there are no features",
            advice="Make them from your own videos: toprock dataset brace, then toprock extract.",
        )
    store = FeatureStore(folder)
    if len({recipe.stream for recipe in store.recipes}) < len(store.recipes):
        raise FeaturesError(
            f"{folder}: has several kinds of features of one stream",
            advice="Extract those to be compared into a folder of their own.",
        )
    if pairs is None:
        judged = battle_pairs(data, battles)
    else:
        judged = read_pairs(Path(pairs, "pairs.csv") if Path(pairs).is_dir() else pairs)
    named = {ident for pair in judged for ident in (pair.better, pair.worse)}
    known = {i: p for i, p in (parts(battles) | parts(battles, single_turns=True)).items() if i in named}
    features = {}
    for ident in sorted(known.keys() & set(store.ids())):
        found, cuts = store.read(ident), known[ident].cuts_s
        features[ident] = replace(found, facts={**found.facts, "annotated_cuts": None if cuts is None else len(cuts)})
    folds = yearly_folds(judged)
    performers = {ident: part.dancer for ident, part in known.items()}
    task = Task("brace", features, store.choose(), folds, performers).without_missing(store.failures())
    usable = [fold for fold in task.folds if fold.train and fold.test]
    if not usable:
        raise PairsError(
            f"{data}: no year is left to test while another one is trained on; {len(task.missing)} performances have "
            "no features",
            advice="Extract videos of two years at least.",
        )
    yield replace(task, folds=usable)


def _rounded(times_s: Iterable[float]) -> list[float]:
    return [round(time_s, 3) for time_s in times_s]
