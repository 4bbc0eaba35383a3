"""EVC's agent on a node: it samples into a ring on disk; a reader takes from there what it lacks.

    evc_agent.py once                                     print one sample
    evc_agent.py sample [--interval 5] [--bytes 67108864] [--no-containers]
                                                          sample for ever; a second one ends at once
    evc_agent.py follow [--after POSITION] [--holes] [--minutes] [--zip]
                                                          print what a reader at POSITION lacks;
                                                          only in its holes; by minutes; compressed

One file of plain Python >= 3.8, standard library only; what is rarely needed is imported late.
"""

import binascii
import contextlib
import errno
import fcntl
import json
import os
import re
import select
import signal
import sys
import threading
import time

FORMAT = 1
HOME = os.environ.get("EVC_NODE_HOME", "/var/lib/evc")
SOCKET = os.environ.get("EVC_DOCKER_SOCKET", "/var/run/docker.sock")
RING_BYTES, SEGMENT_BYTES, CHUNK_BYTES = 64 * 1024 * 1024, 1024 * 1024, 32 * 1024
LINE_BYTES = 256 * 1024
EVENT_BYTES = 128 * 1024  # in one sample
ANSWER_BYTES = 8 * 1024 * 1024  # from the engine
LOG_TAILS = (200, 5000)  # log entries asked for; the second when there are more than the first
MAX_HOLES = 50
LEAP = 1000  # more numbers than a power cut can take back
MINUTE = 60.0
HELLO_SECONDS = 3600.0  # clocks drift


# Parsers: text in, plain values out; they raise ValueError or LookupError on nonsense.


def cpu_times(text):
    """{"cpu": (idle, all), "cpu0": …} in clock ticks, of /proc/stat (proc_stat(5))."""
    times = {}
    for line in text.split("\n"):
        if not line.startswith("cpu"):
            break
        name, *ticks = line.split()
        ticks = [int(tick) for tick in ticks[:8]]  # guest time is part of user time
        times[name] = (ticks[3], sum(ticks))
    return times


def cpu_idle(before, after):
    """Idle %, overall and by core, between two `cpu_times`; None for a core that is off."""
    shares = {}
    for name, (idle, total) in after.items():
        idle_before, total_before = before.get(name, (idle, total))
        if total > total_before:
            share = 100.0 * (idle - idle_before) / (total - total_before)
            shares[name] = round(min(100.0, max(0.0, share)), 1)  # idle ticks can run backwards
    cores = max((int(name[3:]) + 1 for name in after if name != "cpu"), default=0)
    return {
        "idle": shares.get("cpu"),
        "cores": [shares.get("cpu%d" % core) for core in range(cores)],
    }


def load(text):
    """Load over 1, 5 and 15 minutes, of /proc/loadavg."""
    one, five, fifteen = text.split()[:3]
    return [float(one), float(five), float(fifteen)]


def memory(text):
    """Memory used in %, memory and swap in bytes, of /proc/meminfo."""
    lines = [line.split() for line in text.splitlines()]
    size = {words[0]: int(words[1]) * 1024 for words in lines if len(words) > 1}
    total, available, swap = size["MemTotal:"], size["MemAvailable:"], size.get("SwapTotal:", 0)
    return {
        "used": round(100.0 * (total - available) / total, 1) if total else None,
        "total": total,
        "available": available,
        "swap_total": swap,
        "swap_used": swap - size.get("SwapFree:", 0),
    }


def network(text):
    """{interface: (bytes received, bytes sent)} of /proc/net/dev."""
    lines = [line.rpartition(":") for line in text.splitlines()[2:]]
    words = {name.strip(): numbers.split() for name, colon, numbers in lines if colon}
    return {name: (int(found[0]), int(found[8])) for name, found in words.items()}


def default_route(text):
    """The interfaces with a default route, of /proc/net/route."""
    lines = [line.split() for line in text.splitlines()[1:]]
    return {words[0] for words in lines if len(words) > 7 and words[1] == words[7] == "00000000"}


def disk_io(text):
    """{disk: (bytes read, bytes written, ms busy)} of /proc/diskstats (sectors of 512 bytes)."""
    lines = [line.split() for line in text.splitlines()]
    return {
        words[2]: (int(words[5]) * 512, int(words[9]) * 512, int(words[12]))
        for words in lines
        if len(words) > 12
    }


def rates(before, after, seconds):
    """Counters by name as a second's rates; one that became smaller began anew at zero."""

    def rate(then, now):
        return round((now - then if now >= then else now) / seconds, 1)

    return {
        name: tuple(map(rate, before[name], counters))
        for name, counters in after.items()
        if name in before
    }


def real_mounts(text, is_folder=lambda mount: True):
    """The mount point of each file system on a disk, of /proc/mounts (fstab(5)), and `/`."""
    mounts = {}
    for line in text.splitlines():
        device, mount, kind = line.split()[:3]
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code.group(1), 8)), mount)
        real = mount == "/" or device.startswith("/dev/") or kind == "zfs"
        passing = device.startswith("/dev/loop") or kind in ("squashfs", "iso9660", "devtmpfs")
        shortest = len(mount) <= len(mounts.get(device, mount))
        if real and not passing and shortest and is_folder(mount):
            mounts[device] = mount  # not a container's /etc/hosts, which is a file on a disk
    return sorted(mounts.values())


def mount_of(path, mounts):
    """The mount point that `path` lies on."""
    above = [mount for mount in mounts if (path + "/").startswith(mount.rstrip("/") + "/")]
    return max(above, key=len, default="")


def degrees(text):
    """°C of a thermal zone or hwmon input, which are in thousandths."""
    return round(int(text) / 1000.0, 1)


