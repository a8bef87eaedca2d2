//! A link that is cut again and again: each connection carries only so many bytes each way.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a cut connection stays half open.
const LINGER: Duration = Duration::from_millis(20);

/// A proxy in front of a server.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// Forwards to `target`; each connection is cut once `bytes` have passed in either direction.
    pub(super) async fn start(target: SocketAddr, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counted = counted.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else { return };
                    let (client_read, client_write) = client.into_split();
                    let (server_read, server_write) = server.into_split();
                    // Whichever direction is used up first takes the other with it.
                    tokio::select! {
                        () = carry(client_read, server_write, bytes, &counted) => {}
                        () = carry(server_read, client_write, bytes, &counted) => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    /// How often the link was cut.
    pub(super) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// Carries bytes until there are no more or the budget is spent.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    budget: usize,
    cuts: &AtomicUsize,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut left = budget;
    while left > 0 {
        let Ok(read) = from.read(&mut buffer).await else { return };
        if read == 0 || to.write_all(&buffer[..read.min(left)]).await.is_err() {
            return;
        }
        left -= read.min(left);
    }
    cuts.fetch_add(1, Ordering::Relaxed);
    // What has passed arrives: closing at once would let the kernel throw it away at the other end.
    let _ = to.shutdown().await;
    tokio::time::sleep(LINGER).await;
}
