"""Benchmarks: the workloads of a calendar server, driven over sockets against a running daemon.

``python -m benchmarks`` (or ``make bench``) starts a daemon on an empty store of its own, fills calendars of several
sizes, and prints for each row the server's CPU milliseconds per request (all its threads and processes, from the
kernel's own accounting), wall clock percentiles, and how both grow with the size of the calendar. Every case checks
its answers. CPU time is the figure to compare: a noisy machine disturbs it least; and only figures of one run are
comparable.

``data`` makes the calendars, ``daemon`` runs the server and reads its costs, ``client`` speaks HTTP, ``cases``,
``meetings`` and ``federated`` are the rows, ``measuring`` and ``syscalls`` measure one, ``report`` prints and writes,
``comparing`` puts two commits beside each other. Programs of their own are ``growth`` (with calendars and users),
``throughput`` (of whole servers, and what a front end adds) and ``receiver`` (of iSchedule messages).
"""
