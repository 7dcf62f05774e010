//! An SMTP server on loopback for tests: the part of RFC 5321 that a client needs, and faults on demand.
//!
//! No embeddable crate can drop a connection after the mail and before the answer. That is the one fault that makes a
//! client send twice.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use openssl::{
    asn1::Asn1Time,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    ssl::{SslAcceptor, SslMethod},
    x509::{X509, X509Name},
};
use parking_lot::Mutex;

/// The behaviour of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Accept,
    /// 550 for recipients whose address contains this; the empty text is in every address.
    RefuseRecipient(&'static str),
    /// 451 for recipients whose address contains this.
    DeferRecipient(&'static str),
    /// Announces no SMTPUTF8, and answers 501 to an address that is not ASCII.
    AsciiOnly,
    /// 451 for every sender.
    TemporaryFail,
    /// Accepts the mail and closes the connection before the answer.
    DropAfterData,
    /// Closes the connection in the middle of the mail.
    DropInData,
    /// Waits before each answer. Or never ends its greeting, and sends one byte after each pause.
    Slow {
        pause: Duration,
        drips: bool,
    },
    /// 535 for every password.
    RefuseCredentials,
}

/// An accepted mail. `answered` is false when the client could not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub raw: String,
    pub answered: bool,
}

impl Received {
    /// The value of a header that is neither folded nor encoded.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.raw.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Default)]
struct Shared {
    /// For the next connections. Later ones are accepted.
    script: Mutex<VecDeque<Behaviour>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

pub struct SmtpServer {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl SmtpServer {
    pub fn start() -> io::Result<Self> {
        Self::with("smtp", None)
    }

    /// Uses TLS from the first byte, with a self-signed certificate.
    pub fn start_self_signed() -> io::Result<Self> {
        Self::with("smtps", Some(self_signed().map_err(io::Error::other)?))
    }

    fn with(scheme: &'static str, tls: Option<SslAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stopping.load(Ordering::SeqCst) {
                    break;
                }
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let behaviour = serving.script.lock().pop_front().unwrap_or(Behaviour::Accept);
                let shared = serving.clone();
                let tls = tls.clone();
                // A client that closes the connection ends its session.
                thread::spawn(move || -> Option<()> {
                    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
                    match tls {
                        None => session(stream, behaviour, &shared).ok(),
                        Some(tls) => session(tls.accept(stream).ok()?, behaviour, &shared).ok(),
                    }
                });
            }
        });
        Ok(Self { address, scheme, shared, thread: Some(thread) })
    }

    /// The value for SMTP_URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same with credentials.
    pub fn url_with_password(&self) -> String {
        format!("{}://ada:secret-word@{}", self.scheme, self.address)
    }

    /// The next connections have these behaviours, one each. Later ones are accepted.
    pub fn next(&self, script: impl IntoIterator<Item = Behaviour>) {
        self.shared.script.lock().extend(script);
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener. If nobody can connect, it has ended already.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A certificate for 127.0.0.1 that is correct except for its signature.
fn self_signed() -> Result<SslAcceptor, openssl::error::ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", "127.0.0.1")?;
    let name = name.build();
    let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(1)?);
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_not_before(&from)?;
    certificate.set_not_after(&until)?;
    certificate.set_pubkey(&key)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    acceptor.set_private_key(&key)?;
    acceptor.set_certificate(&certificate.build())?;
    Ok(acceptor.build())
}

fn answer(lines: &mut BufReader<impl Read + Write>, behaviour: Behaviour, text: &str) -> io::Result<()> {
    if let Behaviour::Slow { pause, drips: false } = behaviour {
        thread::sleep(pause);
    }
    let stream = lines.get_mut();
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()
}

fn session(stream: impl Read + Write, behaviour: Behaviour, shared: &Shared) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut mail = Received::default();
    if let Behaviour::Slow { pause, drips: true } = behaviour {
        lines.get_mut().write_all(b"220-")?;
        loop {
            thread::sleep(pause);
            lines.get_mut().write_all(b"x")?;
        }
    }
    answer(&mut lines, behaviour, "220 localhost ESMTP for tests")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" if behaviour == Behaviour::AsciiOnly => {
                answer(&mut lines, behaviour, "250-localhost\r\n250 8BITMIME")?;
            }
            "EHLO" => answer(
                &mut lines,
                behaviour,
                "250-localhost\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8",
            )?,
            "AUTH" if behaviour == Behaviour::RefuseCredentials => {
                answer(&mut lines, behaviour, "535 5.7.8 the password of ada@customer.example is wrong")?;
            }
            "AUTH" => answer(&mut lines, behaviour, "235 2.7.0 welcome")?,
            "HELO" | "NOOP" => answer(&mut lines, behaviour, "250 OK")?,
            "RSET" => {
                mail = Received::default();
                answer(&mut lines, behaviour, "250 OK")?;
            }
            "MAIL" if behaviour == Behaviour::TemporaryFail => {
                answer(&mut lines, behaviour, "451 4.3.0 try again later")?;
            }
            "MAIL" => {
                mail = Received { from: address(line), ..Received::default() };
                answer(&mut lines, behaviour, "250 OK")?;
            }
            "RCPT" => {
                let to = address(line);
                match behaviour {
                    Behaviour::RefuseRecipient(part) if to.contains(part) => {
                        answer(&mut lines, behaviour, &format!("550 5.1.1 <{to}>: no such user"))?;
                    }
                    Behaviour::DeferRecipient(part) if to.contains(part) => {
                        answer(&mut lines, behaviour, "451 4.2.1 not just now")?;
                    }
                    Behaviour::AsciiOnly if !to.is_ascii() => {
                        answer(&mut lines, behaviour, "501 5.1.3 no such characters here")?;
                    }
                    _ => {
                        mail.to.push(to);
                        answer(&mut lines, behaviour, "250 OK")?;
                    }
                }
            }
            "DATA" if mail.to.is_empty() => answer(&mut lines, behaviour, "503 5.5.1 no recipient")?,
            "DATA" => {
                answer(&mut lines, behaviour, "354 go on")?;
                if behaviour == Behaviour::DropInData {
                    let mut half = String::new();
                    lines.read_line(&mut half)?;
                    return Ok(());
                }
                mail.raw = data(&mut lines)?;
                mail.answered = behaviour != Behaviour::DropAfterData;
                let answered = mail.answered;
                shared.received.lock().push(std::mem::take(&mut mail));
                if !answered {
                    return Ok(());
                }
                answer(&mut lines, behaviour, "250 OK")?;
            }
            "QUIT" => return answer(&mut lines, behaviour, "221 bye"),
            _ => answer(&mut lines, behaviour, "502 5.5.1 not here")?,
        }
    }
}

/// `MAIL FROM:<a@b> …`, `RCPT TO:<a@b> …`
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address).unwrap_or_default().to_owned()
}

/// Reads to the line with a single dot. A doubled dot at the start of a line is one dot.
fn data(lines: &mut impl BufRead) -> io::Result<String> {
    let mut raw = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&raw).into_owned());
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
