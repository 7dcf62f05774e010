//! A program that receives webhooks on loopback. It checks the signature of each.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rosterd::endpoints::sign;
use serde_json::Value;

/// A webhook, and the answer.
#[derive(Clone, Debug)]
pub struct Received {
    pub id: String,
    pub seconds: i64,
    pub signature: String,
    pub text: String,
    pub body: Value,
    pub status: u16,
}

impl Received {
    pub fn seq(&self) -> i64 {
        self.body["data"]["seq"].as_i64().unwrap()
    }

    /// Kind and subject.
    pub fn brief(&self) -> String {
        let subject = self.body["data"]["subject"].as_object().unwrap();
        let ids: Vec<&str> = subject.values().filter_map(Value::as_str).collect();
        format!("{} {}", self.body["type"].as_str().unwrap(), ids.join(" ")).trim_end().to_owned()
    }

    /// The person, or another subject whose records stay in order.
    pub fn lane(&self) -> String {
        let data = &self.body["data"];
        let named =
            ["user_id", "group_id", "directory_id"].iter().find_map(|name| data["subject"][*name].as_str());
        named.or(data["tenant_id"].as_str()).unwrap().to_owned()
    }

    pub fn is_signed_by(&self, secrets: &[&str]) -> bool {
        let expected = sign::signature(secrets.iter().copied(), &self.id, self.seconds, self.text.as_bytes());
        expected.as_deref() == Some(self.signature.as_str())
    }
}

/// Status and further headers.
pub type Answer = (u16, &'static str);

type Answers = Box<dyn Fn(&Received) -> Answer + Send + Sync>;

struct Inner {
    address: SocketAddr,
    received: Mutex<Vec<Received>>,
    answers: Mutex<Arc<Answers>>,
    is_closing: AtomicBool,
}

pub struct Receiver(Arc<Inner>);

impl Receiver {
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn on(listener: TcpListener) -> Self {
        let answers: Answers = Box::new(|_| (204, ""));
        let inner = Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            received: Mutex::default(),
            answers: Mutex::new(Arc::new(answers)),
            is_closing: AtomicBool::new(false),
        });
        let accepting = inner.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_closing.load(Ordering::SeqCst) {
                    return;
                }
                let inner = accepting.clone();
                thread::spawn(move || serve(&inner, &stream.unwrap()));
            }
        });
        Self(inner)
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?key=hidden", self.0.address)
    }

    /// Answers so from now on.
    pub fn answer(&self, answers: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.0.answers.lock().unwrap() = Arc::new(Box::new(answers));
    }

    pub fn all(&self) -> Vec<Received> {
        self.0.received.lock().unwrap().clone()
    }

    /// Those that were taken.
    pub fn taken(&self) -> Vec<Received> {
        self.all().into_iter().filter(|one| one.status < 300).collect()
    }

    /// The numbers that were taken, in order of arrival.
    pub fn numbers(&self) -> Vec<i64> {
        self.taken().iter().map(Received::seq).collect()
    }

    /// Each record of a lane arrived after all earlier ones of the lane.
    pub fn assert_ordered(&self) {
        let taken = self.taken();
        let mut lanes: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for one in &taken {
            lanes.entry(one.lane()).or_default().push(one.seq());
        }
        for (lane, arrived) in lanes {
            let mut all = arrived.clone();
            all.sort_unstable();
            all.dedup();
            let mut newest = -1;
            for seq in arrived {
                let place = i64::try_from(all.binary_search(&seq).unwrap()).unwrap();
                assert!(
                    place <= newest + 1,
                    "{lane}: {seq} came before {}",
                    all[usize::try_from(newest + 1).unwrap()]
                );
                newest = newest.max(place);
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.is_closing.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.0.address));
    }
}

fn serve(inner: &Inner, stream: &TcpStream) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).ok()?;
        let text = String::from_utf8(body).unwrap();
        let mut one = Received {
            id: headers["webhook-id"].clone(),
            seconds: headers["webhook-timestamp"].parse().unwrap(),
            signature: headers["webhook-signature"].clone(),
            body: serde_json::from_str(&text).unwrap(),
            text,
            status: 0,
        };
        let answers = inner.answers.lock().unwrap().clone();
        let (status, further) = answers(&one);
        one.status = status;
        if inner.is_closing.load(Ordering::SeqCst) {
            return None;
        }
        inner.received.lock().unwrap().push(one);
        let answer = match status {
            204 => format!("HTTP/1.1 204 No Content\r\n{further}\r\n"),
            _ => format!("HTTP/1.1 {status} Some\r\n{further}Content-Length: 0\r\n\r\n"),
        };
        (&mut &*stream).write_all(answer.as_bytes()).ok()?;
    }
}
