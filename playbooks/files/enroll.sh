#!/bin/sh
# The first boot of an EVC node that nobody can dial: run once, as root, on that machine. Again is
# the same as once. It holds a secret that works once and not for long: keep it to yourself.
set -eu
umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

name=@name@
fleet=@fleet@
adopt=@adopt@
token=@token@
host=@host@
port=@port@
tunnel_port=@tunnel_port@
home=/var/lib/evc
tunnel=$home/tunnel

fail() {
    echo "evc: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail 'run this as root'
for program in ssh ssh-keygen python3 useradd flock; do
    command -v $program > /dev/null || fail "$program is missing on this machine: install it first"
done
found=$(cat $home/fleet 2> /dev/null || true)
[ "${found:-$fleet}" = "$fleet" ] || [ "$adopt" = yes ] ||
    fail "this machine belongs to the fleet $found: \`evc node enroll --adopt\` takes it over"

settings=$(sshd -T 2> /dev/null || true)
sshd_port=$(echo "$settings" | awk '$1 == "port" { print $2; exit }')
host_keys=$(echo "$settings" | awk '$1 == "hostkey" { print $2 ".pub" }' | while read -r one; do
    [ ! -r "$one" ] || cat "$one"
done)
[ -n "$host_keys" ] || fail 'sshd shows no host key here: install openssh-server first'

# EVC's own account, as registration makes it. Membership of the docker group equals root.
getent passwd evc > /dev/null ||
    useradd --system --user-group --home-dir $home --shell /bin/sh --password '*' evc
! getent group docker > /dev/null || usermod -a -G docker evc
install -d -o evc -g evc -m 0750 $home
install -d -o evc -g evc -m 0700 $home/.ssh $tunnel
install -d -o root -g root -m 0755 /etc/docker
install -d -o root -g evc -m 2775 /etc/docker/certs.d
printf '%s\n' @evc_key@ > $home/.ssh/authorized_keys
printf '%s\n' @host_line@ > $tunnel/known_hosts
[ -e $tunnel/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C "evc-tunnel $name" -f $tunnel/id_ed25519
chown evc:evc $home/.ssh/authorized_keys $tunnel/*

# One connection for as long as it lasts; what keeps it alive comes below.
cat > /usr/local/sbin/evc-tunnel << END
#!/bin/sh
# EVC: this machine's SSH port on the loopback of $host. Its key can open nothing else there.
exec ssh -N -T -F /dev/null -i $tunnel/id_ed25519 -p $port \\
    -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=15 -o ExitOnForwardFailure=yes \\
    -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o StrictHostKeyChecking=yes \\
    -o UserKnownHostsFile=$tunnel/known_hosts -o GlobalKnownHostsFile=/dev/null \\
    -R 127.0.0.1:$tunnel_port:127.0.0.1:${sshd_port:-22} evc-tunnel@$host
END
cat > /usr/local/sbin/evc-leave << 'END'
#!/bin/sh
# EVC: take everything of it off this machine, but for containers. Run as root.
[ ! -d /run/systemd/system ] || systemctl disable --now evc-tunnel evc-watch
rm -f /etc/systemd/system/evc-tunnel.service /etc/systemd/system/evc-watch.service
rm -f /etc/cron.d/evc-tunnel /etc/cron.d/evc-watch /usr/local/sbin/evc-tunnel
pkill -u evc
rm -rf /var/lib/evc
userdel -f evc
rm -f /usr/local/sbin/evc-leave
END
chmod 755 /usr/local/sbin/evc-tunnel /usr/local/sbin/evc-leave

# The token goes through standard input: nobody reads it among the processes.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' @enroll_key@ > "$work/key"
present() {
    printf '%s\n' "$token" "$(cat $tunnel/id_ed25519.pub)" "$host_keys" |
        ssh -T -F /dev/null -i "$work/key" -p "$port" -o BatchMode=yes -o IdentitiesOnly=yes \
            -o ConnectTimeout=15 -o ServerAliveInterval=15 -o StrictHostKeyChecking=yes \
            -o UserKnownHostsFile=$tunnel/known_hosts -o GlobalKnownHostsFile=/dev/null \
            "evc-tunnel@$host" enroll
}
if [ "$(cat $tunnel/enrolled 2> /dev/null || true)" != @enrolment@ ]; then
    present > "$work/said" 2>&1 || {
        cat "$work/said" >&2
        grep -q '^evc: ' "$work/said" ||
            echo 'evc: refused: this script was used or taken back, or the host cannot be reached' >&2
        fail "$name is not enrolled"
    }
    printf '%s\n' @enrolment@ > $tunnel/enrolled
fi

if [ -d /run/systemd/system ]; then
    printf '%s\n' @watch_service@ > /etc/systemd/system/evc-watch.service
    printf '%s\n' @tunnel_service@ > /etc/systemd/system/evc-tunnel.service
    chmod 644 /etc/systemd/system/evc-watch.service /etc/systemd/system/evc-tunnel.service
    systemctl daemon-reload
    systemctl enable --now evc-watch evc-tunnel
    systemctl restart evc-tunnel
else
    printf '%s\n' @watch_cron@ > /etc/cron.d/evc-watch
    printf '%s\n' @tunnel_cron@ > /etc/cron.d/evc-tunnel
    chmod 644 /etc/cron.d/evc-watch /etc/cron.d/evc-tunnel
    # Not only from the next minute on: the same line, run now.
    start=$(sed -n 's/^\* \* \* \* \* evc //p' /etc/cron.d/evc-tunnel)
    setsid runuser -u evc -- sh -c "$start" > /dev/null 2>&1 < /dev/null &
fi

echo "$name is enrolled. Its host key, to compare when it is accepted:"
printf '%s\n' "$host_keys" > "$work/host_keys"
ssh-keygen -lf "$work/host_keys"
echo "On the controller: evc node accept $name"
