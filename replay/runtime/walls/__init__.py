"""The second wall around a replay: the kernel's own. Linux only, without privileges, as far as the kernel has it.

The first (`runtime.sandbox`) hears what the interpreter says about itself, and knows the line of the program. Native
code says nothing: so the kernel asks before it connects, starts a program or changes a file, whoever wants it
(`seccomp`), and the launcher answers (`supervisor`). Should the question itself be tricked, the kernel knows the
directories that may change, and executes nothing (`landlock`).

Both go to the process itself and to all that it starts, and can't be taken down any more.
"""
