"""Commands on a feature store: features list, verify, gc."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toprock.cli.app import printable
from toprock.cli.common import JsonOption, bar, print_json, say
from toprock.cli.importing import features
from toprock.errors import UsageError
from toprock.places import place

if TYPE_CHECKING:
    from toprock.features import Entry, FeatureStore, Recipe
    from toprock.features.collecting import Garbage
    from toprock.features.verification import Verification

StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", parser=place, help="Feature store.")]


@features.command("list")
def list_(
    folder: StoreArgument,
    after: Annotated[str, typer.Option(metavar="ID", help="Go on after this id.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 50,
    prefix: Annotated[str, typer.Option(help="Only ids that begin so.", show_default=False)] = "",
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|HASH", help="Only what holds these features.", show_default=False)
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Performances without features, and why.")] = False,
    json: JsonOption = False,
) -> None:
    """List performances in the order of their ids, a page at a time, without opening their files."""
    if failed and recipe is not None:
        raise UsageError("--failed and --recipe exclude each other", advice="What has failed holds no features.")
    from toprock.features import FeatureStore, Index

    store = FeatureStore(folder)
    wanted = None if recipe is None else {r.hash for r in store_recipes(store, recipe)}
    with Index(store, on_note=_note) as index, bar("Looking at folders") as advance:
        index.refresh(on_progress=advance)
        names = {r.hash: r for r in store.recipes}
        if failed:
            why = index.failures(after=after, limit=limit, prefix=prefix)
            last, shown, total = next(reversed(why), None), len(why), index.count(prefix=prefix, failed=True)
            document: dict[str, Any] = {"failures": [{"id": ident, "error": told} for ident, told in why.items()]}
            lines = [f"{ident}  {told}" for ident, told in why.items()]
        else:
            page = index.page(after=after, limit=limit, prefix=prefix, recipes=wanted)
            last, shown, total = page[-1].id if page else None, len(page), index.count(prefix=prefix, recipes=wanted)
            held = index.totals()
            recipes = [r.to_json() | {"performances": held.get(r.hash, 0)} for r in store.recipes]
            document = {"performances": [entry.to_json() for entry in page], "recipes": recipes}
            lines = [f"{entry.id}  {_summary(entry, names)}" for entry in page]
    following = last if shown == limit else None
    if json:
        print_json({"schema": 1, **document, "total": total, "next": following})
        return
    for line in lines:
        print(printable(line))
    more = f"; go on with --after '{following}'" if following else ""
    say(f"{shown} of {total} {'failures' if failed else 'performances'}{more}.")


@features.command()
def verify(
    folder: StoreArgument,
    quick: Annotated[bool, typer.Option("--quick", help="Look at sizes and heads only; read no arrays.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on with a check that was interrupted.")] = False,
    json: JsonOption = False,
) -> None:
    """Read every file of a store and name the damaged ones. Safe to interrupt; run it again to go on."""
    from toprock.features import FeatureStore
    from toprock.features.verification import verify as run

    store = FeatureStore(folder)
    with bar("Checking") as advance:
        found = run(
            store,
            quick=quick,
            anew=anew,
            on_note=_note,
            on_progress=lambda done, total, ident: advance(done, total, f"Checking {printable(ident)}"),
        )
    if json:
        print_json(found.to_json())
    else:
        _print(found, quick)
    if found.damaged:
        raise typer.Exit(1)


@features.command()
def gc(
    folder: StoreArgument,
    keep: Annotated[
        Path | None, typer.Option(metavar="MANIFEST", help="Only its performances are needed.", show_default=False)
    ] = None,
    recipes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL|NAME|HASH",
            help="Only the features that this model uses, or of this name, are needed; may be given several times.",
            show_default=False,
        ),
    ] = None,
    damaged: Annotated[bool, typer.Option("--damaged", help="Damaged files are not needed; reads every file.")] = False,
    imported: Annotated[
        bool, typer.Option("--imported", help="Imported features may go too; no extraction brings them back.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; without this, it is only told.")] = False,
    json: JsonOption = False,
) -> None:
    """Tell what of a store nobody needs, and with --delete remove it. May be interrupted and run again."""
    from toprock.features import FeatureStore, Index
    from toprock.features.collecting import delete as remove
    from toprock.features.collecting import find_garbage
    from toprock.performance import read_manifest

    store = FeatureStore(folder)
    ids = None if keep is None else {p.id for p in read_manifest(keep)}
    kept = None if recipes is None else [r for name in recipes for r in store_recipes(store, name)]
    changed: list[str] = []
    with Index(store, on_note=_note) as index:
        with bar("Looking") as advance:
            found = find_garbage(index, keep=ids, recipes=kept, damaged=damaged, imported=imported, on_progress=advance)
        if delete:
            with bar("Deleting") as advance:
                changed = remove(index, found, on_progress=advance)
    if json:
        print_json(found.to_json(deleted=delete, changed=changed))
    else:
        _print_garbage(found, delete, changed)


def store_recipes(store: FeatureStore, name: str) -> list[Recipe]:
    """The recipes that a model folder uses, or that a backbone's name or the beginning of a hash means.

    Raises:
        UsageError: the store has none of them.
    """
    if (Path(name) / "config.json").is_file():
        from toprock.ranker.saved import SavedModel

        return list(SavedModel.load(name).recipes.values())
    found = [r for r in store.recipes if name == r.backbone or (len(name) >= 4 and r.hash.startswith(name))]
    if not found:
        there = ", ".join(f"{r.backbone} ({r.hash})" for r in store.recipes) or "none"
        raise UsageError(f"{store.folder}: has no features called '{name}'", advice=f"It has: {there}.")
    return found


def _note(text: str) -> None:
    say(f"note: {text}.")


def _summary(entry: Entry, names: dict[str, Recipe]) -> str:
    if entry.problem:
        return entry.problem
    length = "" if entry.duration_s is None else f"{entry.duration_s:.1f} s  "
    held = [f"{names[r].backbone if r in names else r} {rows}" for r, (rows, _) in entry.shapes.items()]
    return f"{length}{', '.join(held)}"


def _print_garbage(found: Garbage, deleted: bool, changed: Sequence[str]) -> None:
    from toprock.features.collecting import KINDS

    for kind, (count, size) in found.sums().items():
        if count:
            print(f"{count} {KINDS[kind]}{f', {size} bytes' if size else ''}")
    for file, why in found.unreadable.items():
        print(f"left alone: {printable(file)}: {why}")
    for name in changed:
        print(f"left alone: {printable(name)}: has changed since it was looked at")
    if found.imported:
        print(f"kept: imported features of {found.imported} performances; --imported counts them too")
    total = sum(size for _, size in found.sums().values())
    count = len(found.waste) - len(changed)
    print(f"{count} things, {total} bytes: {'deleted' if deleted else 'not needed; --delete removes them'}.")


def _print(found: Verification, quick: bool) -> None:
    for recipe, holding in found.holdings.items():
        print(
            f"{recipe.stream:<8} {printable(recipe.backbone)} ({recipe.hash}): {holding.performances} performances, "
            f"{holding.segments} segments of {holding.dimension} numbers"
        )
    for why in found.damaged.values():
        print(f"damaged: {printable(why)}")
    for ident, why in found.failures.items():
        print(f"failed when made: {printable(ident)}: {printable(why)}")
    unread = " Arrays were not read; without --quick they are." if quick else ""
    print(f"{found.sound} performances are sound, {len(found.damaged)} are damaged.{unread}")
