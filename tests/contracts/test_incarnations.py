"""What is remembered of a node's life, on files: kept over a restart of the service, gone with the node's power."""

from pathlib import Path

from outlast.adapters.incarnations import FileIncarnations


def test_a_life_is_remembered_until_run_is_empty_again(tmp_path: Path) -> None:
    run, state = tmp_path / "run", tmp_path / "state"
    first = FileIncarnations(run, state)
    assert first.load() == ""
    first.store("life-1")
    assert FileIncarnations(run, state).load() == "life-1", "a service that was started again"
    assert FileIncarnations(tmp_path / "run after a boot", state).load() == ""


def test_that_the_member_began_is_remembered_until_run_is_empty_again(tmp_path: Path) -> None:
    run, state = tmp_path / "run", tmp_path / "state"
    first = FileIncarnations(run, state)
    first.store("life-1")
    assert not first.member_began(), "a session says nothing of the member"
    first.note_member_began()
    assert FileIncarnations(run, state).member_began()
    assert not FileIncarnations(tmp_path / "run after a boot", state).member_began()


def test_a_machine_is_the_same_for_ever_and_no_other_one_is(tmp_path: Path) -> None:
    machine = FileIncarnations(tmp_path / "run", tmp_path / "state").machine()
    assert FileIncarnations(tmp_path / "run after a boot", tmp_path / "state").machine() == machine
    assert FileIncarnations(tmp_path / "run", tmp_path / "another").machine() != machine


def test_a_stop_that_was_noted_is_remembered_by_its_resource_until_run_is_empty_again(tmp_path: Path) -> None:
    run, state = tmp_path / "run", tmp_path / "state"
    first = FileIncarnations(run, state)
    first.note_stop("web.1", "begun")
    first.note_stop("web.2", "ended")
    first.note_stop("a/../b", "begun")
    first.note_stop(300 * "ö", "begun")
    again = FileIncarnations(run, state)
    assert [again.stop_of(name) for name in ("web.1", "web.2", "a/../b", "web")] == ["begun", "ended", "begun", ""]
    assert FileIncarnations(tmp_path / "run after a boot", state).stop_of("web.1") == ""
    again.note_stop("web.1", "")
    again.note_stop("never", "")
    assert first.stop_of("web.1") == ""
    assert {path.parent for path in tmp_path.rglob("*.stop")} == {run / "stops"}
