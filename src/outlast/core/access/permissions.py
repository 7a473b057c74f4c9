"""May this account ask for that? One table: what each verb needs; and the judgement by it.

A verb that is missing here may be asked by nobody from outside (a test sees to it that none is).
"""

import enum
from collections.abc import Callable, Mapping

import msgspec

from outlast.model.access import Account, Role
from outlast.model.health import Json


class Scope(enum.Enum):
    CLUSTER = "cluster"
    """It is about more than one group: whose role counts for some groups only has no say."""
    GROUP = "group"
    """Its argument `name` is a group, or a resource of one."""
    OWN = "own"
    """Everybody may, where the argument `name` is their own."""


class Need(msgspec.Struct, frozen=True):
    role: Role
    scope: Scope = Scope.CLUSTER
    changes: bool = True
    """It goes into the audit log."""


READ = Need(Role.VIEWER, changes=False)
_OPERATE = Need(Role.OPERATOR)
_OPERATE_GROUP = Need(Role.OPERATOR, Scope.GROUP)
_ADMINISTER = Need(Role.ADMINISTRATOR)
_ADMINISTRATOR_READS = Need(Role.ADMINISTRATOR, changes=False)

_LOOKS = (
    "status follow events events.follow type.list type.verify type.show node.list node.show node.outlook node.wait "
    "node.load group.list group.show group.wait group.would resource.list resource.show resource.wait resource.would "
    "vm.list vm.show vm.group vm.probe_list explain.group explain.vm explain.node explain.replay "
    "cluster.show cluster.settings group.settings resource.settings "
    "cluster.unprovable cluster.would_set cluster.backups balance.look rule.list rule.show "
    "what_if.node_down fence.agents fence.describe fence.list fence.show validate quorum.show quorum.forecast "
    "volume.list volume.show volume.images volume.image volume.wait notice.list notice.show metrics"
)
_GROUP_OPERATIONS = (
    "group.online group.offline group.move group.call_back group.lock group.unlock group.maintenance "
    "resource.online resource.offline resource.fail resource.maintenance vm.screen"
)
_OPERATIONS = "node.pause node.drain node.resume node.release balance.run vm.check fence.test notice.test"
_ADMINISTRATION = (
    "type.restart node.confirm_down node.fence node.set node.evict group.set group.create group.delete resource.set "
    "resource.create resource.delete vm.probe_add vm.probe_delete vm.protect vm.unprotect cluster.set cluster.release "
    "cluster.token cluster.revoke cluster.backup cluster.restore cluster.confirm_ownership rule.add rule.delete "
    "rule.enable rule.disable fence.add fence.set fence.delete quorum.force volume.add volume.set volume.remove "
    "volume.create volume.resize volume.delete volume.snapshot user.create user.set user.delete token.create "
    "token.delete notice.add notice.set notice.delete user.sign_out sign_in.set sign_in.grant "
    "sign_in.revoke sign_in.delete"
)
NEEDS: Mapping[str, Need] = {
    **dict.fromkeys(_LOOKS.split(), READ),
    **dict.fromkeys(_GROUP_OPERATIONS.split(), _OPERATE_GROUP),
    **dict.fromkeys(_OPERATIONS.split(), _OPERATE),
    **dict.fromkeys(_ADMINISTRATION.split(), _ADMINISTER),
    **dict.fromkeys(
        ("cluster.tokens", "user.list", "user.show", "token.list", "audit.list", "sign_in.list"), _ADMINISTRATOR_READS
    ),
    "user.passwd": Need(Role.ADMINISTRATOR, Scope.OWN),
}
NODE_ONLY: Mapping[str, str] = {
    "node.leave": "a machine is taken out of the cluster on that machine: outlast cluster leave",
    "node.leaving": "it belongs to `outlast cluster leave`, which runs on the machine that leaves",
}
"""What is asked on the node alone, and why."""
_RANK = {role: rank for rank, role in enumerate(Role)}


def why_not(account: Account, verb: str, arguments: Mapping[str, Json], group_of: Callable[[str], str]) -> str:
    """Why the account may not ask for that; "" when it may. `group_of`: of a resource; "" when
    there is none of that name."""
    if verb in NODE_ONLY:
        return f"{verb} is not for the network: {NODE_ONLY[verb]}"
    need = NEEDS.get(verb)
    if need is None:
        return f'there is no verb "{verb}" that could be asked from outside'
    name = str(arguments.get("name", ""))
    if need.scope is Scope.OWN and name == account.name:
        return ""
    if _RANK[account.role] < _RANK[need.role]:
        return f"{verb} takes the role {need.role.value}; {account.name} is {article(account.role)}"
    if not account.groups or need.role is Role.VIEWER:
        return ""
    if need.scope is Scope.GROUP and (name in account.groups or group_of(name) in account.groups):
        return ""
    there = ", ".join(account.groups)
    return f"{verb}: {account.name} is {article(account.role)} for {there} only, and a viewer of everything else"


def article(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role.value}"


def why_no_role(role: Role, groups: tuple[str, ...]) -> str:
    """Why these do not go together; "" when they do."""
    if not groups or role is Role.OPERATOR:
        return ""
    if role is Role.VIEWER:
        return "a viewer sees everything: there are no groups to limit it to"
    return (
        "an administrator defines what runs, which is as good as root on every node: it cannot be limited to groups; "
        "make it an operator"
    )
