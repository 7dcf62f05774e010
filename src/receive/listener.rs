//! The listening sockets, with room for a burst of new connections.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Connections that are open and not yet accepted; the kernel allows what `net.core.somaxconn` says. Past it a
/// broker's SYN is dropped, and sent again a second later. (`TcpListener::bind` makes room for 128.)
const BACKLOG: i32 = 4_096;

pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart binds at once, whatever connections of the last process linger. On Windows it would mean something else.
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

    /// Less than most kernels allow, more than the standard library's 128.
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
