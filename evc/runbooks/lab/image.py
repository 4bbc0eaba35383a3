"""The image of a lab node: a Debian machine with sshd, Docker, Python and cron, nothing else.

No systemd: one script starts the services and starts each again when it dies. What differs from
node to node (login, key, sudo password, host keys) is never in the image: the script makes it at
the container's first start from `/etc/evc-lab`, and empties that folder.
"""

from __future__ import annotations

from evc.doors.docker import Say
from evc.runbooks import base_images

LOGIN_FOLDER = "etc/evc-lab"

# Without a message of the day, for which each login would run four programs.
DOCKERFILE = """FROM {debian}
RUN printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \\
 && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
    ca-certificates cron docker.io iproute2 iptables openssh-server procps python3 sudo tini \\
 && rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d /etc/update-motd.d/* \\
 && rm -f /etc/ssh/ssh_host_* && : > /etc/machine-id
COPY evc-lab-node /usr/local/sbin/evc-lab-node
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/sbin/evc-lab-node"]
"""

# Restarts are spaced by a second: a service that cannot start must not eat the machine.
ENTRY = r"""#!/bin/sh
# Services of a lab node. Arguments: login user, SSH port, sudo (root, password or free),
# engine (engine or no-engine), then the name servers of the machine that the lab runs on.
user=$1 port=$2 sudo=$3 engine=$4
shift 4
login=/etc/evc-lab

# What a machine gets once. Any step may have been cut off: each may run again.
first_start() {
    [ -s /etc/machine-id ] || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
    for kind in ed25519 ecdsa; do  # an RSA key takes seconds of a small machine
        file=/etc/ssh/ssh_host_${kind}_key
        [ -s "$file" ] || ssh-keygen -q -t $kind -N '' -f "$file"
    done
    printf 'Port %s\nPasswordAuthentication no\n' "$port" > /etc/ssh/sshd_config.d/lab.conf
    [ "$user" = root ] || id "$user" > /dev/null 2>&1 || useradd -m -s /bin/bash -G sudo "$user"
    home=$(getent passwd "$user" | cut -d: -f6)
    install -d -o "$user" -g "$user" -m 700 "$home/.ssh"
    install -o "$user" -g "$user" -m 600 $login/authorized_keys "$home/.ssh/authorized_keys"
    [ "$sudo" != free ] || echo "$user ALL=(ALL) NOPASSWD: ALL" > "/etc/sudoers.d/lab-$user"
    [ "$sudo" != password ] || chpasswd < $login/password
    rm -rf $login
}

# Docker's own name server lives on this node's loopback, where containers inside cannot ask it,
# and Docker writes its address again at each connect: in a file that is unmounted here.
name_servers() {
    [ $# -gt 0 ] || return
    umount /etc/resolv.conf
    printf 'nameserver %s\n' "$@" > /etc/resolv.conf
}

# Containers inside are counted, paused and killed with the node, as on a machine: their control
# groups lie below the node's own.
own_group() {
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        group=$(sed -n 's/^0:://p' /proc/self/cgroup)
        folder=/sys/fs/cgroup$group
        mkdir -p "$folder/services"
        # Version 2 hands controllers down only from a group that holds no process itself.
        while read -r pid; do echo "$pid" > "$folder/services/cgroup.procs"; done \
            < "$folder/cgroup.procs"
        sed 's/^/+/; s/ / +/g' "$folder/cgroup.controllers" > "$folder/cgroup.subtree_control" ||
            group=
    else
        group=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    fi
    echo "$group/containers"
}

keep() {
    while :; do
        "$@"
        sleep 1
    done
}

run_engine() {
    rm -f /run/docker.pid /run/docker.sock
    # What containerd asks before it believes that AppArmor's tools are here.
    container=docker dockerd --cgroup-parent "$parent" >> /var/log/dockerd.log 2>&1
}

halt() {
    trap '' TERM
    kill -TERM 0
    while pidof dockerd > /dev/null; do sleep 0.1; done
    exit 0
}

mkdir -p /run/sshd
# As systemd does on a machine: whose programs the kernel emulates is asked there.
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2> /dev/null
[ ! -d $login ] || first_start
name_servers "$@"
trap halt TERM
keep /usr/sbin/sshd -D &
keep cron -f &
if [ "$engine" = engine ]; then
    parent=$(own_group)
    keep run_engine &
fi
wait
"""


def image(say: Say) -> str:
    """The name of the node image on this machine's engine, made when it is not there."""
    dockerfile = DOCKERFILE.format(debian=base_images.debian(say))
    return base_images.image("evc-lab-node", dockerfile, say, {"evc-lab-node": ENTRY})
