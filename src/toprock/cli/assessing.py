"""Commands that judge: score, compare, rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import DeviceOption, JsonOption, ModelOption, PrecisionOption, bar, print_json, say
from toprock.errors import UnknownPerformance, UsageError

if TYPE_CHECKING:
    from toprock.assess.assessment import Assessment
    from toprock.assess.model import Comparison, Failure, Model
    from toprock.performance import Performance

StoreOption = Annotated[
    Path | None,
    typer.Option("--features", "-f", help="Take ids from this store instead of videos.", show_default=False),
]
IdsOption = Annotated[
    Path | None, typer.Option("--ids", help="A file with one id (or video) a line.", show_default=False)
]


@app.command()
def score(
    model: ModelOption,
    videos: Annotated[
        list[str] | None, typer.Argument(help="Videos, folders, manifests; or ids with --features.")
    ] = None,
    features: StoreOption = None,
    ids: IdsOption = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report.", show_default=False)] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Score performances and show which seconds made the score."""
    wanted = _named(videos, ids, features)
    results, sources = _assess(_load(model, device, precision), wanted, features)
    good = _assessed(results)
    _log("score", model, results)
    if json:
        documents = [r.to_json() for r in results]
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for result in results:
            _print(result)
    if report is not None and good:
        from toprock.report import write_report

        write_report(good, report, performances=sources)
        say(f"report: {report}")
    if len(good) < len(results):
        raise typer.Exit(1)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A video; or an id with --features.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    model: ModelOption,
    features: StoreOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Tell which of two scored higher, and by how much."""
    judge = _load(model, device, precision)
    results, _ = _assess(judge, [a, b], features)
    if len(results) != 2:
        raise UsageError(f"{a} and {b} are {len(results)} performances, not two", advice="Name one performance each.")
    one, two = (_demand(r) for r in results)
    found = judge.compared(one, two)
    _log("compare", model, results, verdict=_verdict(found), probability=found.probability)
    if json:
        print_json(found.to_json())
        return
    for assessment in (one, two):
        _print_cautions(assessment)
    sign = ">" if found.difference > 0 else "<" if found.difference < 0 else "="
    scores = f"{one.score:+.3f} against {two.score:+.3f}, difference {found.difference:+.3f}"
    print(f"{printable(one.id)} {sign} {printable(two.id)}   {scores}")
    print(f"  {_verdict(found)}")


@app.command()
def rank(
    model: ModelOption,
    videos: Annotated[
        list[str] | None, typer.Argument(help="Videos, folders, manifests; or ids with --features.")
    ] = None,
    features: StoreOption = None,
    ids: IdsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Put performances in order, the best first."""
    wanted = _named(videos, ids, features)
    results, _ = _assess(_load(model, device, precision), wanted, features)
    good = sorted(_assessed(results), key=lambda r: (-r.score, r.id))
    bad = [r for r in results if _failed(r)]
    _log("rank", model, results)
    if json:
        rows = [{"rank": i, "id": r.id, "score": r.score} for i, r in enumerate(good, 1)]
        print_json([*rows, *(r.to_json() for r in bad)])
    else:
        for i, r in enumerate(good, 1):
            marked = "  !" if r.cautions else ""
            print(f"{i:>4}  {r.score:+8.3f}  {_scaled(r):<21}{printable(r.id)}{marked}")
        for r in good:
            _print_cautions(r)
        for failure in bad:
            _print(failure)
    if bad:
        raise typer.Exit(1)


def _load(folder: Path, device: str, precision: str) -> Model:
    from toprock.assess.model import load
    from toprock.backbones.base import Compute

    return load(folder, compute=Compute(device=device, precision=precision))


