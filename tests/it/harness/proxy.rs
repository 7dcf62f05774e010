//! A proxy before PostgreSQL whose connections can fall silent: they remain open, and the server's answers do not
//! arrive.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub struct Proxy {
    pub port: u16,
    /// Connections from before the last silence have an older generation.
    generation: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let generation = Arc::new(AtomicUsize::new(0));
        let current = generation.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (born, current) = (current.load(Ordering::SeqCst), current.clone());
                thread::spawn(move || copy(from_client, to_server, || true));
                thread::spawn(move || copy(server, client, || current.load(Ordering::SeqCst) == born));
            }
        });
        Self { port, generation }
    }

    /// From now on no answer arrives over the open connections. New connections work.
    pub fn silence(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_passed_on: impl Fn() -> bool) {
    let mut bytes = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if is_passed_on() && to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    if is_passed_on() {
        drop(to.shutdown(Shutdown::Both));
    }
}
