"""What does each setting mean? In a sentence for those who change it; docs/settings.md has the whole story."""

from collections.abc import Mapping

OF_THE_CLUSTER: Mapping[str, str] = {
    "armed": "whether the cluster acts; no: nothing is fenced, moved or restarted by it, for maintenance of the whole",
    "failover_threshold": (
        "failovers of one group within the period before it stays failed; -1: as many as there are other nodes"
    ),
    "failover_period_s": "the period in which failovers of a group are counted",
    "survive_nodes": "so many nodes may be lost at once, and all that should run finds room on the others",
    "reserve": "what happens when the promise of survive_nodes would be broken: a warning, or a refusal",
    "balance": "load balancing: off, when a node joins, or all the time",
    "parallel_moves": "how many groups one node takes in or gives away at once in planned moves",
    "parallel_moves_in_all": "how many groups the whole cluster moves at once in planned moves; 0: no limit",
    "parallel_starts": (
        "how many groups one node brings online at once; 0: twice as many as it has processors, and eight at least"
    ),
    "migration_network": "the network that live migrations go over, as 10.1.0.0/24; empty: the nodes' own",
    "migration_mib_s": "at most so many MiB/s for each live migration; 0: as much as there is",
    "shutdown_drain_s": (
        "how long a machine that is shut down waits for what runs there to be moved away; 0: not at all"
    ),
    "network_delay_s": "for so long a network of guests must have been lost, or back, before that counts",
    "quarantine_threshold": "so many losses of a node within the period quarantine it; 0: never",
    "quarantine_period_s": "the period in which the losses of a node are counted",
    "quarantine_s": "how long a quarantine lasts",
    "most_fenced": (
        "how many nodes may be fenced within the period before an administrator is asked; -1: half of them, and six "
        "at least"
    ),
    "fence_period_s": "the period in which nodes that were fenced are counted",
    "fence_action": "what becomes of a node after its fence devices have proven its death: switched on again, or off",
    "watchdog_strength": "which watchdogs' time counts as proof of death",
    "vote_removal_s": "after so long a node that is proven dead, or a witness that nobody reaches, votes no more",
    "most_voters": "at most so many members of the database vote",
    "events_kept": "length of the event log",
    "backup_interval_s": "how often each node takes a backup of the database by itself; 0: never",
    "backups_kept": "so many of those backups each node keeps",
    "node_timeout_s": "for how long a node may be silent; the other times follow from it",
}
OF_A_GROUP: Mapping[str, str] = {
    "preferred_owners": "nodes in the order in which they are tried first",
    "possible_owners": "the only nodes that may take it; empty: every node",
    "priority": (
        "who is placed, started and drained first; no auto start: after its node's death it stays off until somebody "
        "starts it"
    ),
    "start_after": "groups that it starts after: db, db:answers, db+30 (and 30 s more); several with commas",
    "start_limit_s": "after so long it is started all the same",
    "failover_threshold": "failovers within the period before it stays failed; default: the cluster's",
    "failover_period_s": "the period in which its failovers are counted; default: the cluster's",
    "retry_after_s": "so long after its failovers are spent it is tried once more; 0: never",
    "failback": (
        "when it returns to the node that it left without being asked to: never, now (as soon as that node can take "
        "it), or within a window of hours"
    ),
    "failback_hours": "for the window: from one hour of the day to another, the coordinator's local time",
    "balance": "may load balancing move it: never, live (only when nobody notices), always (by a restart, too)",
    "protected_networks": "the networks whose loss on its node moves it; default: all",
    "offline_action": "how it goes offline when nobody says how, and how it moves when it cannot go live",
}
OF_A_RESOURCE: Mapping[str, str] = {
    "depends_on": "what of its group must be online before it is: disk and (ip1 or ip2)",
    "restart_action": (
        "when it has failed: nothing; restart it where it is; or failover: likewise, and then its group goes to "
        "another node"
    ),
    "restart_threshold": "how often it is restarted where it is within the period; 0: its group goes elsewhere at once",
    "restart_period_s": "the period in which its restarts are counted",
    "restart_delay_s": "how long after its failure it is restarted",
    "retry_after_s": (
        "with restart_action=restart: so long after it failed for good its owner tries it once more; 0: never; -1: as "
        "its group"
    ),
    "on_console_stop": (
        "when it is switched off at its host's console: respect, it is wanted offline from then on; restart, it is "
        "brought online again"
    ),
    "on_guest_shutdown": "likewise, when its guest shuts down by itself",
    "is_alive_interval_s": "how often its plugin is asked whether it is alive",
    "looks_alive_interval_s": "how often the cheap question is asked in between; 0: it is not asked",
    "online_timeout_s": "how long a start may take between two reports of progress",
    "offline_timeout_s": "how long an orderly stop may take; then it is stopped by force",
    "deadlock_timeout_s": (
        "a call of its plugin that takes longer without a word of progress hangs: its host process is replaced"
    ),
    "separate_host": "its plugin runs in a host process of its own",
    "state_dir": "the directory for its saved states, the same storage on every node; empty: beside its first disk",
    "memory_mib": "how much memory it needs of a node",
    "vcpus": "how many virtual processors it needs of a node",
    "heartbeat": "the guest's agent is asked, where the VM has a channel for one",
    "heartbeat_interval_s": "how often the guest's agent is asked",
    "heartbeat_timeout_s": "so long the agent may take to answer",
    "heartbeat_threshold": "so many times in a row no answer and no work, and the guest hangs",
    "on_hang": ("when the guest hangs: report it; or reset the VM, and when that does not help it has failed"),
    "resets": "how often within the period it is reset on one owner; 0: it has failed at once",
    "reset_period_s": "the period in which its resets are counted",
    "on_panic": "when its guest panics: restart, it has failed; keep, it is left as it is",
    "on_io_error": (
        "when a disk's error has paused it: wait; or move: it has failed, when another node sees its disks answer"
    ),
    "io_error_limit_s": "so long that waits",
}
