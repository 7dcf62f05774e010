#!/usr/bin/env bash
# PyPI scim2-filter-parser 0.7.0, with which django-scim2 answers filters (Python 3.11, seen on 2026-11-28):
#
# `SQLQuery` makes a SELECT from a filter and a map from attributes to columns. RFC 7644 3.4.2.2: `and` binds before `or`, `co` and `sw` compare with the text as it
# stands. Expected: the SELECT finds the people that the filter means, or an error is raised.
#
# Four people in SQLite:
#
# - `A or B and C` becomes `(A or B) and C`: Juno, who fulfils A, is not found. Written as `C and B or A` the same filter is right.
# - `_` in a text stands for any character, since the text goes into LIKE as it is: `sw "n_"`, the beginning of a service account, finds a person too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scim2-filter-parser==0.7.0

venv/bin/python - > seen <<'PYTHON'
import sqlite3
from scim2_filter_parser.queries import SQLQuery

columns = {("userName", None, None): "people.username", ("title", None, None): "people.title", ("userType", None, None): "people.kind"}
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE people (username, title, kind)")
database.executemany(
    "INSERT INTO people VALUES (?, ?, ?)",
    [("juno", "Pilot", "Employee"), ("mika", "Driver", "Contractor"), ("noor", "Driver", "Employee"), ("n_backup", "Robot", "Service")],
)
for text, right in [
    ('userName eq "juno"', "juno"),
    ('title eq "Pilot" or title eq "Driver" and userType eq "Contractor"', "juno mika"),
    ('userType eq "Contractor" and title eq "Driver" or title eq "Pilot"', "juno mika"),
    ('title eq "Pilot" or (title eq "Driver" and userType eq "Contractor")', "juno mika"),
    ('userName sw "n_"', "n_backup"),
]:
    query = SQLQuery(text, "people", columns)
    seen = " ".join(row[0] for row in database.execute(query.sql.replace("%s", "?"), query.params))
    print(f"{'right' if seen == right else 'wrong'}: {text}: {seen}")
PYTHON

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
right: userName eq "juno": juno
wrong: title eq "Pilot" or title eq "Driver" and userType eq "Contractor": mika
right: userType eq "Contractor" and title eq "Driver" or title eq "Pilot": juno mika
right: title eq "Pilot" or (title eq "Driver" and userType eq "Contractor"): juno mika
wrong: userName sw "n_": noor n_backup
EXPECTED
