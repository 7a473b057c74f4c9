"""`outlast sim`: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from outlast.cli.main import run

GOOD = "vm web1\nstart\nrun 5\nskip\n----\n"


def test_a_scenario_that_is_as_expected_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "good.txt"
    file.write_text(GOOD)
    assert run(["sim", "run", str(file)]) == 0
    assert "as expected" in capsys.readouterr().out


def test_a_scenario_that_differs_ends_with_1_and_rewrite_records_it(tmp_path: Path) -> None:
    file = tmp_path / "differs.txt"
    file.write_text("vm web1\nstart\nrun 5\n----\nnothing\n")
    assert run(["sim", "run", str(file)]) == 1
    assert run(["sim", "run", str(file), "--rewrite"]) == 0
    assert run(["sim", "run", str(file)]) == 0


def test_a_broken_invariant_ends_with_1_whatever_the_file_expects(tmp_path: Path) -> None:
    file = tmp_path / "broken.txt"
    file.write_text("world bugs=renew-from-answer\nvm web1\nstart\nrun 5\nskip\n----\n")
    assert run(["sim", "run", str(file), "--rewrite"]) == 1
    assert run(["sim", "run", str(file)]) == 1


def test_a_file_that_is_no_scenario_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.txt"
    file.write_text("explode\n----\n")
    assert run(["sim", "run", str(file)]) == 2
    assert "there is no command explode" in capsys.readouterr().err
    assert run(["sim", "run", str(tmp_path / "absent.txt")]) == 2


def test_seeds_answer_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "seeds", "2", "--from", "3", "--vms", "2", "--minutes", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["seeds"], answer["failed"]) == (2, [])


def test_a_failing_seed_gives_the_scenario_that_repeats_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.txt"
    arguments = ["--vms", "2", "--minutes", "1", "--bugs", "renew-from-answer", "--scenario-out", str(file)]
    assert run(["sim", "seeds", "1", *arguments]) == 1
    assert "seed 0: " in capsys.readouterr().out
    assert run(["sim", "run", str(file)]) == 1
    assert "invariant 7" in capsys.readouterr().out


def test_one_seed_is_shown_with_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "seed", "4", "--vms", "2", "--minutes", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["commands"][0].startswith("world nodes=3")
    assert answer["broken"] == []


def test_a_bug_that_cannot_be_planted_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "seeds", "1", "--bugs", "unheard-of"]) == 2
    assert "take-over-without-proof" in capsys.readouterr().err
