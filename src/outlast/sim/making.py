"""What do administrators of random worlds make, change and unmake while it plays? Rules, groups, resources, where nodes
stand, what the cluster promises.
"""

from outlast.sim.hands import Hand, Lines


def makes_a_rule(hand: Hand) -> Lines:
    """And has done with it later: switched off, on again, deleted."""
    dice, name = hand.dice, f"late{hand.number}"
    groups = ",".join(dice.sample(hand.groups, min(len(hand.groups), 2)))
    line = f"admin {hand.by} rule.add name={name} groups={groups},"
    if dice.random() < 0.25:
        line += f" kind=on nodes={hand.node},"
    else:
        line += f" kind={dice.choice(('same', 'different', 'different'))}"
        line += dice.choice(("", "", " domain=rack", " domain=site"))
    lines = [(0.0, line + (" hard=true" if dice.random() < 0.5 else ""))]
    at_s = 0.0
    for verb in dice.choice((("disable", "enable"), ("disable",), ("delete",), ("disable", "delete"), ())):
        at_s += hand.some_s()
        lines.append((at_s, f"admin {hand.by} rule.{verb} name={name}"))
    return lines


def moves_a_node_to_another_rack(hand: Hand) -> Lines:
    what = hand.dice.choice(("rack=r1", "rack=r2", "site=s1", "site=s2", "rack="))
    return [(0.0, f"admin {hand.by} node.set name={hand.node} values.{what}")]


def sets_the_cluster(hand: Hand) -> Lines:
    words = ["parallel_moves=1", "parallel_moves=3"]
    if hand.memory:
        words += ["survive_nodes=1", "survive_nodes=1", "survive_nodes=0", "reserve=refuse", "reserve=warn"]
    return [(0.0, f"admin {hand.by} cluster.set values.{hand.dice.choice(words)}")]


def makes_a_group(hand: Hand) -> Lines:
    """With something in it, and takes it away again."""
    dice, name = hand.dice, f"new{hand.number}"
    parts = [f"{name}-{part}" for part in ("disk", "web")[: dice.randint(1, 2)]]
    admin = f"admin {hand.by}"
    priority = dice.choice(("", "", " values.priority=high", " values.priority=low"))
    lines = [(0.0, f"{admin} group.create name={name}{priority}")]
    lines += [(0.5, f"{admin} resource.create name={part} type=sim group={name}{_size(hand)}") for part in parts]
    lines.append((1.0, f"{admin} group.online name={name}"))
    if dice.random() < 0.7:
        off_s = 1.0 + hand.some_s()
        lines.append((off_s, f"{admin} group.offline name={name}"))
        lines.append((off_s + hand.some_s(), f"{admin} group.delete name={name} with_resources=true"))
    return lines


def makes_a_resource(hand: Hand) -> Lines:
    """In a group that is there already."""
    if not hand.apps:
        return []
    name, admin = f"more{hand.number}", f"admin {hand.by}"
    group = hand.dice.choice(hand.apps)
    lines = [(0.0, f"{admin} resource.create name={name} type=sim group={group}{_size(hand)}")]
    if hand.dice.random() < 0.6:
        off_s = hand.some_s()
        lines.append((off_s, f"{admin} resource.offline name={name}"))
        lines.append((off_s + hand.some_s(), f"{admin} resource.delete name={name}"))
    return lines


def _size(hand: Hand) -> str:
    return f" values.memory_mib={hand.dice.choice((256, 512, 1024))}" if hand.memory else ""
