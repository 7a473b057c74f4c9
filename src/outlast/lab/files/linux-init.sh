#!/bin/busybox sh
# The linux guest's first process. On its serial port it says READY when it is up, and then, like a beacon, who it
# is and how far it has counted. It answers the power button and the guest agent, and is otherwise idle.
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /var/run
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module; done

name=guest
for word in $(cat /proc/cmdline); do
    case $word in outlast.name=*) name=${word#*=} ;; esac
done
hostname "$name"

# The only input device is the power button: whatever comes from it means "shut down".
(
    until [ -e /dev/input/event0 ]; do sleep 0.1; done
    head -c 24 /dev/input/event0 >/dev/null
    echo "$name SHUTDOWN" >/dev/console
    sync
    poweroff -f
) &

(
    agent=
    for port in /sys/class/virtio-ports/*; do
        [ -e "$port/name" ] && [ "$(cat "$port/name")" = org.qemu.guest_agent.0 ] && agent=/dev/${port##*/}
    done
    [ -z "$agent" ] || exec qemu-ga --method=virtio-serial --path="$agent" --statedir=/run
) >/dev/null 2>&1 &

boot=$(tr -d - </proc/sys/kernel/random/boot_id | head -c 8 | tr a-f A-F)
exec >/dev/console 2>&1
echo "$name READY $boot"
mkfifo /run/never
exec 9<>/run/never
beat=0
while :; do
    line=$(printf '%s %s %08X' "$name" "$boot" $beat)
    echo "$line"
    [ ! -b /dev/vda ] || echo "$line" >/dev/vda
    beat=$((beat + 1))
    read -r -t 1 nothing <&9
done
