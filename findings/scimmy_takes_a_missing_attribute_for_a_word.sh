#!/usr/bin/env bash
# npm scimmy 1.3.5 (Node 20, seen on 2026-11-28):
#
# SCIMMY's class `Filter` has a method `match`, which its own PATCH uses to find the values that a path means; the notes of release 1.0.0 call the class a full
# implementation of SCIM filters. RFC 7644 3.4.2.2: `co`, `sw` and `ew` compare with the attribute's value, `not (…)` negates the whole expression in it.
# Expected: an attribute that somebody does not have contains nothing.
#
# Four people, one of them without a title, one without addresses, and a group with a member that has no `display`:
#
# - A missing attribute is compared as the word "undefined". `co "fin"`, `co "in"`, `sw "un"`, `ew "ed"` are true of everybody without the attribute, and `not`
#   leaves these people out. A PATCH that removes members by a part of their `display` also removes the members without one.
# - `not (A or B)` matches everybody, A and B too. `not (A) and not (B)`, which means the same, is right.
# - A comparison within a complex attribute (`emails.value co …`) raises TypeError for everybody as soon as one person does not have the attribute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund scimmy@1.3.5

cat > run.mjs <<'NODE'
import SCIMMY from 'scimmy';

const emails = (value) => [{ value, type: 'work' }];
const people = [
  { userName: 'juno', title: 'Chief financial officer', emails: emails('juno@example.com') },
  { userName: 'mika', emails: emails('mika@example.com') },
  { userName: 'noor', title: 'Driver', emails: emails('noor@example.com') },
  { userName: 'sana', title: 'Pilot' },
];
const filters = [
  ['title co "fin"', 'juno'],
  ['title sw "un"', ''],
  ['title ew "ed"', ''],
  ['title pr and title co "fin"', 'juno'],
  ['not (title co "fin")', 'mika noor sana'],
  ['not (userName eq "juno") and not (userName eq "mika")', 'noor sana'],
  ['not (userName eq "juno" or userName eq "mika")', 'noor sana'],
  ['emails.value co "noor"', 'noor'],
];
for (const [text, right] of filters) {
  let seen;
  try {
    seen = new SCIMMY.Types.Filter(text).match(people).map((person) => person.userName).join(' ');
  } catch (error) {
    seen = `${error.name}: ${error.message}`;
  }
  console.log(`${seen === right ? 'right' : 'wrong'}: ${text}: ${seen || 'nobody'}`);
}

const group = new SCIMMY.Schemas.Group({
  id: 'g1', displayName: 'Payroll', members: [{ value: 'u1', display: 'Juno (finance)' }, { value: 'u2' }, { value: 'u3', display: 'Noor (transport)' }],
}, 'out');
const patch = new SCIMMY.Messages.PatchOp({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'remove', path: 'members[display co "fin"]' }],
});
const { members } = await patch.apply(group, (target) => target);
console.log(`members left of u1, u2, u3: ${members.map((member) => member.value).join(' ')}`);
NODE
node run.mjs > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
wrong: title co "fin": juno mika
wrong: title sw "un": mika
wrong: title ew "ed": mika
right: title pr and title co "fin": juno
wrong: not (title co "fin"): noor sana
right: not (userName eq "juno") and not (userName eq "mika"): noor sana
wrong: not (userName eq "juno" or userName eq "mika"): juno mika noor sana
wrong: emails.value co "noor": TypeError: Cannot convert undefined or null to object
members left of u1, u2, u3: u3
EXPECTED