def throttling(text):
    """A Raspberry Pi's get_throttled: hexadecimal, `now` in bits 0 to 3, since boot in 16 to 19."""
    flags = int(text, 16)
    names = ("under-voltage", "frequency-capped", "throttled", "soft-temperature-limit")
    return {
        "now": [name for bit, name in enumerate(names) if flags >> bit & 1],
        "since_boot": [name for bit, name in enumerate(names) if flags >> bit + 16 & 1],
    }


NVIDIA_QUERY = "index,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw"


def nvidia(line):
    """{index: figures} of a line of `nvidia-smi --format=csv,noheader,nounits`; MiB become bytes.

    A figure the driver does not give ("[N/A]", "[Not Supported]") is left out.
    """
    index, name, *words = [word.strip() for word in line.split(",")]
    numbers = [float(word) if re.fullmatch(r"\d+(\.\d+)?", word) else None for word in words]
    used, memory_used, memory_total, temperature, power = numbers
    found = {
        "name": name,
        "used": used,
        "memory_used": memory_used and int(memory_used * 1024 * 1024),
        "memory_total": memory_total and int(memory_total * 1024 * 1024),
        "temperature": temperature,
        "power": power,
    }
    return {str(int(index)): {key: value for key, value in found.items() if value is not None}}


def tegrastats(line):
    """{"0": figures} of a line of a Jetson's tegrastats; its GPU shares the machine's memory."""
    patterns = {
        "used": r"GR3D_FREQ (\d+)%",
        "temperature": r"\b(?:GPU|gpu)@(-?[\d.]+)C",
        "power": r"\b(?:VDD_GPU\w*|VDD_SYS_GPU|POM_5V_GPU|VDD_CPU_GPU_CV) (\d+)(?:mW)?/",
    }
    matches = {key: re.search(pattern, line) for key, pattern in patterns.items()}
    found = {key: float(match.group(1)) for key, match in matches.items() if match}
    if "power" in found:
        found["power"] = round(found["power"] / 1000.0, 2)
    return {"0": dict(found, name="Tegra")} if found else {}


def frames(data):
    """[(stream, text)] of an engine's log: 1 byte stream, 3 zero, 4 big-endian length."""
    found, start = [], 0
    while start + 8 <= len(data):
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
        if end <= len(data):
            found.append((data[start], data[start + 8 : end].decode("utf-8", "replace")))
        start = end
    return found


def nanoseconds(stamp):
    """Since the epoch, of an engine's RFC 3339 time in UTC."""
    import datetime

    parts = re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", stamp)
    if not parts:
        raise ValueError("not a time in UTC: %.40r" % stamp)
    moment = datetime.datetime(*map(int, parts.groups()[:6]), tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 10**9 + int((parts.group(7) or "0").ljust(9, "0"))


def event(text):
    """(the JSON object with an "event" that a container printed as one line, its size) or None."""
    try:
        found = json.loads(text) if text.startswith("{") else None
        size = len(json.dumps(found, allow_nan=False))
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(found, dict) and isinstance(found.get("event"), str)
    return (found, size) if is_event else None


def container(entry, detail):
    """What there is to say of a container, of its list entry and its inspection."""
    state, labels = detail["State"], entry["Labels"]
    return {
        "model": labels["evc.model"],
        "release": labels.get("evc.release", ""),
        "digest": labels.get("evc.digest", ""),
        "state": state["Status"],
        "health": (state.get("Health") or {}).get("Status", ""),
        "restarts": detail["RestartCount"],
        "started": state["StartedAt"],
    }


def usage(stats):
    """(nanoseconds of CPU, bytes of memory or None) of an engine's stats of one container."""
    used = stats["memory_stats"].get("usage")
    if used is not None:  # as Docker's own client: without the cache that can be dropped
        detail = stats["memory_stats"].get("stats") or {}
        used -= detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return stats["cpu_stats"]["cpu_usage"]["total_usage"], used


# The ring. A line is a checksum (CRC-32 of the JSON text, 8 hexadecimal digits), a space and
# {"seq":N,"boot":ID,"up":SECONDS,"time":SECONDS,"sample":{…}}. A segment is a file of lines whose
# numbers begin with its name. Numbers only grow, and never come again: each start of the sampler
# leaps over those that a power cut may have taken back, and marks its first line "start":true.


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def uptime():
    """CLOCK_BOOTTIME in seconds: it goes on through sleep and knows no clock change."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def record(seq, boot, start, body):
    """One line of the ring, `body` the text of a JSON object."""
    head = (seq, boot.encode(), b'"start":true,' if start else b"", body[1:])
    text = b'{"seq":%d,"boot":"%s",%s%s' % head
    return b"%08x %s\n" % (binascii.crc32(text), text)


def records(data):
    """Yield (number, JSON text, offset behind it) of each whole, undamaged line."""
    start, end = 0, data.find(b"\n")
    while end >= 0:
        text = data[start + 9 : end]
        if data[start : start + 9] == b"%08x " % binascii.crc32(text) and text[:7] == b'{"seq":':
            yield int(text[7 : text.index(b",")]), text, end + 1
        start, end = end + 1, data.find(b"\n", end + 1)


def last_record(data):
    last = None
    for one in records(data):
        last = one
    return last


def segments(folder):
    """[(first number, path)] in the ring's order."""
    names = [name for name in os.listdir(folder) if re.fullmatch(r"\d{16}\.log", name)]
    return [(int(name[:16]), os.path.join(folder, name)) for name in sorted(names)]


def newest(folder):
    """(number, JSON text) of the last whole line, or None."""
    for _, path in reversed(segments(folder)):
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            last = last_record(file.read())
            if last:
                return last[:2]
    return None


class Ring:
    """The one writer of a folder of segments, of at most `limit` bytes together."""

    def __init__(self, folder, boot, limit=RING_BYTES, segment=SEGMENT_BYTES):
        self._folder, self._boot, self._limit, self._segment = folder, boot, limit, segment
        self.unwritten, self._start = 0, True
        found, self._full = segments(folder), []
        self._sizes = {path: os.stat(path).st_size for _, path in found}
        if found:
            self._seq = self._recover(*found[-1])
        else:  # not taken for the ring before it, if there was one
            self._seq = int(time.time())
            self._enter(self._seq)

    def _recover(self, first, path):
        """Cut a torn tail off and return the next number."""
        with open(path, "r+b") as file:
            last, _, end = last_record(file.read()) or (first, b"", 0)
            file.truncate(end)
        self._enter(first)
        return last + LEAP

    def append(self, body):
        """Write one line; one that cannot be written is counted, and its number is skipped.

        On a full disk the oldest segments make room: what happens now matters more.
        """
        line = record(self._seq, self._boot, self._start, body)
        problem = self._write(line)
        while problem in (errno.ENOSPC, errno.EDQUOT) and self._drop_oldest():
            problem = self._write(line)
        self.unwritten += bool(problem)
        self._start = self._start and bool(problem)
        self._seq += 1

    def _write(self, line):
        """0, or an error number and nothing written."""
        try:
            if self._size + len(line) > self._segment:
                self._rotate()
            if os.write(self._file, line) < len(line):
                os.ftruncate(self._file, self._size)
                return errno.ENOSPC
        except OSError as error:
            return error.errno or errno.EIO
        self._size += len(line)
        self._sizes[self._path] = self._size
        return 0

    def _rotate(self):
        while sum(self._sizes.values()) + self._segment > self._limit and self._drop_oldest():
            pass
        full = self._file
        self._enter(self._seq)
        self._full.append(full)

    def _enter(self, first):
        path = os.path.join(self._folder, "%016d.log" % first)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._path, self._size = path, os.fstat(self._file).st_size
        self._sizes[path] = self._size

    def _drop_oldest(self):
        oldest = min(self._sizes)
        if oldest == self._path:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.truncate(oldest, 0)  # room at once, though somebody has it open
            os.unlink(oldest)
        del self._sizes[oldest]
        return True

    def sync(self):
        """Wait until the disk has everything; in one thread at a time."""
        full, self._full = self._full, []
        with contextlib.suppress(OSError):
            full.append(os.open(self._folder, os.O_RDONLY))
            for file in [self._file, *full]:
                os.fsync(file)
        for file in full:
            os.close(file)

    def close(self):
        self.sync()
        os.close(self._file)


# Sampling. What is slow runs beside; a sample takes what has come and waits for nothing.


class Background:
    """Runs `work` in a thread of its own when asked; a result is taken once."""

    def __init__(self, work):
        self._work, self._thread, self._result = work, None, None

    def start(self):
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self):
        self._result = self._work()

    def take(self):
        """The result since the last time, or None."""
        if self._thread is None or self._thread.is_alive():
            return None
        result, self._result = self._result, None
        return result

    def wait(self, seconds):
        if self._thread:
            self._thread.join(seconds)


