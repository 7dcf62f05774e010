#!/usr/bin/env bash
# npm smtp-server 3.21.6 (Node 20, seen on 2026-11-27), a server that many test suites of mail use:
#
# - A domain that the client sends as an A-label in RCPT TO (xn--…) reaches `onRcptTo` in its Unicode form, without SMTPUTF8
#   in the session. A test that compares the recipient with the text on the wire fails, although the client is right.
# - A local part in quotes, valid by RFC 5321 4.1.2, is answered 501, a permanent failure.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund smtp-server@3.21.6

cat > run.js <<'NODE'
const { SMTPServer } = require('smtp-server');
const net = require('net');

const server = new SMTPServer({
  authOptional: true,
  onRcptTo(address, session, done) { console.log(`onRcptTo: ${address.address}`); done(); },
});
const commands = [
  'EHLO client.example',
  'MAIL FROM:<rosterd@sender.example>',
  'RCPT TO:<it@xn--bcher-kva.example>',
  'RCPT TO:<"noor vale"@lumen.example>',
  'QUIT',
];
server.listen(0, '127.0.0.1', () => {
  const client = net.connect(server.server.address().port, '127.0.0.1');
  let sent = 0;
  client.on('data', (data) => {
    const last = data.toString().trimEnd().split('\r\n').pop();
    if (last[3] === '-') return;
    const command = commands[sent - 1] || '';
    if (command.startsWith('RCPT')) console.log(`${command} -> ${last}`);
    if (sent < commands.length) client.write(`${commands[sent++]}\r\n`);
  });
  client.on('close', () => server.close());
});
NODE
timeout 60 node run.js > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
onRcptTo: it@bücher.example
RCPT TO:<it@xn--bcher-kva.example> -> 250 Accepted
RCPT TO:<"noor vale"@lumen.example> -> 501 Error: Bad recipient address syntax
EXPECTED
