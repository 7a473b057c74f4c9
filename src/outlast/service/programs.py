"""Where `outlastd` and `outlast-witness` begin: without what a log for machines has no use for.

structlog loads rich, where it is installed, to colour what people read on a terminal: 6 MiB and a tenth of a second for
each service, whose log is read by its supervisor. So rich is hidden from it before anything is imported.
"""

import sys


def outlastd() -> None:
    _without_colours()
    from outlast.service.main import main

    main()


def witness() -> None:
    _without_colours()
    from outlast.service.witness import main

    main()


def _without_colours() -> None:
    sys.modules["rich"] = None  # type: ignore[assignment]
