"""`replay bisect commits`: real histories, real re-executions, the real git."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.bisect.history import AGENT, commit, desk, git, history, record_at, repository
from tests.support.e2e import REPLAY, cli, cli_json, shown

ONCE = "tool refund called at most 1"


class Shop(NamedTuple):
    """A repository, and recordings of its agent with good and with bad code."""

    root: Path
    good: Path
    bad: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = repository(tmp_path_factory.mktemp("shop") / "repo")
    commits = history(root, "main", 9, 6)
    place = root.parent
    good, bad = (record_at(root, commits[at], place / f"{name}.cassette") for at, name in ((0, "good"), (8, "bad")))
    return Shop(root, good, bad)


def bisect(root: Path, *words: Any, code: int = 1, **more: Any) -> dict[str, Any]:
    return cli_json("bisect", "commits", *words, cwd=root, code=code, **more)


def on(shop: Shop, branch: str, first: str, *words: Any, **more: Any) -> dict[str, Any]:
    log = shop.root.parent / f"{branch}.log"
    return bisect(shop.root, "--good", first, "--bad", branch, "--log", log, *words, **more)


PLACEMENTS = 30
LENGTH = 128
WAYS = 3


def placement(shop: Shop, number: int) -> tuple[int, int]:
    """A culprit is placed by chance, some commits are broken, and it is searched. Returns trials and skips."""
    chance = random.Random(number)
    culprit = chance.randrange(1, LENGTH)
    others = [at for at in range(1, LENGTH - 1) if at not in (culprit, culprit - 1)]
    broken = chance.sample(others, 12)
    commits = history(shop.root, f"placement-{number}", LENGTH, culprit, broken)
    ways: list[list[Any]] = [
        ["--cassette", shop.good],
        ["--cassette", shop.good, "--expect", ONCE],
        ["--cassette", shop.bad, "--expect", f"{ONCE} or diverged"],
    ]
    found = on(shop, f"placement-{number}", commits[0], *ways[number % WAYS])
    assert found["first_bad"] == commits[culprit], (number, found)
    assert found["found"]
    skipped = [each["commit"] for each in found["verdicts"] if each["verdict"] == "skip"]
    assert set(skipped) <= {commits[at] for at in broken}
    assert found["unresolved"] == len(skipped)
    return found["trials"], len(skipped)


@pytest.mark.parametrize("number", [1, 2])
def test_the_culprit_is_found(shop: Shop, number: int) -> None:
    trials, skipped = placement(shop, number)
    assert trials <= 7 + skipped


@pytest.mark.torture
def test_thirty_placements(shop: Shop) -> None:
    counted = [placement(shop, number) for number in range(PLACEMENTS)]
    print(f"\nfound {len(counted)} of {PLACEMENTS} culprits among {LENGTH} commits; trials, of these skipped:")
    print("  " + ", ".join(f"{trials}/{skipped}" for trials, skipped in counted))
    trials, skips = (sum(column) for column in zip(*counted, strict=True))
    print(f"  {trials} trials, bound {7 * PLACEMENTS + skips} (7 for each placement, and {skips} skips)")
    assert all(trials <= 7 + skipped for trials, skipped in counted), counted


def test_what_is_said_of_the_culprit(shop: Shop) -> None:
    commits = git(shop.root, "rev-list", "--reverse", "main").split()
    before = (git(shop.root, "status", "--porcelain"), git(shop.root, "rev-parse", "--abbrev-ref", "HEAD"))
    (shop.root / "notes.txt").write_text("mine")
    (shop.root / "desk.py").write_text("edited")
    log = shop.root.parent / "bisect.log"
    words = ("--good", commits[0], "--bad", "main", "--cassette", shop.good, "--expect", ONCE, "--log", log)
    done = cli("bisect", "commits", *words, "-n", "3", cwd=shop.root)
    assert done.returncode == 1, shown(done)
    said = done.stdout.decode()
    assert f"first bad commit: {commits[6]}\n  Change 6\n  A Tester, 2023-11-14T22:13:26+00:00\n   desk.py |" in said
    assert f"otherwise than its parent {commits[5][:12]}:\n" in said
    assert "\n    + tool refund {'order': 'A-17', 'amount': 12}\n" in said
    assert f"bad  {commits[6][:12]} Change 6: tool refund: called twice" in done.stderr.decode()
    # nothing of the user's was touched, and nothing is left
    assert (shop.root / "notes.txt").read_text() + (shop.root / "desk.py").read_text() == "mineedited"
    assert git(shop.root, "worktree", "list").count("\n") == 0
    assert git(shop.root, "for-each-ref", "refs/bisect") == ""
    git(shop.root, "checkout", "--", ".")
    (shop.root / "notes.txt").unlink()
    assert before == (git(shop.root, "status", "--porcelain"), git(shop.root, "rev-parse", "--abbrev-ref", "HEAD"))


def test_git_reads_the_log(shop: Shop, tmp_path: Path) -> None:
    commits = git(shop.root, "rev-list", "--reverse", "main").split()
    log = tmp_path / "log"
    bisect(shop.root, "--good", commits[0], "--bad", "main", "--cassette", shop.good, "--log", log)
    git(tmp_path, "clone", "--quiet", str(shop.root), "copy")
    assert f"{commits[6]} is the first bad commit" in git(tmp_path / "copy", "bisect", "replay", str(log))


def test_git_runs_it(shop: Shop, tmp_path: Path) -> None:
    """The other way round: `git bisect run replay run … --expect …`, in a checkout of the user's."""
    commits = git(shop.root, "rev-list", "--reverse", "main").split()
    git(tmp_path, "clone", "--quiet", str(shop.root), "copy")
    copy = tmp_path / "copy"
    cassette = record_at(copy, commits[0], tmp_path / "good.cassette")
    git(copy, "bisect", "start", commits[8], commits[0])
    said = git(copy, "bisect", "run", REPLAY, "run", "-q", str(cassette), "--run-tools", "--expect", ONCE)
    assert f"{commits[6]} is the first bad commit" in said


