"""Runs a program as its unit confines it, as far as that goes without systemd:

    confined.py UNIT GROUP PROGRAM ARGUMENT...

as nobody (in GROUP, too), without new privileges, with the unit's
SystemCallFilter, RestrictAddressFamilies and MemoryDenyWriteExecute.
"""

import ctypes
import errno
import grp
import os
import pathlib
import pwd
import socket
import subprocess
import sys

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
EQUAL, MASKED_EQUAL = 4, 7  # enum scmp_compare
PROT_WRITE, PROT_EXEC = 2, 4


class Comparison(ctypes.Structure):  # struct scmp_arg_cmp
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit):
    """The lines of a unit: a list of values for each key, in their order."""
    found = {}
    for line in pathlib.Path(unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def members(name):
    """The calls of a set, or the call itself."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name],
        capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    names = [line.strip() for line in listed]
    return set().union(*(members(name) for name in names
                         if name and not name.startswith("#")))


def allowed_calls(unit):
    """As systemd reads it: an allow list, changed line by line."""
    calls = members("@default")
    for line in settings(unit)["SystemCallFilter"]:
        names = set().union(*map(members, line.removeprefix("~").split()))
        calls = calls - names if line.startswith("~") else calls | names
    return calls


def confine(unit):
    values = settings(unit)
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(REFUSE))

    def allow(call, *comparisons):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # of another architecture
            return
        array = (Comparison * len(comparisons))(*comparisons)
        if library.seccomp_rule_add_array(context, ALLOW, number,
                                          len(comparisons), array) != 0:
            raise OSError(f"no rule for {call}")

    calls = allowed_calls(unit)
    if values.get("MemoryDenyWriteExecute") == ["yes"]:
        calls -= {"mmap", "mprotect", "pkey_mprotect"}
        for bit in (PROT_WRITE, PROT_EXEC):
            allow("mmap", Comparison(2, MASKED_EQUAL, bit, 0))
        for call in ("mprotect", "pkey_mprotect"):
            allow(call, Comparison(2, MASKED_EQUAL, PROT_EXEC, 0))
    for families in values.get("RestrictAddressFamilies", []):
        calls -= {"socket"}
        for family in families.split():
            allow("socket", Comparison(0, EQUAL, getattr(socket, family), 0))
    for call in sorted(calls):
        allow(call)
    # This sets no_new_privs, too.
    if library.seccomp_load(context) != 0:
        raise OSError("the filter cannot be loaded")


def main():
    unit, group, *command = sys.argv[1:]
    user = pwd.getpwnam("nobody")
    os.setgroups([grp.getgrnam(group).gr_gid])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o077)
    confine(unit)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
