"""The resource type `script`: a directory with executables, named after what they are called for, in any language.

`online`, `offline` and `is-alive` must be there; `terminate` and `looks-alive` may be. Properties: `directory`,
`env.NAME`, `start_timeout_s`, `stop_timeout_s`, `ask_timeout_s`. Exit codes: `driver.py`, docs/types.md.
"""

from outlast.resources.script.type import ScriptType

__all__ = ["ScriptType"]
