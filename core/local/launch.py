"""
Become the given account, ask to be told when the parent dies, and turn into the given program.

Run as a script by `processes.start`: arguments are the parent's process id, user id, group id (both -1 to stay who we
are), the number of the signal to get when the parent dies, then the program and its arguments. It is a program of its
own because Python code between fork and exec is unsafe in a process with threads, and because the kernel forgets the
wish about the parent whenever the user changes: the order here matters.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Replace this process; end with 127 when that is impossible."""
    parent, user, group, signal_number = (int(text) for text in sys.argv[1:5])
    command = sys.argv[5:]
    try:
        if user >= 0:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
        os.umask(0o077)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
            if os.getppid() != parent:  # died before we could ask
                sys.exit(127)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
