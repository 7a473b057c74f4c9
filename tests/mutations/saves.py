"""Rule 13, each part of it broken on purpose (`broken_saves.py`)."""

from mutations import broken_saves
from mutations.mutation import Mutation

SAVES = (
    Mutation(
        "start-beside-a-saved-state",
        13,
        "what is started leaves its saved state in the record",
        "core/test_duty.py",
        broken_saves.starts_without_taking_it_out,
    ),
    Mutation(
        "put-back-what-may-have-run",
        13,
        "a state is put back although nobody knows whether it was gone on from",
        "scenarios/210-host-dies-while-it-restores.txt",
        broken_saves.puts_back_what_may_have_run,
    ),
    Mutation(
        "keep-what-is-of-the-past",
        13,
        "a saved state is kept although the VM has run otherwise since",
        "scenarios/205-started-past-the-cluster-after-it-was-saved.txt",
        broken_saves.keeps_what_is_of_the_past,
    ),
    Mutation(
        "leave-it-to-who-has-taken-it",
        13,
        "a state that its owner has just taken out is put back, although the VM was started on another node meanwhile",
        "scenarios/251-started-by-hand-while-its-state-is-tried.txt",
        broken_saves.leaves_it_to_who_has_taken_it,
    ),
)
