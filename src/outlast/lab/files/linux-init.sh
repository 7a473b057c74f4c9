#!/bin/busybox sh
# The linux guest's first process. On its serial port it says READY when it is up, and then, like a beacon, who it
# is and how far it has counted. It answers the power button and the guest agent, and is otherwise idle. While /run/still
# is there it does nothing at all: so a guest looks that hangs.
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

# What the guest agent calls to shut down.
mkdir -p /sbin
printf '#!/bin/sh\nsync\nexec poweroff -f\n' >/sbin/shutdown
chmod +x /sbin/shutdown

# Whatever comes from the power button means "shut down".
(
    button=
    while [ -z "$button" ]; do
        for input in /sys/class/input/event*; do
            [ "$(cat "$input/device/name")" != "Power Button" ] || button=/dev/input/${input##*/}
        done
        [ -n "$button" ] || sleep 0.1
    done
    exec 3<"$button"
    : >/run/listening   # a press that comes before the button is open is lost
    head -c 24 <&3 >/dev/null
    echo "$name SHUTDOWN" >/dev/console
    sync
    poweroff -f
) 2>/dev/null &

# The agent's port gets its name a moment after it appears; a VM without an agent never has one.
(
    agent= tries=0
    while [ -z "$agent" ] && [ $tries -lt 50 ]; do
        for port in /sys/class/virtio-ports/*; do
            [ "$(cat "$port/name")" != org.qemu.guest_agent.0 ] || agent=/dev/${port##*/}
        done
        tries=$((tries + 1))
        [ -n "$agent" ] || sleep 0.1
    done
    [ -z "$agent" ] || exec qemu-ga --method=virtio-serial --path="$agent" --statedir=/run
) >/dev/null 2>&1 &

tries=0
while [ ! -e /run/listening ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done

boot=$(tr -d - </proc/sys/kernel/random/boot_id | head -c 8 | tr a-f A-F)
exec >/dev/console 2>&1
echo "$name READY $boot"
mkfifo /run/never
exec 9<>/run/never
beat=0
while :; do
    while [ -e /run/still ]; do read -r -t 1 nothing <&9; done
    line=$(printf '%s %s %08X' "$name" "$boot" $beat)
    echo "$line"
    [ ! -b /dev/vda ] || echo "$line" >/dev/vda
    beat=$((beat + 1))
    read -r -t 1 nothing <&9
done
