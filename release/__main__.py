"""Builds what would be published and tries it where nothing else is installed: `make release`.

Nothing is uploaded. Each step says what it found in one line; the first one that fails ends it with exit code 1.

| step | what |
|---|---|
| build | the sdist, and the wheel out of the sdist, into `dist/` |
| metadata | `twine check --strict` |
| contents | the wheel has the files of both packages that git knows, and no others; the sdist can be tested |
| install | the wheel into an empty environment: its version, `replay demo` |
| extras | without an extra, what needs it says which one to install |
| types | `pyright --verifytypes`: how much of what can be imported has a known type |
| licences | the environment as a CycloneDX document in `dist/`, each distribution's licence among `ALLOWED` |
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from release.licences import unknown

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
TYPED = {"replay": 90.0, "replay_cli": 98.0}
"""Percent of each package's symbols whose type is known: no less than that."""

EXTRAS = {
    "keys": ["keygen", "key"],
    "remote": ["ls", "s3://bucket/cassettes"],
    "corpus": ["index", ".", "-o", "corpus.parquet"],
    "ray": ["test", "empty.cassette", "--engine", "ray"],
    "dask": ["test", "empty.cassette", "--engine", "dask"],
}
"""A command that needs each extra."""


class Failed(Exception):
    """A step that didn't do."""


def run(*words: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints. Raises Failed for another exit code than these."""
    done = subprocess.run(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode not in codes:
        raise Failed(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def build() -> str:
    """The sdist, and the wheel out of it."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST)
    return ", ".join(f"{file.name} ({file.stat().st_size / 1e6:.1f} MB)" for file in sorted(DIST.iterdir()))


def metadata() -> str:
    """As the registry would judge them."""
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
    return "accepted"


def contents() -> str:
    """What git knows, and nothing else."""
    with zipfile.ZipFile(one("*.whl")) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    known = {*tracked("replay"), *(name.removeprefix("cli/") for name in tracked("cli/replay_cli"))}
    if packed != known:
        raise Failed(f"missing: {sorted(known - packed)}; too much: {sorted(packed - known)}")
    with tarfile.open(one("*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    lost = {*tracked("replay"), *tracked("tests"), *tracked("fixtures"), "Makefile", "constraints.txt"} - names
    if lost:
        raise Failed(f"the sdist lacks {sorted(lost)[:9]}")
    static = sorted({Path(name).suffix for name in packed if not name.endswith((".py", "py.typed"))})
    return f"{len(packed)} files in the wheel, of them {' '.join(static) or 'none'}; {len(names)} in the sdist"


def install(empty: Path) -> str:
    """Into an environment that has nothing but it; the demo's agent needs openai."""
    run(sys.executable, "-m", "venv", empty)
    pip = (empty / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", one("*.whl"))
    said = replay(empty, "--version").split()[-1]
    if said not in one("*.whl").name:
        raise Failed(f"replay --version says {said}")
    if "[demo-needs]" not in replay(empty, "demo", codes=(125,)):
        raise Failed("the demo doesn't say that it needs openai")
    return f"{said}, {len(list(distributions(empty)))} distributions"


def extras(empty: Path) -> str:
    """Without them."""
    replay(empty, "record", "-o", "empty.cassette", "--", empty / "bin" / "python", "-c", "pass")
    for extra, words in EXTRAS.items():
        said = replay(empty, *words, codes=(125, 129))
        if f"agent-replay[{extra}]" not in said or "Traceback" in said:
            raise Failed(f"replay {' '.join(words)}: doesn't name agent-replay[{extra}]:\n{said}")
    return f"{', '.join(EXTRAS)}: each is named by what needs it"


def demo(empty: Path) -> str:
    """The whole story."""
    pip = (empty / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", "openai")
    return f"{len(replay(empty, 'demo').splitlines())} lines"


def types(empty: Path) -> str:
    """As a program that imports it sees them."""
    found: dict[str, float] = {}
    path = os.pathsep.join([str(empty / "bin"), os.environ["PATH"]])
    for package, least in TYPED.items():
        words = (Path(sys.executable).with_name("pyright"), "--verifytypes", package, "--ignoreexternal")
        said = run(*words, cwd=empty, env={**os.environ, "PATH": path}, codes=(0, 1))
        score = re.search(r"^Type completeness score: ([\d.]+)%", said, re.MULTILINE)
        found[package] = float(score[1]) if score else 0.0
        if found[package] < least:
            raise Failed(f"{package}: {found[package]} % of the symbols have a known type, not {least} %\n{said}")
    return ", ".join(f"{package} {score} %" for package, score in found.items())


def licences(empty: Path) -> str:
    """What else who installs it gets, and by which licences."""
    target = DIST / f"{one('*.whl').name.split('-py3')[0]}.cdx.json"
    script = Path(sys.executable).with_name("cyclonedx-py")
    run(script, "environment", "--output-reproducible", "--of", "JSON", "-o", target, empty / "bin" / "python")
    components: list[dict[str, Any]] = json.loads(target.read_text("utf-8"))["components"]
    strangers = [found for component in components if (found := unknown(component))]
    if strangers:
        raise Failed("not among the allowed (release/licences.py): " + "; ".join(strangers))
    return f"{len(components)} distributions, all allowed: {target.name}"


def replay(empty: Path, *words: str | Path, codes: tuple[int, ...] = (0,)) -> str:
    """`replay` of that environment, in it, with nothing of this one."""
    hidden = ("PYTHON", "REPLAY", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return run(empty / "bin" / "replay", *words, cwd=empty, env=env, codes=codes)


def distributions(empty: Path) -> Iterator[Path]:
    """Those that are installed there."""
    return empty.glob("lib/python3*/site-packages/*.dist-info")


def tracked(folder: str) -> set[str]:
    """Files that git knows."""
    return set(run("git", "ls-files", folder).splitlines())


def one(pattern: str) -> Path:
    """The one file in `dist/` of that kind."""
    (found,) = DIST.glob(pattern)
    return found


def main() -> int:
    """Prints a line for each step."""
    with tempfile.TemporaryDirectory() as path:
        empty = Path(path) / "empty"
        steps: dict[str, Callable[[], str]] = {
            "build": build,
            "metadata": metadata,
            "contents": contents,
            "install": lambda: install(empty),
            "extras": lambda: extras(empty),
            "licences": lambda: licences(empty),
            "demo": lambda: demo(empty),
            "types": lambda: types(empty),
        }
        for name, step in steps.items():
            try:
                print(f"✓ {name:9} {step()}", flush=True)
            except Failed as failed:
                print(f"✗ {name:9} {failed}", flush=True)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
