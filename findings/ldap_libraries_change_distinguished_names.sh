#!/usr/bin/env bash
# npm ldapts 8.2.0, @ldapjs/dn 1.1.0 and PyPI ldap3 2.9.1 (Node 20, Python 3.11, seen on 2026-11-28):
#
# RFC 4514 says how a distinguished name is written: 2.4 escapes a leading or trailing blank and some other characters with a backslash, and 3 allows `=` in a
# value as it is. Quotation marks around a value are LDAPv2 (RFC 2253, section 4), which RFC 4514 does not take. Expected: a library reads what the RFC
# allows, and what it writes means the same name.
#
# - @ldapjs/dn (the parser of ldapjs) loses the letter after an escaped blank when it reads: ` Admins` becomes `dmins`.
# - ldapts writes a value with a blank at its start or end in quotation marks. ldap3 refuses that text, and @ldapjs/dn reads it without the blank.
# - ldap3 refuses a value with `=`, and an attribute type that is written as an object identifier, as in an example of the RFC.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check ldap3==2.9.1
npm init -y > /dev/null
npm install --silent --no-audit --no-fund ldapts@8.2.0 @ldapjs/dn@1.1.0 2> /dev/null

cat > written.cjs <<'NODE'
const { DN } = require('ldapts');
const values = ['Admins, Rotterdam', ' Admins', 'Admins ', 'a=b'];
console.log(JSON.stringify(values.map((value) => [value, new DN().addPairRDN('CN', value).addPairRDN('DC', 'lumen').toString()])));
NODE
cat > read.cjs <<'NODE'
const { DN } = require('@ldapjs/dn');
const read = (text) => {
  try {
    return DN.fromString(text).toString();
  } catch (error) {
    return error.message;
  }
};
for (const text of JSON.parse(process.argv[2])) console.log(`@ldapjs/dn reads [${text}] and writes [${read(text)}], which it reads as [${read(read(text))}]`);
NODE
cat > read.py <<'PYTHON'
import json
import sys
from ldap3.core.exceptions import LDAPInvalidDnError
from ldap3.utils.dn import parse_dn

for text in json.loads(sys.argv[1]):
    try:
        seen = [f"{kind}={value}" for kind, value, _ in parse_dn(text)]
    except LDAPInvalidDnError as error:
        seen = error
    print(f"ldap3 reads [{text}] as {seen}")
PYTHON
texts='["CN=Admins\\, Rotterdam,DC=lumen", "CN=\\ Admins,DC=lumen", "CN=Admins\\ ,DC=lumen", "CN=a=b,DC=lumen",
 "1.3.6.1.4.1.1466.0=#04024869,DC=lumen"]'
{
    node written.cjs > written.json
    node -p 'require("./written.json").map(([value, text]) => `ldapts writes [${value}] as [${text}]`).join("\n")'
    node read.cjs "$texts"
    venv/bin/python read.py "$texts"
    quoted=$(node -p 'JSON.stringify(require("./written.json").map(([, text]) => text).filter((text) => text.includes("\"")))')
    node read.cjs "$quoted"
    venv/bin/python read.py "$quoted"
} > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
ldapts writes [Admins, Rotterdam] as [CN=Admins\, Rotterdam,DC=lumen]
ldapts writes [ Admins] as [CN=" Admins",DC=lumen]
ldapts writes [Admins ] as [CN="Admins ",DC=lumen]
ldapts writes [a=b] as [CN=a\=b,DC=lumen]
@ldapjs/dn reads [CN=Admins\, Rotterdam,DC=lumen] and writes [CN=Admins\2c Rotterdam,DC=lumen], which it reads as [CN=Admins\2c Rotterdam,DC=lumen]
@ldapjs/dn reads [CN=\ Admins,DC=lumen] and writes [CN=dmins,DC=lumen], which it reads as [CN=dmins,DC=lumen]
@ldapjs/dn reads [CN=Admins\ ,DC=lumen] and writes [CN=Admins,DC=lumen], which it reads as [CN=Admins,DC=lumen]
@ldapjs/dn reads [CN=a=b,DC=lumen] and writes [CN=a=b,DC=lumen], which it reads as [CN=a=b,DC=lumen]
@ldapjs/dn reads [1.3.6.1.4.1.1466.0=#04024869,DC=lumen] and writes [1.3.6.1.4.1.1466.0=#04024869,DC=lumen], which it reads as [1.3.6.1.4.1.1466.0=#04024869,DC=lumen]
ldap3 reads [CN=Admins\, Rotterdam,DC=lumen] as ['CN=Admins\\, Rotterdam', 'DC=lumen']
ldap3 reads [CN=\ Admins,DC=lumen] as ['CN=\\ Admins', 'DC=lumen']
ldap3 reads [CN=Admins\ ,DC=lumen] as ['CN=Admins\\ ', 'DC=lumen']
ldap3 reads [CN=a=b,DC=lumen] as special character = must be escaped
ldap3 reads [1.3.6.1.4.1.1466.0=#04024869,DC=lumen] as character '.' not allowed in attribute type
@ldapjs/dn reads [CN=" Admins",DC=lumen] and writes [CN=Admins,DC=lumen], which it reads as [CN=Admins,DC=lumen]
@ldapjs/dn reads [CN="Admins ",DC=lumen] and writes [CN=Admins,DC=lumen], which it reads as [CN=Admins,DC=lumen]
ldap3 reads [CN=" Admins",DC=lumen] as special character " must be escaped
ldap3 reads [CN="Admins ",DC=lumen] as special character " must be escaped
EXPECTED
