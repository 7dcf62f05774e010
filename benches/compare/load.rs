//! A broker that costs next to nothing: requests made beforehand, connections kept open, one thread.

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
    sync::mpsc,
    task::LocalSet,
};

use crate::Outcome;

/// What came back.
pub struct Answers {
    pub accepted: u64,
    /// 503 with Retry-After.
    pub refused: u64,
    /// Anything else, the first of them in full.
    pub wrong: u64,
    pub first_wrong: Option<String>,
    /// From a request's first byte to the end of its 200, in microseconds.
    pub latency: Histogram<u64>,
    pub took: Duration,
}

impl Answers {
    fn new() -> Outcome<Self> {
        let latency = Histogram::new(3)?;
        Ok(Self { accepted: 0, refused: 0, wrong: 0, first_wrong: None, latency, took: Duration::ZERO })
    }

    fn count(&mut self, head: &str, latency: Duration) {
        if head.starts_with("HTTP/1.1 200") {
            self.accepted += 1;
            // It grows by itself, so there is nothing that does not fit.
            self.latency += latency.as_micros() as u64;
        } else if head.starts_with("HTTP/1.1 503") && head.to_ascii_lowercase().contains("retry-after:") {
            self.refused += 1;
        } else {
            self.wrong += 1;
            self.first_wrong.get_or_insert_with(|| head.to_owned());
        }
    }

    /// For runs in which nothing else than 200 is right.
    pub fn all_accepted(self) -> Outcome<Self> {
        if self.refused + self.wrong == 0 {
            return Ok(self);
        }
        let Self { refused, wrong, first_wrong, .. } = self;
        Err(format!("{refused} deliveries were refused, {wrong} answered wrongly: {first_wrong:?}").into())
    }
}

/// Each connection sends its next request as soon as it has its answer.
pub fn flat_out(
    address: SocketAddr,
    connections: usize,
    requests: impl Iterator<Item = Vec<u8>> + 'static,
) -> Outcome<Answers> {
    let requests = Rc::new(RefCell::new(requests));
    run(address, connections, async move |connection, answers| {
        loop {
            let Some(request) = requests.borrow_mut().next() else { return Ok(()) };
            let (head, latency) = connection.exchange(&request).await?;
            answers.borrow_mut().count(&head, latency);
        }
    })
}

/// `rate` requests a second, however long the answers take; a request that finds no connection free waits, and is
/// charged for it. `sent` is called with each request's number when it is due.
pub fn paced(
    address: SocketAddr,
    connections: usize,
    rate: u32,
    requests: Vec<Vec<u8>>,
    mut sent: impl FnMut(usize) + Send + 'static,
) -> Outcome<Answers> {
    let (due, waiting) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let begun = Instant::now();
        for (n, request) in requests.into_iter().enumerate() {
            let at = begun + Duration::from_secs(1) * n as u32 / rate;
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            sent(n);
            if due.send((Instant::now(), request)).is_err() {
                return;
            }
        }
    });
    let waiting = Rc::new(tokio::sync::Mutex::new(waiting));
    run(address, connections, async move |connection, answers| {
        loop {
            let next = waiting.lock().await.recv().await;
            let Some((due, request)) = next else { return Ok(()) };
            let (head, _) = connection.exchange(&request).await?;
            answers.borrow_mut().count(&head, due.elapsed());
        }
    })
}

fn run<F>(address: SocketAddr, connections: usize, work: F) -> Outcome<Answers>
where
    F: AsyncFn(&mut Connection, &RefCell<Answers>) -> std::io::Result<()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = Rc::new(RefCell::new(Answers::new()?));
    let work = Rc::new(work);
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
                let (work, answers) = (work.clone(), answers.clone());
                tokio::task::spawn_local(async move { work(&mut connection, &answers).await })
            })
            .collect();
        for sender in senders {
            sender.await??;
        }
        answers.borrow_mut().took = begun.elapsed();
        Outcome::Ok(())
    })?;
    drop(tasks);
    Ok(Rc::into_inner(answers).ok_or("a sender outlived its run")?.into_inner())
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(1_024) })
    }

    /// The answer's head, its body read and dropped.
    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<(String, Duration)> {
        let begun = Instant::now();
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = whole(&self.read) {
                return Ok((head, begun.elapsed()));
            }
        }
    }
}

/// The head, once everything that it announces is there.
fn whole(read: &[u8]) -> Option<String> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(read.get(..end)?).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (read.len() >= end + length).then_some(head)
}