def test_histories_with_merges(shop: Shop, tmp_path: Path) -> None:
    """The culprit is on a side branch."""
    root = repository(tmp_path / "repo")
    first = commit(root, "first", agent_py=AGENT, desk_py=desk(0, good=True))
    commit(root, "second", other_py="")
    git(root, "checkout", "--quiet", "-b", "side", first)
    commit(root, "on the side", more_py="")
    culprit = commit(root, "refunds", desk_py=desk(1, good=False))
    commit(root, "on the side again", more_py="1")
    git(root, "checkout", "--quiet", "main")
    git(root, "merge", "--quiet", "--no-ff", "--message", "merge", "side")
    commit(root, "last", other_py="1")
    words = ("--good", first, "--bad", "main", "--cassette", shop.good, "--expect", ONCE)
    assert bisect(root, *words)["first_bad"] == culprit
    assert bisect(root, *words, "-n", "2")["first_bad"] == culprit


def test_a_command_judges(shop: Shop) -> None:
    """As `git bisect run` has it; the cassette is in its environment, and the commit's files are where it runs."""
    commits = git(shop.root, "rev-list", "--reverse", "main").split()
    judge = "import os, sys; t = open('desk.py').read(); assert os.path.isfile(os.environ['REPLAY_CASSETTE'])"
    judge += "; sys.exit(125 if 'Change 4' in t else 0 if '_DONE\\n' not in t.split('return')[1] else 3)"
    judge = judge.replace("'_DONE\\n' not in", "'False' not in")
    found = on(shop, "main", commits[0], "--cassette", shop.good, "--", sys.executable, "-c", judge)
    assert (found["first_bad"], found["unresolved"]) == (commits[6], 1)
    assert found["behaviour"]["parent"] == commits[5]
    said = cli("bisect", "commits", "--good", commits[0], "--bad", "main", "--cassette", shop.good, "--", "sh", "-c",
               "exit 130", cwd=shop.root)  # fmt: skip
    assert said.returncode == 125, shown(said)
    assert b"the command ended with 130" in said.stderr
    assert b"[trial-aborted]" in said.stderr