class Printer:
    """The figures that a program prints for ever; it is started again a minute after its end."""

    def __init__(self, command, parser):
        self._command, self._parser, self._process, self._found = command, parser, None, {}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        import subprocess

        null = subprocess.DEVNULL
        while True:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(
                    self._command, stdin=null, stdout=subprocess.PIPE, stderr=null
                )
                for line in self._process.stdout:
                    with contextlib.suppress(ValueError):
                        self._found.update(self._parser(line.decode("utf-8", "replace")))
                self._process.wait()
            time.sleep(MINUTE)

    def figures(self):
        """What was printed since the last time."""
        found, self._found = self._found, {}
        return found

    def close(self):
        if self._process:
            self._process.kill()


def gpu_printer(interval, path):
    """The GPU's program in a search path, printing a little more often than samples are taken."""
    period = str(int(interval * 900))
    query = ["--query-gpu=" + NVIDIA_QUERY, "--format=csv,noheader,nounits", "-lms", period]
    programs = (("tegrastats", ["--interval", period], tegrastats), ("nvidia-smi", query, nvidia))
    for name, options, parser in programs:
        for folder in path.split(os.pathsep):
            program = os.path.join(folder, name)
            if os.access(program, os.X_OK):
                return Printer([program, *options], parser)
    return None


class Files:
    """Files of /proc and /sys below `root`, that stay open and are read anew each time."""

    def __init__(self, root):
        self.root, self._files = root, {}

    def text(self, path):
        if path not in self._files:
            self._files[path] = os.open(self.root + path, os.O_RDONLY)
        try:
            return self._whole(self._files[path]).decode("utf-8", "replace")
        except OSError:
            os.close(self._files.pop(path))
            raise

    def _whole(self, file):
        """One read of /proc stops at the line before a page's end: much means there may be more."""
        part = data = os.pread(file, 65536, 0)
        while len(part) > 2048:
            part = os.pread(file, 65536, len(data))
            data += part
        return data

    def name(self, path, otherwise):
        """A name in a file of its own, which is read once."""
        try:
            with open(self.root + path) as file:
                return file.read(100).strip() or otherwise
        except OSError:
            return otherwise

    def list(self, path):
        try:
            return sorted(os.listdir(self.root + path))
        except OSError:
            return []

    def exists(self, path):
        return os.path.exists(self.root + path)

    def is_folder(self, path):
        return os.path.isdir(self.root + path)