def _named(names: Sequence[str] | None, ids: Path | None, features: Path | None) -> list[str]:
    """What the arguments name: videos, or ids where there are features; none means all of these."""
    wanted = list(names or [])
    if ids is not None:
        try:
            wanted += [line.strip() for line in ids.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(
                f"{ids}: cannot be read ({problem})", advice="Give a text file, one id a line."
            ) from problem
        if not wanted:
            raise UsageError(f"{ids}: names nothing", advice="Give a text file, one id a line.")
    if not wanted and features is None:
        raise UsageError("nothing to judge is named", advice="Give videos, or --features FOLDER.")
    return wanted


def _assess(
    model: Model, wanted: Sequence[str], features: Path | None
) -> tuple[list[Assessment | Failure], dict[str, Performance]]:
    """Assess what is named, in the order given; also id -> Performance where videos were given."""
    if features is not None:
        return _from_store(model, features, wanted), {}
    from toprock.assess.model import Failure

    found = _find(wanted)
    results: list[Assessment | Failure] = []
    with bar("Reading") as advance:
        for number, what in enumerate(found):
            if isinstance(what, Failure):
                results.append(what)
                continue
            advance(number, len(found), f"Reading {printable(what.video.name)}")
            results += model.assess_all([what])
    for name, pace in model.paces.items():
        say(f"{name} ran on {pace}.")
    return results, {p.id: p for p in found if not isinstance(p, Failure)}


def _find(sources: Sequence[str]) -> list[Performance | Failure]:
    """The performances of all sources, in order, with ids that tell them apart; what cannot be found fails alone."""
    from toprock.assess.model import Failure
    from toprock.errors import ToprockError
    from toprock.performance import find_performances, is_manifest, tell_apart

    found: list[Performance | Failure] = []
    listed: dict[str, Performance] = {}
    for source in sources:
        try:
            these = find_performances(source)
        except ToprockError as problem:
            found.append(Failure(source, str(problem)))
            continue
        for p in these if is_manifest(source) else ():
            if listed.setdefault(p.id, p) != p:
                raise UsageError(f"two manifests mean different things by the id '{p.id}'", advice="Rename one.")
        found += these
    free = [p for p in found if not isinstance(p, Failure) and listed.get(p.id) != p]
    apart = dict(zip(map(id, free), tell_apart(free, taken=listed), strict=True))
    return [apart.get(id(p), p) for p in found]


def _from_store(model: Model, folder: Path, wanted: Sequence[str]) -> list[Assessment | Failure]:
    from toprock.assess.model import Failure
    from toprock.errors import ToprockError
    from toprock.features import FeatureStore
    from toprock.performance import id_matcher

    store = FeatureStore(folder)
    known = store.ids()
    find = id_matcher(known)
    results: list[Assessment | Failure] = []
    for name in wanted or known:
        try:
            ident = find(name)
            if ident is None:
                raise UnknownPerformance(
                    f"{folder}: has no features of '{name}'", advice="Extract them, or check the id."
                )
            results.append(model.assess(model.features_of(store, ident)))
        except ToprockError as problem:
            results.append(Failure(name, str(problem)))
    return results


def _log(command: str, model: Path, results: Sequence[Assessment | Failure], **more: object) -> None:
    """Note a use, see `toprock log`."""
    from toprock.assess.model import Failure
    from toprock.usage import log_file, note

    rows: list[dict[str, object]] = []
    for result in results:
        if isinstance(result, Failure):
            rows.append({"id": result.id, "error": result.error})
            continue
        scaled = result.scaled
        told = {} if scaled is None else {"scaled": scaled.value, "low": scaled.low, "high": scaled.high}
        rows.append({"id": result.id, "score": result.score, **told, "cautions": [c.kind for c in result.cautions]})
    if not note(command, model, rows, **more):
        say(f"note: this use could not be noted in {log_file()}.")


def _failed(result: Assessment | Failure) -> TypeGuard[Failure]:
    return hasattr(result, "error")


def _assessed(results: Sequence[Assessment | Failure]) -> list[Assessment]:
    from toprock.assess.model import Failure

    return [result for result in results if not isinstance(result, Failure)]


def _demand(result: Assessment | Failure) -> Assessment:
    from toprock.assess.model import Failure
    from toprock.errors import ToprockError

    if isinstance(result, Failure):
        raise ToprockError(result.error)
    return result


def _print(result: Assessment | Failure) -> None:
    from toprock.assess.explain import clock
    from toprock.assess.model import Failure

    if isinstance(result, Failure):
        say(f"error: {result.error}")
        return
    _print_cautions(result)
    print(f"{printable(result.id)}   {_scaled(result)}{result.score:+.3f}   (a typical one: {result.bias:+.3f})")
    for moment in result.moments:
        span = f"{clock(moment.start_s)} to {clock(moment.end_s)}"
        words = ", ".join([moment.stream or "", *moment.differs])
        print(f"  {'+' if moment.kind == 'best' else '-'} {span:<20} {moment.contribution:+.3f}  {words}")


def _scaled(result: Assessment) -> str:
    """On the scale that people read, with the interval; empty where the model has none."""
    scaled = result.scaled
    if scaled is None:
        return ""
    if scaled.scale == "training":
        return f"{scaled.value:.0f} of 100 ({scaled.low:.0f} to {scaled.high:.0f})   "
    return f"{scaled.value:.1f} ({scaled.low:.1f} to {scaled.high:.1f})   "


def _print_cautions(result: Assessment) -> None:
    for caution in result.cautions:
        print(f"! {printable(result.id)}: {caution.text}")


def _verdict(found: Comparison) -> str:
    """How sure it is who is better."""
    if found.probability is None or found.interval is None:
        return "how likely that is right is not known: too few performances could be held out when the model was made"
    first = found.probability >= 0.5
    chance = found.probability if first else 1 - found.probability
    low, high = found.interval if first else (1 - found.interval[1], 1 - found.interval[0])
    name = printable(found.a if first else found.b)
    text = f"{name} is better with a chance of {chance:.0%} (90 % interval {low:.0%} to {high:.0%})"
    return f"too close to call: {text}" if found.too_close else text