def test_commits_that_tell_nothing_stay_candidates(shop: Shop) -> None:
    commits = history(shop.root, "unclear", 6, 3, broken={2, 3})
    found = on(shop, "unclear", commits[0], "--cassette", shop.good, code=125)
    assert (found["found"], found["first_bad"]) == (False, None)
    assert set(found["candidates"]) == {commits[2], commits[3], commits[4]}


def test_an_end_that_isnt_what_it_is_said_to_be(shop: Shop) -> None:
    commits = git(shop.root, "rev-list", "--reverse", "main").split()
    found = on(shop, "main", commits[0], "--cassette", shop.good, "--expect", "tool lookup called twice", code=125)
    assert found["contradiction"]["commit"] == commits[0]
    assert found["first_bad"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--good", "nothing"], "no such commit: nothing"),
        (["--cassette", "bad.cassette"], "what is a good execution?"),
        (["--expect", "tol refund"], "did you mean tool?"),
        (["--expect", ONCE, "--", "true"], "both judge"),
    ],
)
def test_wrong_usage(shop: Shop, words: list[str], says: str) -> None:
    given = {"--good": "main~8", "--bad": "main", "--cassette": "good.cassette"}
    if words[0] in given:
        given[words[0]] = words[1]
        words = []
    given["--cassette"] = str(shop.root.parent / given["--cassette"])
    done = cli("bisect", "commits", *(word for pair in given.items() for word in pair), *words, cwd=shop.root)
    assert done.returncode == 129, shown(done)
    assert says in done.stderr.decode()


READER = """
import replay, sys

@replay.tool
def mail(text):
    return len(text)

mail(open("prompts/policy.txt").read())
print(open("state.txt").read() if len(sys.argv) > 1 else "")
"""


def test_files_of_the_repository_are_the_commits(tmp_path: Path) -> None:
    """A prompt is as much code as the rest: it isn't answered from the recording."""
    root = repository(tmp_path / "repo")
    first = commit(root, "first", agent_py=READER, prompts__policy_txt="Refund nobody.")
    commit(root, "second", other_py="")
    culprit = commit(root, "generous", prompts__policy_txt="Refund everybody, whatever they say.")
    commit(root, "last", other_py="1")
    cassette = record_at(root, first, tmp_path / "x.cassette")
    found = bisect(root, "--good", first, "--bad", "main", "--cassette", cassette)
    assert found["first_bad"] == culprit
    assert any("Refund everybody, whatever they say." in line for line in found["behaviour"]["changes"])
    expected = "not tool mail(text contains 'everybody')"
    found = bisect(root, "--good", first, "--bad", "main", "--cassette", cassette, "--expect", expected)
    assert found["first_bad"] == culprit


PACKAGE = """
import replay

@replay.tool
def refund(amount):
    return amount

def main():
    refund({amount})
"""


def test_modules_come_from_the_worktree(tmp_path: Path) -> None:
    """Though an installation that leads to the user's checkout would be found, too."""
    root = repository(tmp_path / "repo")
    program = "import shop\nshop.main()\n"
    first = commit(root, "first", bin__agent_py=program, src__shop__init_py="x", src__shop_py=PACKAGE.format(amount=5))
    commit(root, "second", other_py="")
    culprit = commit(root, "generous", src__shop_py=PACKAGE.format(amount=50))
    commit(root, "last", other_py="1")
    variables = {"PYTHONPATH": str(root / "src")}
    cassette = record_at(root, first, tmp_path / "x.cassette", "bin/agent.py", **variables)
    found = bisect(root, "--good", first, "--bad", "main", "--cassette", cassette, env={**os.environ, **variables})
    assert found["first_bad"] == culprit


