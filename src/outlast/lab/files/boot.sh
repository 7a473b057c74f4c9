#!/bin/sh
# Powers a node on. Started by the lab (lab/node.py) with these in its environment:
#   LAB NODE        directories of the lab and of the node
#   NAME ADDRESS    of the node
#   CGROUP          the node's cgroup; joined before anything else, so that nothing of the node is ever outside it
#   NET             the lab's network namespace, where the bridge is
#   DEVICES         of the host, to be seen in the node as well
#   KEEP            directories under /var or /etc that the node must see as the host does, one per line
set -eu

if [ "${1:-}" != inside ]; then
    echo $$ >"$CGROUP/cgroup.procs"
    # A power cut takes a moment to be cleaned up by the kernel; the old plug may still be in the switch.
    nsenter --net="$NET" ip link delete "$NAME" 2>/dev/null || true
    exec unshare --mount --net --uts --ipc --pid --fork /bin/sh "$0" inside
fi

# /proc is still the host's: our process id as the host counts is in it.
read -r pid rest </proc/self/stat
echo "$pid" >"$NODE/init.new"
mv "$NODE/init.new" "$NODE/init"

# The cable: one end is plugged in here ("1" is this process), the other into the switch. The card is the same after
# each boot, as a machine's is: others still know its address, and would wait for an answer of the former one.
mac=$(printf '02:00:00:00:00:%02x' "${ADDRESS##*.}")
link=up
[ ! -e "$NODE/unplugged" ] || link=down
nsenter --net="$NET" ip -batch - <<END
link add name $NAME type veth peer name eth0 address $mac netns 1
link set $NAME master br0 $link
END

# Held by us, the network of any lab would outlive it.
for net in "${LAB%/*}"/*/net; do
    umount "$net" 2>/dev/null || true
done

# Own disk: /etc and /var. What is shared is mounted below them first, and comes along.
mount --bind "$LAB" "$NODE/var${LAB#/var}"
mount -t tmpfs -o mode=755 tmpfs "$NODE/var${LAB#/var}/nodes"   # other nodes' disks are none of our business
echo "$KEEP" | while read -r keep; do
    if [ -n "$keep" ] && [ -d "$keep" ]; then
        mkdir -p "$NODE$keep"
        mount --rbind "$keep" "$NODE$keep"
    fi
done

# Own devices. Not /dev/kvm, unless asked for: it may exist and yet run no stock guest, and libvirt's knowledge of
# KVM depends on the processor that it happened to run on, so that it would probe QEMU again (1.3 s) half the time.
mkdir -p "$NODE/dev"
mount -t tmpfs -o mode=755,nosuid tmpfs "$NODE/dev"
for device in null zero full random urandom tty fuse net/tun $DEVICES; do
    if [ -e "/dev/$device" ]; then
        mkdir -p "$(dirname "$NODE/dev/$device")"
        touch "$NODE/dev/$device"
        mount --bind "/dev/$device" "$NODE/dev/$device"
    fi
done
mknod -m 666 "$NODE/dev/ptmx" c 5 2
mkdir "$NODE/dev/pts" "$NODE/dev/shm"
mount --bind /dev/pts "$NODE/dev/pts"   # the host's: a shell in here keeps its terminal
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$NODE/dev/shm"
ln -s /proc/self/fd "$NODE/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${number%:*}" "$NODE/dev/${number#*:}"
done

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mkdir -p /run/lock /run/outlast-lab
mount --bind "$NODE/board" /run/outlast-lab
mount --rbind "$NODE/dev" /dev
mount --rbind "$NODE/etc" /etc
mount --rbind "$NODE/var" /var
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys

hostname "$NAME"
ip -batch - <<END
link set lo up
address add $ADDRESS/24 dev eth0
link set eth0 up
END

mkdir -p /run/service
cp -r /etc/outlast-lab/services/. /run/service/
unset LAB NODE CGROUP NET DEVICES KEEP
exec s6-svscan /run/service
