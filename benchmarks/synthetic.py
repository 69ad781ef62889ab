"""The demo over 5 fixed seeds: every seed's figures, and the worst of each.

python benchmarks/synthetic.py [--seeds 1 11 12 13 14] [--work FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from toprock.demo import run_demo

FIGURES = ("pairwise_accuracy", "pairwise_accuracy_all", "moment_auc_good", "moment_auc_bad")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 11, 12, 13, 14])
    parser.add_argument("--work", type=Path, help="keep videos, features and results here")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(
        f"{'seed':>5}" + "".join(f"{name:>24}" for name in (*FIGURES, "over average branch", "over linear", "seconds"))
    )
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as temporary:
            found = run_demo((options.work or Path(temporary)) / str(seed), seed=seed)
        row = {name: found[name] for name in FIGURES}
        row["over average branch"] = found["pairwise_accuracy"] - found["average_branch"]["pairwise_accuracy"]
        row["over linear"] = found["pairwise_accuracy"] - found["linear"]["pairwise_accuracy"]
        row["seconds"] = found["seconds"]
        rows.append(row)
        print(f"{seed:>5}" + "".join(f"{value:>24.3f}" for value in row.values()), flush=True)
    worst = {name: (max if name == "seconds" else min)(row[name] for row in rows) for name in rows[0]}
    print(f"{'worst':>5}" + "".join(f"{value:>24.3f}" for value in worst.values()))


if __name__ == "__main__":
    main()
