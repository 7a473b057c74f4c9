"""The keys of the cluster database, flat and few. One prefix per noun.

`control/` holds the small records that every node watches; the rest is read by who needs it.
"""

CONTROL = "control/"
CLUSTER = "control/cluster"
COORDINATOR = "control/coordinator"
NODES = "control/nodes/"
SESSIONS = "control/sessions/"
SILENCES = "control/silences/"
GROUPS = "control/groups/"
RESOURCES = "control/resources/"
STATUS = "control/status/"
SURVEYS = "control/surveys/"
ANSWERS = "control/answers/"
DEFINITIONS = "definitions/"
EVENTS = "events/"
INPUTS = "inputs/"
