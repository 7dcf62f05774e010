#!/usr/bin/env bash
# npm casbin 5.51.1 and PyPI casbin 1.43.0 (Node 20, Python 3.11, seen on 2026-11-28):
#
# Casbin decides with `enforce`, and lists what somebody has by inheritance with `getImplicitRolesForUser`, `getImplicitPermissionsForUser` and, from the other
# side, `getImplicitUsersForPermission`. Groups of a directory that contain groups make long chains of roles. Its home page says that all
# languages share one behaviour. Expected: the lists agree with the decision, and both languages agree with each other.
#
# A person is in a team, the team in another one and so on, and the last one may read. The packages' role managers stop counting at 10 levels, each in its own way:
#
# - After exactly ten steps Node allows and Python refuses, from the same model and policy. From eleven on both refuse, without an error or a line in a log.
# - The list of roles and the list of permissions have no limit. They still name the role and the permission that `enforce` refuses, so a report from
#   them shows access that nobody has. In Go the lists were made to obey the limit in 2025 (apache/casbin, pull request 1508), in these two languages they were not.
# - `getImplicitUsersForPermission` asks `enforce`, and leaves the person out. The two lists of one package contradict each other.
# - A role manager made with a limit of 20, set before the policy is read, lets all of them agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check casbin==1.43.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund casbin@5.51.1

cat > model.conf <<'MODEL'
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
MODEL
for steps in 9 10 11; do
    {
        echo "p, team_$steps, roster, read"
        echo "g, noor, team_1"
        for ((step = 1; step < steps; step++)); do echo "g, team_$step, team_$((step + 1))"; done
    } > "policy_$steps.csv"
done
cat > run.cjs <<'NODE'
const { readFileSync } = require('node:fs');
const { DefaultRoleManager, newEnforcer, newModelFromString, StringAdapter } = require('casbin');
const [steps, limit] = process.argv.slice(2).map(Number);
(async () => {
  const enforcer = await newEnforcer(newModelFromString(readFileSync('model.conf', 'utf8')));
  if (limit) enforcer.setRoleManager(new DefaultRoleManager(limit));
  enforcer.setAdapter(new StringAdapter(readFileSync(`policy_${steps}.csv`, 'utf8')));
  await enforcer.loadPolicy();
  const roles = await enforcer.getImplicitRolesForUser('noor');
  const permissions = await enforcer.getImplicitPermissionsForUser('noor');
  const people = await enforcer.getImplicitUsersForPermission('roster', 'read');
  const allowed = await enforcer.enforce('noor', 'roster', 'read');
  console.log(`  Node: ${allowed ? 'allowed' : 'refused'}; roles ${roles.length}; permissions ${permissions.map((one) => one.join(' '))}; people who may read: ${people.join(' ') || 'nobody'}`);
})();
NODE
cat > run.py <<'PYTHON'
import sys
import casbin
from casbin.persist.adapters import FileAdapter
from casbin.rbac.default_role_manager import RoleManager

steps, limit = map(int, sys.argv[1:])
enforcer = casbin.Enforcer("model.conf")
if limit:
    enforcer.set_role_manager(RoleManager(limit))
enforcer.set_adapter(FileAdapter(f"policy_{steps}.csv"))
enforcer.load_policy()
roles = enforcer.get_implicit_roles_for_user("noor")
permissions = enforcer.get_implicit_permissions_for_user("noor")
people = enforcer.get_implicit_users_for_permission("roster", "read")
allowed = "allowed" if enforcer.enforce("noor", "roster", "read") else "refused"
print(f"  Python: {allowed}; roles {len(roles)}; permissions {','.join(' '.join(one) for one in permissions)}; people who may read: {' '.join(people) or 'nobody'}")
PYTHON
for case in "9 0" "10 0" "11 0" "11 20"; do
    read -r steps limit <<< "$case"
    echo "$steps steps from the person to the role$( ((limit)) && echo ", limit set to $limit" || true)"
    timeout 60 node run.cjs "$steps" "$limit"
    venv/bin/python run.py "$steps" "$limit"
done > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
9 steps from the person to the role
  Node: allowed; roles 9; permissions team_9 roster read; people who may read: noor
  Python: allowed; roles 9; permissions team_9 roster read; people who may read: noor
10 steps from the person to the role
  Node: allowed; roles 10; permissions team_10 roster read; people who may read: noor
  Python: refused; roles 10; permissions team_10 roster read; people who may read: nobody
11 steps from the person to the role
  Node: refused; roles 11; permissions team_11 roster read; people who may read: nobody
  Python: refused; roles 11; permissions team_11 roster read; people who may read: nobody
11 steps from the person to the role, limit set to 20
  Node: allowed; roles 11; permissions team_11 roster read; people who may read: noor
  Python: allowed; roles 11; permissions team_11 roster read; people who may read: noor
EXPECTED
