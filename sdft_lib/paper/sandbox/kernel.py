"""The kernel's part of the sandbox: limits, a network namespace of its own, and a filter of system
calls (Linux).

Read by ``sandbox_child`` from its file, so it imports the standard library alone. The filter
(seccomp) holds for root too, cannot be taken off again, and refuses a call with "operation not
permitted". It names what a solution of a programming puzzle never needs: new processes and
programs, sockets, any change of files, signals to others, mounts, clocks, devices, and higher
limits. Numbers of the calls: the kernel's tables for x86_64 and aarch64."""

import ctypes
import os
import platform
import struct

# name of the system call: its number on (x86_64, aarch64); None where the machine has no such call
REFUSED = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "io_uring_setup": (425, 425),
    "creat": (85, None),
    "openat2": (437, 437),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "link": (86, None),
    "linkat": (265, 37),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "open_by_handle_at": (304, 265),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "setrlimit": (160, 164),
    "setpriority": (141, 140),
    "chroot": (161, 51),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "acct": (163, 89),
    "syslog": (103, 116),
    "quotactl": (179, 60),
}
OPEN, OPENAT, CLONE, CLONE3, PRLIMIT = (2, None), (257, 56), (56, 220), (435, 435), (302, 261)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CLONE_THREAD, CLONE_NEWNET, CLONE_NEWUSER = 0x10000, 0x40000000, 0x10000000
EPERM, ENOSYS = 1, 38
NUMBER, ARCH, ARGUMENTS = (
    0,
    4,
    16,
)  # bytes into the kernel's record of a call (little-endian machines)
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
X32 = 0x40000000  # the same calls by other numbers
NO_NEW_PRIVS, SET_SECCOMP, FILTER_MODE = 38, 22, 2


def own_network() -> bool:
    """Move into a network namespace without any device; a user who may not, through a user
    namespace. Linux only.
    """
    if platform.system() != "Linux":
        return False
    call = ctypes.CDLL(None, use_errno=True).unshare
    return call(CLONE_NEWNET) == 0 or call(CLONE_NEWUSER | CLONE_NEWNET) == 0


def limit(memory: int, seconds: int, files: int) -> None:
    """Hard limits of this process: bytes of memory, CPU seconds, open files; no core dump, no bytes
    into any file.

    No new process either, which binds users other than root; for root that is the filter's part.
    """
    import resource

    limits = {
        "CPU": (seconds, seconds + 1),
        "AS": (memory, memory),
        "DATA": (memory, memory),
        "FSIZE": (0, 0),
        "CORE": (0, 0),
        "NPROC": (0, 0),
        "NOFILE": (files, files),
        "MSGQUEUE": (0, 0),
    }
    for name, (soft, hard) in limits.items():
        number, most = getattr(resource, f"RLIMIT_{name}", None), None
        if number is None:
            continue
        most = resource.getrlimit(number)[1]
        bound = hard if most == resource.RLIM_INFINITY else min(hard, most)
        try:
            resource.setrlimit(number, (min(soft, bound), bound))
        except (ValueError, OSError):  # macOS takes no limit of the address space
            continue


def filter_program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as instructions (code, jump if true, jump if false, value) of the kernel's
    packet-filter machine.
    """
    column, arch = MACHINES[machine]
    deny = (RETURN, 0, 0, REFUSE | EPERM)
    program = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, arch), deny, (LOAD, 0, 0, NUMBER)]
    if machine == "x86_64":
        program += [(AT_LEAST, 0, 1, X32), deny]
    for numbers in REFUSED.values():
        if numbers[column] is not None:
            program += [(EQUAL, 0, 1, numbers[column]), deny]
    program += [
        (EQUAL, 0, 1, CLONE3[column]),
        (RETURN, 0, 0, REFUSE | ENOSYS),
    ]  # the C library then takes clone
    # A call is looked into: load the low half of one argument, refuse or allow.
    looked = [
        (OPEN, 1, WRITING, True),
        (OPENAT, 2, WRITING, True),
        (CLONE, 0, CLONE_THREAD, False),
        (PRLIMIT, 2, 0xFFFFFFFF, True),
    ]
    for numbers, argument, bits, refuse_if_set in looked:
        if numbers[column] is not None:
            jumps = (0, 1) if refuse_if_set else (1, 0)
            program += [
                (EQUAL, 0, 4, numbers[column]),
                (LOAD, 0, 0, ARGUMENTS + 8 * argument),
                (ANY_BIT, *jumps, bits),
                deny,
                (RETURN, 0, 0, ALLOW),
            ]
    return [*program, (RETURN, 0, 0, ALLOW)]


def filter_calls() -> bool:
    """Install the filter for this process for good; False where the kernel or the machine has
    none.
    """
    if (
        platform.system() != "Linux"
        or platform.machine() not in MACHINES
        or struct.calcsize("P") != 8
    ):
        return False
    program = filter_program(platform.machine())
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    control = ctypes.CDLL(None, use_errno=True).prctl
    control.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if control(NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return control(SET_SECCOMP, FILTER_MODE, ctypes.addressof(header), 0, 0) == 0