def thermometers(files):
    """{name: path} of each thermal zone, and of each hwmon input that is not a zone's again."""
    found, zones = [], set()
    for zone in files.list("/sys/class/thermal"):
        if zone.startswith("thermal_zone"):
            name = files.name("/sys/class/thermal/%s/type" % zone, zone)
            zones.add(name.replace("-", "_"))
            found.append((name, "/sys/class/thermal/%s/temp" % zone))
    for chip in files.list("/sys/class/hwmon"):
        folder = "/sys/class/hwmon/" + chip
        name = files.name(folder + "/name", chip)
        for entry in files.list(folder) if name.replace("-", "_") not in zones else []:
            if re.fullmatch(r"temp\d+_input", entry):
                label = files.name("%s/%slabel" % (folder, entry[:-5]), entry[:-6])
                found.append(("%s/%s" % (name, label), "%s/%s" % (folder, entry)))
    named = {}
    for name, path in found:
        same = sum(other.partition("#")[0] == name for other in named)
        named["%s#%d" % (name, same + 1) if same else name] = path
    return named


def throttle_file(files):
    """Where a Raspberry Pi's firmware says whether it is throttled, or None."""
    platform = "/sys/devices/platform"
    for soc in [name for name in files.list(platform) if name.startswith("soc")]:
        for firmware in files.list("%s/%s" % (platform, soc)):
            path = "%s/%s/%s/get_throttled" % (platform, soc, firmware)
            if firmware.endswith(":firmware") and files.exists(path):
                return path
    return None


def physical(files, interfaces):
    """The interfaces with a device; without any, as in a container, those with a default route."""
    found = {name for name in interfaces if files.exists("/sys/class/net/%s/device" % name)}
    if not found:
        with contextlib.suppress(OSError):
            found = default_route(files.text("/proc/net/route")) & interfaces
    return found


class Sampler:
    """Reads the machine below `root`, "" for the real one."""

    def __init__(self, root="", gpu=None, containers=None):
        self._files, self._gpu, self._containers = Files(root), gpu, containers
        self._looking = Background(containers.look) if containers else None
        self._logs = dict(containers.since) if containers else {}
        self._before, self._discovered, self._interfaces = {}, float("-inf"), set()
        self._sources = {
            "cpu": self._cpu,
            "load": lambda: load(self._files.text("/proc/loadavg")),
            "memory": lambda: memory(self._files.text("/proc/meminfo")),
            "network": self._network,
            "io": self._io,
            "disks": self._disks,
            "docker_disk": self._docker_disk,
            "temperatures": self._temperatures,
            "throttling": lambda: self._throttle and throttling(self._files.text(self._throttle)),
            "gpu": lambda: self._gpu and self._gpu.figures(),
        }
        self.figures()  # what later rates are counted from

    def line(self, agent):
        """One sample as the text of a JSON object; `agent` is what the agent says of itself.

        Of one that is too long the events are left out, then all but the agent's figures.
        """
        head = {"up": round(uptime(), 3), "time": round(time.time(), 3)}
        sample = dict(self.figures(), agent=agent)
        for left_out in ({}, {"events"}, set(sample) - {"agent", "logs"}):
            kept = {key: value for key, value in sample.items() if key not in left_out}
            kept.update({"left_out": sorted(left_out)} if left_out else {})
            with contextlib.suppress(ValueError, RecursionError):
                text = json.dumps(dict(head, sample=kept), separators=(",", ":"), allow_nan=False)
                if len(text) <= LINE_BYTES:
                    break
        return text.encode()

    def figures(self):
        """What could be read; what could not be understood is named under "problems"."""
        if uptime() > self._discovered + MINUTE:
            self._discover()
        sample, problems = {}, []
        for name, read in self._sources.items():
            try:
                sample[name] = read()
            except OSError:
                continue
            except (ValueError, LookupError) as error:
                problems.append("%s: %.100s" % (name, error))
        sample.update(self._container_figures(), problems=problems)
        return {name: value for name, value in sample.items() if value not in (None, [], "")}

    def settle(self, seconds):
        """Wait for what runs beside, at most `seconds`."""
        if self._looking:
            self._looking.wait(seconds)

    def close(self):
        if self._gpu:
            self._gpu.close()

    def _discover(self):
        """What comes and goes seldom: looked for once a minute."""
        files, self._discovered = self._files, uptime()
        self._thermometers, self._throttle = thermometers(files), throttle_file(files)
        disks, self._interfaces = files.list("/sys/block"), None
        self._whole = {disk for disk in disks if files.exists("/sys/block/%s/device" % disk)}
        self._mounts = []
        with contextlib.suppress(OSError, ValueError):
            self._mounts = real_mounts(files.text("/proc/self/mounts"), files.is_folder)

    def _since_last(self, what, value):
        """(the value before, seconds since) or None at first."""
        now, (then, before) = time.monotonic(), self._before.get(what, (0.0, None))
        self._before[what] = (now, value)
        return (before, now - then) if before is not None and now > then else None

    def _rates(self, what, counters):
        last = self._since_last(what, counters)
        return rates(last[0], counters, last[1]) if last else None

    def _cpu(self):
        times = cpu_times(self._files.text("/proc/stat"))
        last = self._since_last("cpu", times)
        return cpu_idle(last[0], times) if last else None

    def _network(self):
        counters = network(self._files.text("/proc/net/dev"))
        if self._interfaces != set(counters):
            self._interfaces = set(counters)
            self._physical = physical(self._files, self._interfaces)
        found = self._rates("network", {name: counters[name] for name in self._physical})
        return found and {
            "rx": round(sum(rate[0] for rate in found.values()), 1),
            "tx": round(sum(rate[1] for rate in found.values()), 1),
            "interfaces": {name: {"rx": rx, "tx": tx} for name, (rx, tx) in found.items()},
        }

    def _io(self):
        counters = disk_io(self._files.text("/proc/diskstats"))
        found = self._rates("io", {name: counters[name] for name in self._whole & set(counters)})
        return found and {
            "read": round(sum(rate[0] for rate in found.values()), 1),
            "write": round(sum(rate[1] for rate in found.values()), 1),
            "disks": {
                name: {"read": read, "write": write, "busy": round(min(busy / 10, 100.0), 1)}
                for name, (read, write, busy) in found.items()
            },
        }

    def _disks(self):
        sizes = {}
        for mount in self._mounts:
            with contextlib.suppress(OSError):
                found = os.statvfs(self._files.root + mount)
                used = (found.f_blocks - found.f_bfree) * found.f_frsize
                sizes[mount] = {"used": used, "available": found.f_bavail * found.f_frsize}
        return sizes

    def _docker_disk(self):
        root = self._containers.root if self._containers else ""
        return mount_of(root or "/var/lib/docker", self._mounts)

    def _temperatures(self):
        found = {}
        for name, path in self._thermometers.items():
            with contextlib.suppress(OSError, ValueError):  # a sensor may sleep
                found[name] = degrees(self._files.text(path))
        return found

    def _container_figures(self):
        """What the last look found, once; and the next look begins."""
        if not self._looking:
            return {}
        found = self._looking.take() or {"logs": self._logs}
        self._logs = found["logs"]
        self._looking.start()
        return found


