//! The listening sockets, with room for a burst of new connections.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// The number of connections that are open and not accepted yet; the kernel limits it to `net.core.somaxconn`. Further
/// SYNs are dropped, and the broker repeats them a second later. (`TcpListener::bind` has 128.)
const BACKLOG: i32 = 4_096;

/// Binds an address and listens. Fails when the address is in use.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart can bind while old connections are in TIME_WAIT. On Windows the option has another meaning.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    /// Below the limit of most kernels, above the standard library's 128.
    const BURST: usize = 512;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_burst_of_connections_finds_room_before_any_of_them_is_accepted() {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(900));
        let burst: std::io::Result<Vec<TcpStream>> = (0..BURST).map(connect).collect();
        assert_eq!(burst.unwrap().len(), BURST);
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        let first = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let second = listen(first.local_addr().unwrap());
        assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    }
}
