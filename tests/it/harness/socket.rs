//! A client with a plain socket, for requests that no HTTP library would send.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

pub struct Socket {
    stream: BufReader<TcpStream>,
}

/// An answer, with its status as a number.
pub struct Raw {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Socket {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // A server that never answers must fail the test and not block it.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// An error of the write is ignored: the server may have closed the connection, and its answer gives the reason.
    pub fn write(&mut self, text: impl AsRef<str>) {
        let _ = self.stream.get_mut().write_all(text.as_ref().as_bytes());
    }

    pub fn end_writing(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// Reads the next answer: its head, and the announced number of bytes.
    pub fn answer(&mut self) -> Raw {
        let head = self.head();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Raw { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Status line and headers of the next answer, in lower case.
    pub fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "the connection ended: {head}");
        }
        head.to_ascii_lowercase()
    }

    /// The number of bytes until the server closes the connection.
    pub fn rest(&mut self) -> usize {
        self.stream.read_to_end(&mut Vec::new()).unwrap()
    }
}

impl Raw {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The stable name of the problem.
    pub fn problem(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        self.json()["type"].as_str().unwrap().trim_start_matches("urn:rosterd:problem:").to_owned()
    }
}