class Containers:
    """EVC's containers and the events they print, by Docker's Engine API.

    `since` says from which nanosecond on the log of a container is unread, `begin` the same for
    one that is not known.
    """

    def __init__(self, path=SOCKET, since=None, begin=0):
        self.root, self.since = "", dict(since or {})
        self._path, self._begin, self._cpu, self._budget = path, begin, {}, 0

    def look(self):
        """Figures of each container, the events since the last look, and how far logs were read."""
        found, self._budget = {"containers": {}, "events": []}, EVENT_BYTES
        try:
            self.root = self.root or self._json("/info")["DockerRootDir"]
            label = "%7B%22label%22:[%22evc.model%22]%7D"
            listed = self._json("/containers/json?all=1&filters=" + label)
            names = [entry["Id"][:12] for entry in listed]
        except (OSError, ValueError, LookupError, TypeError) as error:
            return {"engine": str(error)[:200] or "does not answer", "logs": self.since}
        for name, entry in zip(names, listed):  # noqa: B905 - Python 3.8 has no `strict`
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                self._look_at(name, entry, found)
        self.since = {name: self.since[name] for name in names if name in self.since}
        return dict(found, logs=self.since)

    def _look_at(self, name, entry, found):
        figures = container(entry, self._json("/containers/%s/json" % name))
        found["containers"][name] = figures
        if figures["state"] == "running":
            self._measure(name, figures)
        dropped = 0
        for one, size in self._events(name):
            self._budget -= size
            if self._budget > 0:
                found["events"].append(dict(one, model=figures["model"]))
            else:
                dropped += 1
        figures.update({"events_dropped": dropped} if dropped else {})

    def _measure(self, name, figures):
        """CPU in % of one core, and memory in bytes."""
        used, memory_used = usage(
            self._json("/containers/%s/stats?stream=false&one-shot=true" % name)
        )
        now, (then, before) = time.monotonic(), self._cpu.get(name, (0.0, None))
        self._cpu[name] = (now, used)
        if before is not None and used >= before:
            figures["cpu"] = round((used - before) / (now - then) / 1e7, 1)
        if memory_used is not None:
            figures["memory"] = memory_used

    def _events(self, name):
        """[(event, size)] printed since the last look; of very many log entries the latest."""
        since = min(self.since.get(name, self._begin), int(time.time() + 5) * 10**9)
        query = "/containers/%s/logs?stdout=1&stderr=1&timestamps=1&since=%d.%09d&tail=%d"
        for tail in LOG_TAILS:
            entries = frames(self._get(query % (name, *divmod(since, 10**9), tail)))
            if len(entries) < tail:
                break
        found = []
        for stream, text in entries:
            stamp, _, printed = text.partition(" ")
            since = max(since, nanoseconds(stamp) + 1)
            found.append(event(printed) if stream == 1 else None)
        self.since = dict(self.since, **{name: since})
        return [one for one in found if one]

    def _json(self, path):
        return json.loads(self._get(path))

    def _get(self, path):
        """The body of the engine's answer. HTTP/1.0, so that it ends where the connection does."""
        import socket

        deadline, data, part = time.monotonic() + 10.0, b"", b"-"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            connection.connect(self._path)
            connection.sendall(b"GET %s HTTP/1.0\r\nHost: docker\r\n\r\n" % path.encode())
            while part and len(data) < ANSWER_BYTES and time.monotonic() < deadline:
                part = connection.recv(65536)
                data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if head.split(None, 2)[1:2] != [b"200"]:
            raise OSError("the engine says %.100r" % head.split(b"\r\n")[0])
        return body


# Following. A position is NUMBER,FROM-TO,…: all up to this number was received but for the holes,
# latest first. Every line sent carries in "at" the position that is reached with it.


def parse_position(text):
    """(number, [(from, to)]), or None for ''. Raises ValueError."""
    if not text:
        return None
    seq, *holes = text.split(",")
    holes = [hole.split("-") for hole in holes]
    return int(seq), [(int(first), int(last)) for first, last in holes]