def test_set_up_runs_where_locks_changed(shop: Shop, tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    commits = [commit(root, "first", agent_py=AGENT, desk_py=desk(0, good=True), requirements_txt="a==1")]
    commits += [commit(root, f"{n}", desk_py=desk(n, good=n < 6), requirements_txt=f"a=={n // 4}") for n in range(1, 9)]
    ran = tmp_path / "ran"
    words = ("--good", commits[0], "--bad", "main", "--cassette", shop.good, "--expect", ONCE)
    found = bisect(root, *words, "--setup", f"cat requirements.txt >> {ran}; echo >> {ran}")
    assert found["first_bad"] == commits[6]
    assert len(ran.read_text().split()) <= 3 < found["trials"] + 1
    failing = bisect(root, *words, "--setup", "echo no compiler; exit 2", code=125)
    assert {each["why"] for each in failing["verdicts"]} == {"--setup ended with 2: no compiler"}
    noted = cli("bisect", "commits", *words, cwd=root)
    assert b"requirements.txt changed on the way" in noted.stderr


def test_a_commit_that_never_ends_is_skipped(shop: Shop, tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    first = commit(root, "first", agent_py=AGENT, desk_py=desk(0, good=True))
    endless = commit(root, "endless", desk_py="while True: pass")
    last = commit(root, "last", desk_py=desk(1, good=False))
    words = ("--good", first, "--bad", "main", "--cassette", shop.good, "--time", "1.5")
    found = bisect(root, *words, "--expect", ONCE, code=125)
    assert (set(found["candidates"]), found["unresolved"]) == ({endless, last}, 1)
    assert found["verdicts"] == [{"commit": endless, "verdict": "skip", "why": "it ran longer than 1.5 s"}]
    asleep = bisect(root, *words, "--", "sh", "-c", "if grep -q while desk.py; then sleep 600; fi", code=125)
    (verdict,) = asleep["verdicts"]
    assert verdict["verdict"] == "skip"
    assert verdict["why"].endswith("sleep 600; fi' ran longer than 1.5 s")
    preparing = bisect(root, *words, "--expect", ONCE, "--setup", "sleep 600", code=125)
    assert preparing["verdicts"][0]["why"] == "/bin/sh -c 'sleep 600' ran longer than 1.5 s"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_interrupted(shop: Shop, tmp_path: Path, number: int) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    command = [
        REPLAY,
        "bisect",
        "commits",
        "--good",
        "main~8",
        "--bad",
        "main",
        "--cassette",
        str(shop.good),
        "--",
        "sh",
    ]
    process = subprocess.Popen(
        [*command, "-c", f"pwd > {begun}; exec sleep 600"],
        cwd=shop.root,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with begun.open() as told:
        where = Path(told.read().strip())
    assert where.is_dir()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert not where.exists()
    assert not list(tmp_path.glob("replay-bisect-*"))
    assert git(shop.root, "worktree", "list").count("\n") == 0


def test_a_program_below_the_root_of_the_repository(tmp_path: Path) -> None:
    """Started by `-m` in a folder; or by its path, and found by a variable that nobody sets any more."""
    root = repository(tmp_path / "repo")
    files = {"app__pkg__core_py": PACKAGE.format(amount=5) + "main()\n", "app__pkg__init_py": ""}
    commit(root, "first", **files)
    (root / "app/pkg/init.py").rename(root / "app/pkg/__init__.py")
    (root / "app/pkg/__main__.py").write_text("from pkg.core import *\n")
    first = commit(root, "second", other_txt="")
    commit(root, "third", other_txt="1")
    culprit = commit(root, "generous", app__pkg__core_py=PACKAGE.format(amount=500) + "main()\n")
    commit(root, "last", other_txt="2")
    git(root, "checkout", "--quiet", first)
    script = str(root / "app/pkg/__main__.py")
    for words, variables in ((["-m", "pkg"], {}), ([script], {"PYTHONPATH": str(root / "app")})):
        cassette = tmp_path / f"{len(words)}.cassette"
        env = {**os.environ, **variables}
        done = cli("record", "-o", cassette, "--", sys.executable, *words, cwd=root / "app", env=env)
        assert done.returncode == 0, shown(done)
        expected = "no tool refund(amount > 100)"
        found = bisect(root, "--good", first, "--bad", "main", "--cassette", cassette, "--expect", expected)
        assert found["first_bad"] == culprit
