"""Runs all servers, and prints a table. Called by tests/smtp-servers."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scenario import TO, Play
from servers import MAKES
from stored_message import look

scratch, binary = Path(sys.argv[1]), sys.argv[2]


def tried(number, make, modern):
    server = make(scratch, 20025 + number, modern).start()
    try:
        play = Play(binary, server, 20100 + 2 * number)
        missing = play.run()
        kinds = play.previews()
        # The queue of the server.
        time.sleep(3)
        return server, play, missing, kinds, [file.read_bytes() for file in server.stored()]
    finally:
        server.stop()


jobs = [(make, modern) for make in MAKES for modern in (True, False)]
with ThreadPoolExecutor(len(jobs)) as pool:
    trials = [pool.submit(tried, number, *job) for number, job in enumerate(jobs)]
wrong = 0
for trial in trials:
    server, play, missing, kinds, stored = trial.result()
    print(f"\n## {server.name}, {'SMTPUTF8 and STARTTLS' if server.modern else 'neither SMTPUTF8 nor TLS'}\n")
    for to, answer in zip(TO, play.answers, strict=True):
        print(f"notices test --to {to}: {answer}")
    print(f"\n{'messages':>8} {'longest line':>12}  {'structure':48} subject")
    rows, faults = {}, [f"did not arrive: {words}" for words in missing]
    for raw in stored:
        message, structure, longest, found = look(raw)
        subject = message["subject"]
        count, most = rows.get((subject, structure), (0, 0))
        rows[subject, structure] = (count + 1, max(most, longest))
        faults += [f"{subject}: {fault}" for fault in found]
    previews = [raw for raw in stored if b"rosterd.preview@" in raw]
    if len(previews) != len(kinds):
        faults.append(f"{len(kinds)} previews were sent, {len(previews)} stored")
    for (subject, structure), (count, longest) in sorted(rows.items()):
        print(f"{count:8} {longest:12}  {structure:48} {subject}")
    print(f"\n{len(stored)} messages, {len(faults)} faults")
    for fault in sorted(set(faults)):
        print(f"  FAULT {fault}")
    print(play.command("notices", "list", "--state", "dead"))
    wrong += len(faults)
sys.exit(1 if wrong else 0)
