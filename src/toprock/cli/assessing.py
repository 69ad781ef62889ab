"""Commands that judge: score, compare, rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import (
    DeviceOption,
    JsonOption,
    ManifestOption,
    ModelOption,
    PicturesOption,
    PrecisionOption,
    ReportOption,
    print_json,
    say,
)
from toprock.cli.judging import (
    IdsOption,
    StoreOption,
    VideosArgument,
    assessed,
    failed,
    judge,
    log_use,
    named,
    open_model,
)
from toprock.errors import UsageError

if TYPE_CHECKING:
    from toprock.assess.assessment import Assessment
    from toprock.assess.model import Comparison, Failure
    from toprock.performance import Performance
    from toprock.report.pictures import Pictures


@app.command()
def score(
    model: ModelOption,
    videos: VideosArgument = None,
    features: StoreOption = None,
    ids: IdsOption = None,
    report: ReportOption = None,
    pictures: PicturesOption = "full",
    manifest: ManifestOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Score performances and show which seconds made the score."""
    wanted = named(videos, ids, features)
    mode, known = reporting(report, pictures, manifest, folders=True)
    results, sources = judge(open_model(model, device, precision), wanted, features)
    good = assessed(results)
    log_use("score", model, results)
    if json:
        documents = [r.to_json() for r in results]
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for result in results:
            print_result(result)
    if report is not None and good:
        from toprock.performance import by_known_id
        from toprock.report import write_report

        shown = sources | by_known_id(known, [r.id for r in good])
        say(f"report: {write_report(good, report, performances=shown, pictures=mode)}")
    if len(good) < len(results):
        raise typer.Exit(1)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A video; or an id with --features.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    model: ModelOption,
    features: StoreOption = None,
    report: ReportOption = None,
    pictures: PicturesOption = "full",
    manifest: ManifestOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Tell which of two scored higher, by how much, and how likely that is right."""

    def check(found: Sequence[object]) -> None:
        if len(found) != 2:
            raise UsageError(f"{a} and {b} are {len(found)} performances, not two", advice="Name one performance each.")

    mode, known = reporting(report, pictures, manifest, folders=False)
    opened = open_model(model, device, precision)
    results, sources = judge(opened, [a, b], features, check=check)
    if any(failed(result) for result in results):
        log_use("compare", model, results)
    one, two = (_demand(r) for r in results)
    found = opened.compared(one, two)
    log_use("compare", model, results, verdict=found.verdict, probability=found.probability)
    if json:
        print_json(found.to_json())
    else:
        _print_comparison(found, one, two)
    if report is not None:
        from toprock.performance import by_known_id
        from toprock.report import write_comparison

        shown = sources | by_known_id(known, [one.id, two.id])
        say(f"report: {write_comparison(found, report, performances=shown, pictures=mode)}")


@app.command()
def rank(
    model: ModelOption,
    videos: VideosArgument = None,
    features: StoreOption = None,
    ids: IdsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Put performances in order, the best first."""
    wanted = named(videos, ids, features)
    results, _ = judge(open_model(model, device, precision), wanted, features)
    good = sorted(assessed(results), key=lambda r: (-r.score, r.id))
    bad = [r for r in results if failed(r)]
    log_use("rank", model, results)
    if json:
        rows = [
            {"rank": i, "id": r.id, "score": r.score, "cautions": [caution.to_json() for caution in r.cautions]}
            for i, r in enumerate(good, 1)
        ]
        print_json([*rows, *(r.to_json() for r in bad)])
    else:
        for r in good:
            _print_cautions(r)
        for i, r in enumerate(good, 1):
            marked = "  !" if r.cautions else ""
            print(f"{i:>4}  {r.score:+8.3f}  {scaled_text(r):<21}{printable(r.id)}{marked}")
        for failure in bad:
            print_result(failure)
    if bad:
        raise typer.Exit(1)


def reporting(
    report: str | None, pictures: str, manifest: Path | None, *, folders: bool
) -> tuple[Pictures, dict[str, Performance]]:
    """How pictures are shown, and what a manifest knows by id; wrong use is told before anything is judged."""
    from toprock.performance import read_manifest
    from toprock.report.destination import destination, pictures_mode

    if report is not None:
        destination(report, folders=folders)
    return pictures_mode(pictures), {} if manifest is None else {p.id: p for p in read_manifest(manifest)}


def _demand(result: Assessment | Failure) -> Assessment:
    from toprock.assess.model import Failure
    from toprock.errors import ToprockError

    if isinstance(result, Failure):
        raise ToprockError(result.error)
    return result


def print_result(result: Assessment | Failure) -> None:
    """For people: the score and what made it; a failure on standard error."""
    from toprock.assess.explain import clock
    from toprock.assess.model import Failure

    if isinstance(result, Failure):
        say(f"error: {result.error}")
        return
    _print_cautions(result)
    print(f"{printable(result.id)}   {scaled_text(result)}{result.score:+.3f}   (a typical one: {result.bias:+.3f})")
    for moment in result.moments:
        span = f"{clock(moment.start_s)} to {clock(moment.end_s)}"
        words = ", ".join([moment.stream or "", *moment.differs])
        print(f"  {'+' if moment.kind == 'best' else '-'} {span:<20} {moment.contribution:+.3f}  {words}")


def _print_comparison(found: Comparison, one: Assessment, two: Assessment) -> None:
    for assessment in (one, two):
        _print_cautions(assessment)
    sign = ">" if found.difference > 0 else "<" if found.difference < 0 else "="
    scores = f"{one.score:+.3f} against {two.score:+.3f}, difference {found.difference:+.3f}"
    print(f"{printable(one.id)} {sign} {printable(two.id)}   {scores}")
    print(f"  {printable(found.verdict)}")


def scaled_text(result: Assessment) -> str:
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