class Cursor:
    """Reads the ring's lines in order from number `seq` on, while the writer writes."""

    def __init__(self, folder, seq):
        self._folder, self._seq = folder, seq
        self._segment, self._file, self._offset, self._sealed = None, None, 0, False
        self._latest = False
        self.drained = False  # whether nothing more was there at the last look

    def read(self):
        """[(number, JSON text)] of one chunk; [] when there is nothing more yet."""
        while True:
            found = self._chunk() if self._segment else []
            new = [(seq, text) for seq, text, _ in found if seq >= self._seq]
            if new:
                self._seq = new[-1][0] + 1
                return new
            if not found and not self._advance():
                return []

    def _chunk(self):
        found = []
        for size in (CHUNK_BYTES, SEGMENT_BYTES):  # the second for a long or damaged line
            data = os.pread(self._file, size, self._offset)
            found = list(records(data))
            if found or len(data) < size:
                break
        self.drained = self._latest and len(data) < size
        if found:  # not behind a damaged end: the writer may cut it off and write there
            self._offset += found[-1][2]
        return found

    def _advance(self):
        """Go to the next segment once this one is complete; False while there is none."""
        later = [segment for segment in segments(self._folder) if segment > (self._segment or ())]
        if not later:
            return False
        newest = later[-1]
        if not self._segment:
            later = [segment for segment in later if segment[0] <= self._seq][-1:] or later
        elif not self._sealed:
            self._sealed = True  # lines may have come between the last look and this one
            return True
        with contextlib.suppress(FileNotFoundError):
            file = os.open(later[0][1], os.O_RDONLY)
            self.close()
            self._segment, self._file, self._offset, self._sealed = later[0], file, 0, False
            self._latest = later[0] == newest
        return True

    def close(self):
        if self._segment:
            os.close(self._file)


# Minutes, for those who pay by the byte: a line that stands for the lines of a minute. Its sample
# has the mean of each number and the last of all else. Under "minute" are the first number, how
# many samples there were, and of what is charted the least, the highest and in how many % of the
# samples it was there, each in the shape of a sample.

CHARTED = {
    "cpu": ("idle",),
    "memory": ("used", "available", "swap_used"),
    "network": ("rx", "tx"),
    "io": ("read", "write"),
}
LATEST = ("agent", "docker_disk", "restarts")
MAX_CLASSES, MAX_METRICS = 50, 100  # of what models printed in a minute


class Raw:
    """Lets lines pass as they are."""

    silence = 30.0  # of the sampler, that a follower tells its reader

    def add(self, seq, text):
        return [(seq, text)]

    def flush(self, late=False):
        return []


