"""Typer checks the value of every option but a plain flag with pydantic, whose import takes as long as all the rest of
a short command. Text that stays text, and what was not given, needs no check: pydantic comes only for what does.
"""

from typing import Any


def spare_checks(command: Any) -> None:
    """Of a command of typer's, and of all below it."""
    for parameter in getattr(command, "params", ()):
        # An own field of typer's, filled when it is first needed. Where it is called otherwise, nothing is spared.
        if getattr(parameter, "_runtime_param", "none") is None:
            parameter._runtime_param = _OnlyWhatNeedsIt(parameter)
    for below in getattr(command, "commands", {}).values():
        spare_checks(below)


class _OnlyWhatNeedsIt:
    """In place of typer's own coercion."""

    def __init__(self, parameter: Any) -> None:
        descriptor = parameter.type_descriptor
        several = parameter.multiple or parameter.nargs != 1
        self._is_text = descriptor.annotation is str and not several
        self._several = several
        self._descriptor = descriptor

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        if (value is None and not self._several) or (self._is_text and isinstance(value, str)):
            return value
        from typer._coercion import build_runtime_param

        return build_runtime_param(self._descriptor).coerce(value, param=param, ctx=ctx)
