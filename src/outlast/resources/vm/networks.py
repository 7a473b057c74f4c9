"""What does one of libvirt's networks amount to on this node: a bridge, or devices that its guests sit on?"""

from typing import Any
from xml.etree import ElementTree

import libvirt

from outlast.plugin import Json


def problem(conn: Any, name: str) -> str:
    """Why there is no such network here, for people; "" when there is."""
    try:
        active = conn.networkLookupByName(name).isActive()
    except libvirt.libvirtError:
        return f'the libvirt network "{name}" does not exist'
    return "" if active else f'the libvirt network "{name}" is not started'


def place_of(conn: Any, name: str) -> Json:
    """Its links, or why there is none; as `model/network.py` `Place` has it."""
    why = problem(conn, name)
    return {"problem": why} if why else {"links": links_of(conn.networkLookupByName(name).XMLDesc(0))}


def links_of(xml: str) -> list[str]:
    """Any of them will do. Of a network whose guests own the device itself there is none to be watched."""
    root = ElementTree.fromstring(xml)
    bridge = root.find("bridge")
    if bridge is not None and bridge.get("name"):
        return [str(bridge.get("name"))]
    forward = root.find("forward")
    if forward is None or forward.get("mode") == "hostdev":
        return []
    found = [str(one.get("dev")) for one in forward.iterfind("interface") if one.get("dev")]
    return found or ([str(forward.get("dev"))] if forward.get("dev") else [])