class Minutes:
    """Makes one line of the lines of a minute of CLOCK_BOOTTIME; a minute may come in parts."""

    silence = 75.0

    def __init__(self):
        self._of, self._lines = None, []

    def add(self, seq, text):
        line = json.loads(text)
        minute = (line["boot"], line["up"] // MINUTE)
        ready = self.flush() if minute != self._of else []
        self._of = minute
        self._lines.append(line)
        return ready

    def flush(self, late=False):
        """What there is; when `late`, only of a minute that is over."""
        if not self._lines or (late and uptime() < (self._of[1] + 1) * MINUTE + 2):
            return []
        lines, self._lines = self._lines, []
        return [(lines[-1]["seq"], minute_line(lines))]


def minute_line(lines):
    """The text of the line that stands for `lines`."""
    samples = [line["sample"] for line in lines]
    figures = [charted(sample) for sample in samples]
    events = [event for sample in samples for event in sample.get("events", [])]
    left_out = ("events", "logs", "containers")
    sample = merge([without(one, left_out) for one in samples], mean)
    sample.update(containers=containers_of(samples), events=brief(events))
    minute = {"from": lines[0]["seq"], "count": len(lines)}
    minute.update(low=merge(figures, min), high=merge(figures, max))
    minute["there"] = merge(figures, lambda found: round(100.0 * len(found) / len(lines), 2))
    head = {key: lines[-1][key] for key in ("seq", "boot", "up", "time")}
    return json.dumps(dict(head, minute=minute, sample=sample), separators=(",", ":")).encode()


def without(sample, names):
    return {name: value for name, value in sample.items() if name not in names}


def charted(sample):
    """Of a sample what is charted by its least and its highest."""
    names = ("load", "temperatures", "docker_disk")
    found = {name: sample[name] for name in names if name in sample}
    for name, keys in CHARTED.items():
        found[name] = {key: sample.get(name, {}).get(key) for key in keys}
    disk = str(sample.get("docker_disk"))
    return dict(found, disks={disk: sample.get("disks", {}).get(disk)})


def containers_of(samples):
    """The containers that were there at the end."""
    looks = [sample["containers"] for sample in samples if "containers" in sample]
    names = looks[-1] if looks else ()
    return {name: merge([look[name] for look in looks if name in look], mean) for name in names}


def merge(values, number):
    """What stands for the values at one place of several samples; `number` does for numbers."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    if all(isinstance(value, dict) for value in values):
        places = {}
        for key, one in [item for value in values for item in value.items()]:
            places.setdefault(key, []).append(one)
        return {
            key: found[-1] if key in LATEST else merge(found, number)
            for key, found in places.items()
        }
    if all(isinstance(value, list) for value in values):
        return merged_lists(values, number)
    return number(values) if all(is_number(value) for value in values) else values[-1]


def merged_lists(values, number):
    """Words: each that was there; all else place by place."""
    words = {one for value in values for one in value if isinstance(one, str)}
    if words:
        return sorted(words)
    places = range(max(map(len, values)))
    return [merge([value[at] for value in values if at < len(value)], number) for at in places]


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def mean(values):
    found = sum(values) / len(values)
    return round(found, 2) if abs(found) < 1000 else round(found)


def brief(events):
    """What models printed in a minute: of each class the surest, how many, and means."""
    times, values, surest = {}, {}, {}
    for one in events:
        model = one["model"]
        times[model] = one.get("time")
        if one["event"] == "metric":
            values.setdefault((model, str(one.get("name"))), []).append(one.get("value"))
            continue
        values.setdefault((model, "latency_ms"), []).append(one.get("latency_ms"))
        for result in one["results"] if isinstance(one.get("results"), list) else ():
            keep_surest(surest.setdefault(model, {}), result)
    return [
        {
            "event": "prediction",
            "model": model,
            "time": times[model],
            "results": [*results.values()],
        }
        for model, results in surest.items()
    ] + [
        {"event": "metric", "model": model, "time": times[model], "name": name, "value": value}
        for (model, name), value in means(values)[:MAX_METRICS]
    ]


def means(values):
    """[((model, name), mean)], and for each model with predictions how many there were."""
    found = []
    for (model, name), given in values.items():
        numbers = [value for value in given if is_number(value)]
        found += [((model, name), mean(numbers))] if numbers else []
        found += [((model, "predictions"), len(given))] if name == "latency_ms" else []
    return found


def keep_surest(results, result):
    """Keep `result` in {class: result} if it is the surest of its class."""
    if not isinstance(result, dict) or not is_number(result.get("probability")):
        return
    name = str(result.get("class"))[:200]
    known = results.get(name, {"probability": -1.0})
    if result["probability"] > known["probability"] and (
        name in results or len(results) < MAX_CLASSES
    ):
        kept = ("class", "probability", "box")
        results[name] = {key: result[key] for key in kept if key in result}


class Zipped:
    """Writes lines as {"z":BASE64} of one zlib stream: what was said once costs little again."""

    def __init__(self, write):
        import zlib

        self._write, self._stream, self._all = write, zlib.compressobj(9), zlib.Z_SYNC_FLUSH

    def __call__(self, data):
        if data:
            packed = self._stream.compress(data) + self._stream.flush(self._all)
            self._write(b'{"z":"%s"}\n' % binascii.b2a_base64(packed, newline=False))


class Lane:
    """One stretch of the ring on its way to a reader: numbers `first` to `last`, None for ever."""

    def __init__(self, folder, first, last, pack):
        self.done = False
        self._folder, self._next, self._last, self._pack = folder, first, last, pack
        self._cursor = Cursor(folder, first or 0)

    @property
    def drained(self):
        return self._cursor.drained

    def items(self):
        """[(number reached, text of a JSON object)] that are ready to be sent."""
        found, ready = self._cursor.read(), []
        for seq, text in found:
            ready += self._gap(seq, text)
            if self._last is not None and seq > self._last:
                break
            ready += self._pack.add(seq, text)
            self._next = seq + 1
        if self._last is None:
            return ready + self._pack.flush(late=True)
        self.done = not found or found[-1][0] >= self._last
        if self.done:
            self._cursor.close()
            ready += self._pack.flush()
        return ready

    def _gap(self, seq, text):
        """What is missing before line `seq`, behind what was read before it."""
        last = seq - 1 if self._last is None else min(seq - 1, self._last)
        if self._next is None or self._next > last:
            return []
        fell_off = self._next < segments(self._folder)[0][0]
        if not fell_off and b'"start":true' in text[:120]:
            return []
        return [*self._pack.flush(), (last, gap(self._next, last, "ring" if fell_off else "disk"))]


def gap(first, last, reason):
    return json.dumps({"gap": {"from": first, "to": last, "reason": reason}}).encode()


class Follower:
    """Sends to `write` what a reader at `position` lacks: live first, the backlog behind it.

    Or, not `live`, only what is in the position's holes.
    """

    def __init__(self, folder, position, write, pack=Raw, live=True):
        self._folder, self._write, self._pack, self._backlog = folder, write, pack, None
        oldest, (last, _) = segments(folder)[:1], newest(folder) or (None, "")
        self._at, self._holes = position or (None, [])
        other_ring = position and (last is None or self._at >= last + LEAP)
        if other_ring or not position:
            self._at, self._holes = (oldest[0][0] - 1 if oldest else None), []
        first = None if self._at is None else self._at + 1
        if live and last is not None and first < last and len(self._holes) < MAX_HOLES:
            self._holes = [(first, last - 1), *self._holes]
            first, self._at = last, last - 1
        self._live = Lane(folder, first, None, pack()) if live else None
        self.greet()
        if other_ring:
            self._write(self._line(gap(position[0] + 1, None, "reset")))

    @property
    def drained(self):
        """Whether nothing more was there at the last step: something new will be told."""
        return bool(self._live) and self._live.drained and not self._holes

    def step(self):
        """Send what is ready, live first, then a chunk of the backlog; False when that was all."""
        lines = []
        for seq, text in self._live.items() if self._live else ():
            self._at = seq
            lines.append(self._line(text))
        if self._holes:
            lines += self._fill()
        self._write(b"".join(lines))
        return bool(lines or self._holes)

    def _fill(self):
        (first, last), *rest = self._holes
        self._backlog = self._backlog or Lane(self._folder, first, last, self._pack())
        lines = []
        for seq, text in self._backlog.items():
            self._holes = [(seq + 1, last), *rest] if seq < last else rest
            lines.append(self._line(text))
        if self._backlog.done:
            leaped = self._holes != rest  # the hole's last numbers never were: no line closes it
            self._holes, self._backlog = rest, None
            lines += [self._line(b'{"silent":0}')] if leaped else []
        return lines

    def greet(self):
        last, _ = newest(self._folder) or (None, "")
        self.say(follow=dict(hello(), newest=last))

    def say(self, **words):
        self._write(self._line(json.dumps(words, separators=(",", ":")).encode()))

    def _line(self, text):
        """A line to send, `text` that of a JSON object."""
        reached = [] if self._at is None else [str(self._at)]
        position = ",".join(reached + ["%d-%d" % hole for hole in self._holes])
        return b'{"at":"%s",%s\n' % (position.encode(), text[1:])


def hello():
    """What a reader must know of this program and of this machine's clocks."""
    with open(__file__, "rb") as file:
        program = "%08x" % binascii.crc32(file.read())
    clocks = {"boot": boot_id(), "up": round(uptime(), 3), "time": round(time.time(), 3)}
    controller = ""
    with contextlib.suppress(OSError), open(os.path.join(HOME, "controller")) as file:
        controller = file.read(100)
    return dict(clocks, format=FORMAT, program=program, controller=controller)


class Changes:
    """Waits until a folder's files change, by dnotify (fcntl(2), F_NOTIFY), or nobody reads.

    Its signal is not handled but taken, by sigtimedwait(2): that costs a third.
    """

    def __init__(self, folder):
        self._signals = {signal.SIGIO}
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._folder, self._seconds = os.open(folder, os.O_RDONLY), 5.0
        try:
            wanted = fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_MULTISHOT
            fcntl.fcntl(self._folder, fcntl.F_NOTIFY, wanted)
        except OSError:
            self._seconds = 0.5
        self._output = select.poll()
        self._output.register(1, 0)

    def wait(self):
        signal.sigtimedwait(self._signals, self._seconds)
        if self._output.poll(0):
            raise BrokenPipeError


# The commands.


def ring_folder():
    folder = os.path.join(HOME, "ring")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def print_out(data):
    while data:
        data = data[os.write(1, data) :]


def gpu(interval):
    return gpu_printer(interval, os.environ.get("PATH", os.defpath))


def once(_options):
    containers = Containers(begin=int(time.time() - MINUTE) * 10**9)
    containers.look()  # what CPU is measured from
    containers.since = {}
    sampler = Sampler("", gpu(1.0), containers)
    time.sleep(1.2)  # what rates are taken over
    sampler.settle(10.0)
    print_out(b'{"boot":"%s",%s\n' % (boot_id().encode(), sampler.line({})[1:]))
    sampler.close()
    return 0


def sample(options):
    """Sample for ever; a second one ends at once. A newer program takes over within a minute."""
    folder, interval = ring_folder(), options.get("--interval", 5.0)
    lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    containers = None if "--no-containers" in options else containers_since(newest(folder))
    ring = Ring(folder, boot_id(), options.get("--bytes", RING_BYTES))
    sampler = Sampler("", gpu(interval), containers)
    sync, program = Background(ring.sync), os.stat(__file__).st_mtime_ns
    try:
        for minute, missed in ticks(interval):
            figures = {"interval": interval, "missed": missed, "unwritten": ring.unwritten}
            ring.append(sampler.line(figures))
            if minute:
                sync.start()
                if os.fstat(lock).st_nlink == 0 or os.stat(__file__).st_mtime_ns != program:
                    break
    finally:
        sampler.close()
        sync.wait(30.0)
        ring.close()
    return launch(sys.argv[1:])


def containers_since(last):
    """EVC's containers, their logs read on from where the ring's last line says."""
    line = json.loads(last[1]) if last else {}
    begin = int(line.get("time", time.time()) * 1000) * 10**6
    return Containers(SOCKET, line.get("sample", {}).get("logs"), begin)


def ticks(interval):
    """Sleep until each multiple of `interval` of CLOCK_BOOTTIME.

    Yields whether a minute has begun since the last tick, and how many ticks were missed so far.
    """
    due, missed, minute = (uptime() // interval + 1) * interval, 0, uptime() // MINUTE
    while True:
        time.sleep(max(0.0, due - uptime()))
        yield due // MINUTE > minute, missed
        late = max(0, int((uptime() - due) // interval))
        missed, minute, due = missed + late, due // MINUTE, due + (late + 1) * interval


def follow(options):
    folder = ring_folder()
    changes = Changes(folder)
    write = Zipped(print_out) if "--zip" in options else print_out
    pack = Minutes if "--minutes" in options else Raw
    live = "--holes" not in options
    follower = Follower(folder, options.get("--after"), write, pack, live)
    sent = told = greeted = uptime()
    while True:
        if uptime() > greeted + HELLO_SECONDS:
            greeted = uptime()
            follower.greet()
        if follower.step():
            sent = told = uptime()
            if not follower.drained:
                continue
        elif not live:
            return 0
        changes.wait()
        if uptime() > told + pack.silence:
            told = uptime()
            follower.say(silent=round(told - sent, 1))


def positive(text):
    found = float(text)
    if not 0 < found < 1e12:
        raise ValueError("not a positive number: %s" % text)
    return found


FOLLOW = {"--after": parse_position, "--holes": None, "--minutes": None, "--zip": None}
COMMANDS = {
    "once": (once, {}),
    "sample": (sample, {"--interval": positive, "--bytes": positive, "--no-containers": None}),
    "follow": (follow, FOLLOW),
}


def parse_options(words, known):
    """{option: value} of a command line; raises ValueError or LookupError for a wrong one."""
    options, words = {}, list(words)
    while words:
        name = words.pop(0)
        options[name] = known[name](words.pop(0)) if known[name] else True
    return options


def main(arguments):
    try:
        command, known = COMMANDS[arguments[0]]
        options = parse_options(arguments[1:], known)
    except (ValueError, LookupError) as error:
        sys.stderr.write("%s\n\n%s" % (error, __doc__))
        return 2
    try:
        return command(options)
    except BrokenPipeError:  # the reader went away
        return 0


LAUNCHER = (
    "import sys; sys.path.append(%r); import evc_agent; sys.exit(evc_agent.main(sys.argv[1:]))"
)


def launch(arguments):
    """Become this program anew, from Python's cache: compiling it there costs 2 MB for ever."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path.append(folder)
    sys.modules.pop("evc_agent", None)
    sys.dont_write_bytecode = False
    with contextlib.suppress(Exception):
        __import__("evc_agent")  # so that it is in the cache
    os.execv(sys.executable, [sys.executable, "-IS", "-c", LAUNCHER % folder, *arguments])


if __name__ == "__main__":
    launch(sys.argv[1:])
