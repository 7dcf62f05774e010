#!/usr/bin/env bash
# npm scim2-parse-filter 0.2.10 (Node 20, seen on 2026-11-27) and filters after the examples in RFC 7644 3.4.2.2:
#
# Expected, since the library compiles such filters into tests of resources: its answers are those of the standard. They differ without any error:
#
# - `emails co …` never matches. In the standard's example a multi-valued attribute without a sub-attribute is compared by its `value` (RFC 7643 2.4).
#   `not (emails co …)` therefore matches everybody.
# - `schemas eq …` never matches. The text is compared with the whole array and not with its elements.
# - An attribute with its schema, `urn:ietf:params:scim:schemas:core:2.0:User:userName`, is always absent, so `not` of it matches everybody.
# - Times are compared as texts. A server that writes `lastModified` as JavaScript does, with milliseconds, and a client that asks for changes since a
#   whole second, as the standard's example does: a change within that second is earlier than it, since a full stop sorts before Z. RFC 7644: the
#   comparison is chronological.
# - The case of letters always counts, although userName is not caseExact (RFC 7643 4.1.1) and many directories ask with another case.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund scim2-parse-filter@0.2.10

cat > run.mjs <<'NODE'
import { filter, parse } from 'scim2-parse-filter';

const user = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'],
  userName: 'Juno',
  title: 'Pilot',
  userType: 'Employee',
  emails: [{ value: 'juno@example.com', type: 'work' }],
  meta: { lastModified: new Date(Date.UTC(2011, 4, 13, 4, 42, 34, 500)).toISOString() },
};
const filters = [
  ['title pr and userType eq "Employee"', true],
  ['userType eq "Employee" and emails[type eq "work" and value co "@example.com"]', true],
  ['userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")', true],
  ['userType eq "Employee" and not (emails co "example.com" or emails.value co "example.org")', false],
  ['schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"', true],
  ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"', true],
  ['meta.lastModified gt "2011-05-13T04:42:34Z"', true],
  ['meta.lastModified lt "2011-05-13T04:42:34Z"', false],
  ['userName eq "juno"', true],
];
for (const [text, right] of filters) {
  const seen = filter(parse(text))(user);
  console.log(`${seen === right ? 'right' : 'wrong'}: ${seen} for ${text}`);
}
NODE
node run.mjs > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
right: true for title pr and userType eq "Employee"
right: true for userType eq "Employee" and emails[type eq "work" and value co "@example.com"]
wrong: false for userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")
wrong: true for userType eq "Employee" and not (emails co "example.com" or emails.value co "example.org")
wrong: false for schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
wrong: false for urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"
wrong: false for meta.lastModified gt "2011-05-13T04:42:34Z"
wrong: true for meta.lastModified lt "2011-05-13T04:42:34Z"
wrong: false for userName eq "juno"
EXPECTED
