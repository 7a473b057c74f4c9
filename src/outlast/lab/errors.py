"""Which ways can a lab command fail, and which exit code belongs to each?

The words go to a person: what could not be done, why, and what to do next.
"""


class LabError(Exception):
    """It was tried and failed."""

    exit_code = 1


class WrongInput(LabError):
    """The person asked for something that does not exist or makes no sense."""

    exit_code = 2


class NotPossibleNow(LabError):
    """The request is fine, but the lab (or this machine) is not in a state for it."""

    exit_code = 3
