"""What must happen after a commit: tasks that are due are done, one after the other, until they are (`Tasks`).

Theory of operation. A transaction that makes something necessary leaves a task in the same commit, so it is not lost
whatever becomes of the process. `Worker` looks whether anything was committed since it looked last - by whichever
process - or whether a task has become due, and has what is due done: each task in a transaction of its own, that also
removes the task. A task that fails is tried again, later each time (`next_try`), and does not keep others waiting. Of
several processes over a store one does all that (`Store.lead`).
"""

from calserver.work.backoff import next_try
from calserver.work.worker import Work, Worker

__all__ = ["Work", "Worker", "next_try"]
