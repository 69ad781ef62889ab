"""What commands that judge share: which performances their arguments mean, and what each scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

import typer

from toprock.cli.app import printable
from toprock.cli.common import bar, say
from toprock.errors import UnknownPerformance, UsageError
from toprock.places import place

if TYPE_CHECKING:
    from toprock.assess.assessment import Assessment
    from toprock.assess.model import Failure, Model
    from toprock.performance import Performance

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--features",
        "-f",
        parser=place,
        metavar="STORE",
        help="Take ids from this store instead of videos.",
        show_default=False,
    ),
]
IdsOption = Annotated[
    Path | None, typer.Option("--ids", help="A file with one id (or video) a line.", show_default=False)
]
VideosArgument = Annotated[list[str] | None, typer.Argument(help="Videos, folders, manifests; or ids with --features.")]


def open_model(folder: Path, device: str, precision: str) -> Model:
    """The model of a command's options."""
    from toprock.assess.model import load
    from toprock.backbones.base import Compute

    return load(folder, compute=Compute(device=device, precision=precision))


def named(names: Sequence[str] | None, ids: Path | None, features: Path | None) -> list[str]:
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


def judge(
    model: Model,
    wanted: Sequence[str],
    features: Path | None,
    *,
    check: Callable[[Sequence[Performance | Failure | str]], None] = lambda found: None,
) -> tuple[list[Assessment | Failure], dict[str, Performance]]:
    """Assess what is named, in the order given; also id -> Performance where videos were given.

    `check` is shown what was found (ids, of a store) ahead of the work, and may raise.
    """
    if features is not None:
        return _from_store(model, features, wanted, check), {}
    from toprock.assess.model import Failure

    found = _find(wanted)
    check(found)
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


def _from_store(
    model: Model, folder: Path, wanted: Sequence[str], check: Callable[[Sequence[str]], None]
) -> list[Assessment | Failure]:
    from toprock.assess.model import Failure
    from toprock.errors import ToprockError
    from toprock.features import FeatureStore
    from toprock.performance import id_matcher

    store = FeatureStore(folder)
    known = store.ids()
    find = id_matcher(known)
    check(wanted or known)
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


def log_use(command: str, model: Path, results: Sequence[Assessment | Failure], **more: object) -> None:
    """Note a use, see `toprock log`."""
    from toprock.assess.model import Failure
    from toprock.usage import log_file, note

    rows = [{"id": r.id, "error": r.error} if isinstance(r, Failure) else r.noted() for r in results]
    if not note(command, model, rows, **more):
        say(f"note: this use could not be noted in {log_file()}.")


def failed(result: Assessment | Failure) -> TypeGuard[Failure]:
    """Whether it is a Failure."""
    return hasattr(result, "error")


def assessed(results: Sequence[Assessment | Failure]) -> list[Assessment]:
    """Those that did not fail."""
    from toprock.assess.model import Failure

    return [result for result in results if not isinstance(result, Failure)]
