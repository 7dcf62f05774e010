//! A SCIM client that costs little: connections kept open, one thread, answers read only as far as the figures need.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

use crate::Outcome;

/// The answers of one load.
pub struct Answers {
    /// The id of the resource in each answer, in the order of the requests; empty where the answer has none.
    pub ids: Vec<String>,
    /// Microseconds from the first byte of a request to the last byte of its answer.
    pub latency: Histogram<u64>,
    /// The whole load.
    pub took: Duration,
    /// The longest body in bytes.
    pub longest: usize,
}

impl Answers {
    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.took.as_secs_f64()
    }

    /// The time within which 99 of 100 requests were answered, in milliseconds.
    pub fn p99(&self) -> f64 {
        self.latency.value_at_quantile(0.99) as f64 / 1_000.0
    }
}

/// An answer: its status and its body.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends all requests. Each connection sends its next request as soon as it has its answer. An answer that is not 2xx ends
/// the load.
pub fn send(address: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> Outcome<Answers> {
    let number = requests.len();
    let requests = Rc::new(RefCell::new(requests.into_iter().enumerate()));
    let answers = Rc::new(RefCell::new(Answers {
        ids: vec![String::new(); number],
        latency: Histogram::new(3)?,
        took: Duration::ZERO,
        longest: 0,
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        let begun = Instant::now();
        let senders: Vec<_> = open
            .into_iter()
            .map(|mut connection| {
                let (requests, answers) = (requests.clone(), answers.clone());
                tokio::task::spawn_local(async move {
                    loop {
                        let Some((number, request)) = requests.borrow_mut().next() else {
                            return Outcome::Ok(());
                        };
                        let sent = Instant::now();
                        let answer = connection.exchange(&request).await?;
                        let took = sent.elapsed();
                        if !(200..300).contains(&answer.status) {
                            let body = String::from_utf8_lossy(&answer.body).into_owned();
                            return Err(format!("request {number}: {} {body}", answer.status).into());
                        }
                        let mut answers = answers.borrow_mut();
                        answers.latency.record(took.as_micros() as u64)?;
                        answers.longest = answers.longest.max(answer.body.len());
                        if let Some(slot) = answers.ids.get_mut(number) {
                            *slot = text_of(&answer.body, "id").unwrap_or_default();
                        }
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await??;
        }
        answers.borrow_mut().took = begun.elapsed();
        Outcome::Ok(())
    })?;
    drop(tasks);
    Ok(Rc::into_inner(answers).ok_or("a sender outlived its load")?.into_inner())
}

/// One request after the other, as `next` makes them from the answer before. Ends when it returns `None`.
pub fn converse(
    address: SocketAddr,
    mut next: impl FnMut(Option<&Answer>) -> Outcome<Option<Vec<u8>>>,
) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut answer = None;
        while let Some(request) = next(answer.as_ref())? {
            answer = Some(connection.exchange(&request).await?);
        }
        Ok(())
    })
}

/// The first text with this name in a body of JSON.
pub fn text_of(body: &[u8], name: &str) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let (_, rest) = body.split_once(&format!("\"{name}\":"))?;
    let rest = rest.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(text, _)| text.to_owned())
}

/// The first number with this name in a body of JSON; 0 if there is none.
pub fn number_of(body: &[u8], name: &str) -> usize {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let rest = body.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest.trim_start());
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    read: Vec<u8>,
    /// A server of HTTP/1.0 closes the connection after each answer.
    closed: bool,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, read: Vec::with_capacity(4_096), closed: false })
    }

    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<Answer> {
        if self.closed {
            *self = Self::open(self.address).await?;
        }
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            let ended = self.stream.read_buf(&mut self.read).await? == 0;
            if let Some((answer, closes)) = whole(&self.read, ended) {
                self.closed = closes || ended;
                return Ok(answer);
            }
            if ended {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The answer, once everything that its head announces is there, and whether the server closes the connection.
fn whole(read: &[u8], ended: bool) -> Option<(Answer, bool)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(read.get(..end)?).ok()?;
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let closes = head.starts_with("HTTP/1.0") || header("connection").is_some_and(|value| value == "close");
    let rest = read.get(end..)?;
    let body = match header("content-length").map(str::parse::<usize>) {
        Some(length) => rest.get(..length.ok()?)?,
        None if header("transfer-encoding").is_some() => rest.ends_with(b"0\r\n\r\n").then_some(rest)?,
        None if status == 204 => b"",
        None => ended.then_some(rest)?,
    };
    Some((Answer { status, body: body.to_vec() }, closes))
}
