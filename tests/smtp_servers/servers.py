"""Mail servers of different makes on loopback. Each refuses the recipient "refused", and stores every message as a file."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

from aiosmtpd.controller import Controller

DOMAINS = "customer.example xn--bcher-kva.example portal.example"
QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace"


class Server:
    """A server with a folder of its own. `modern` is with SMTPUTF8 and STARTTLS."""

    def __init__(self, scratch, port, modern):
        self.scratch, self.port, self.modern = scratch, port, modern
        self.home = scratch / f"server-{port}"
        self.mail = self.home / "mail"
        self.mail.mkdir(parents=True)
        self.root = scratch / "root"
        library = next(self.root.rglob("libidn.so.12")).parent
        self.libraries = f"{self.root}/usr/lib/postfix:{library}"

    def run(self, *command):
        environment = {**os.environ, "LD_LIBRARY_PATH": self.libraries}
        out = open(self.home / "out", "wb")
        self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not listen: {self.log()}")

    def log(self):
        files = [self.home / "out", *self.home.glob("log*"), *self.home.glob("log/*")]
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if file.is_file())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def stored(self):
        return [file for file in self.mail.rglob("*") if file.is_file() and file.parent.name in ("new", "mail")]

    @property
    def url(self):
        return f"smtp://localhost:{self.port}?tls=required" if self.modern else f"smtp://127.0.0.1:{self.port}"


class Postfix(Server):
    name = "postfix"

    def start(self):
        conf, queue, data = self.home / "conf", self.home / "queue", self.home / "data"
        for folder in (conf, queue, data, *(queue / name for name in QUEUES.split())):
            folder.mkdir(mode=0o755 if folder in (conf, queue) else 0o700)
            if folder not in (conf, queue):
                shutil.chown(folder, "postfix")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (queue / name).mkdir()
            shutil.chown(queue / name, "postfix", "postdrop")
            (queue / name).chmod(mode)
        (queue / "pid").mkdir(mode=0o755)
        shutil.chown(self.mail, "nobody")
        secret = self.home / "chain.pem"
        secret.write_text((self.scratch / "server.key").read_text() + (self.scratch / "server.pem").read_text())
        (conf / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
daemon_directory = {self.root}/usr/lib/postfix/sbin
command_directory = {self.root}/usr/sbin
shlib_directory = {self.root}/usr/lib/postfix
meta_directory = {self.root}/etc/postfix
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG LD_LIBRARY_PATH={self.libraries}
maillog_file = {self.home}/log
maillog_file_prefixes = {self.home}
myhostname = postfix.invalid
mydestination =
alias_maps =
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
default_transport = error:nothing leaves this machine
virtual_mailbox_domains = {DOMAINS}
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{refused@customer.example = 550 5.1.1 no such user}} }}
smtputf8_enable = {"yes" if self.modern else "no"}
smtpd_tls_security_level = {"may" if self.modern else "none"}
smtpd_tls_chain_files = {secret if self.modern else ""}
""")
        services = ["rewrite trivial-rewrite", "bounce bounce", "defer bounce", "trace bounce", "verify verify", "proxymap proxymap",
                    "error error", "retry error", "anvil anvil", "scache scache"]
        lines = [f"127.0.0.1:{self.port} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                 "tlsmgr unix - - n 1000? 1 tlsmgr", "flush unix n - n 1000? 0 flush", "virtual unix - n n - - virtual",
                 "postlog unix-dgram n - n - 1 postlogd"]
        lines += ["{} unix - - n - - {}".format(*one.split()) for one in services]
        (conf / "master.cf").write_text("\n".join(lines) + "\n")
        return self.run(f"{self.root}/usr/lib/postfix/sbin/master", "-c", conf, "-d")


class Exim(Server):
    name = "exim4"

    def start(self):
        for folder in (self.mail, self.home):
            shutil.chown(folder, "Debian-exim", "Debian-exim")
        key = self.home / "server.key"
        shutil.copy(self.scratch / "server.key", key)
        shutil.chown(key, "Debian-exim")
        conf = self.home / "exim.conf"
        conf.write_text(f"""exim_path = {self.root}/usr/sbin/exim4
exim_user = Debian-exim
exim_group = Debian-exim
deliver_drop_privilege = true
keep_environment = LD_LIBRARY_PATH
spool_directory = {self.home}/spool
log_file_path = {self.home}/log-%s
pid_file_path = {self.home}/pid
primary_hostname = exim.invalid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
domainlist here = {":".join(DOMAINS.split())}
smtp_accept_queue_per_connection = 0
smtputf8_advertise_hosts = {"*" if self.modern else ""}
tls_advertise_hosts = {"*" if self.modern else ""}
tls_certificate = {self.scratch}/server.pem
tls_privatekey = {key}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny local_parts = refused
       message = no such user
  accept domains = +here
  deny
data:
  deny !verify = header_syntax
       message = the syntax of a header is wrong
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {self.mail}
  maildir_format
  envelope_to_add
  user = Debian-exim
""")
        return self.run(f"{self.root}/usr/sbin/exim4", "-C", conf, "-bdf")


class Aiosmtpd(Server):
    name = "aiosmtpd"

    def start(self):
        context = None
        if self.modern:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.scratch / "server.pem", self.scratch / "server.key")
        self.count = 0
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=self.modern, tls_context=context)
        self.controller.start()
        return self

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        to = ", ".join(envelope.rcpt_tos).encode()
        (self.mail / f"{self.count}.eml").write_bytes(b"Delivered-To: " + to + b"\r\n" + envelope.original_content)
        return "250 OK"

    def stop(self):
        self.controller.stop()


MAKES = [Postfix, Exim, Aiosmtpd]
