//! A link that is cut again and again: each connection carries only so many bytes each way.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A proxy in front of a server.
pub struct Proxy {
    pub address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// Forwards to `target`; each connection is cut once `bytes` have passed in either direction.
    pub async fn start(target: SocketAddr, bytes: usize) -> Self {
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
                    let cut = tokio::select! {
                        cut = carry(client_read, server_write, bytes) => cut,
                        cut = carry(server_read, client_write, bytes) => cut,
                    };
                    counted.fetch_add(usize::from(cut), Ordering::Relaxed);
                });
            }
        });
        Self { address, cuts }
    }

    /// How often the link was cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// Carries bytes until there are no more or the budget is spent; says whether it was the budget.
async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, budget: usize) -> bool {
    let mut buffer = vec![0; 16 << 10];
    let mut left = budget;
    while left > 0 {
        let Ok(read) = from.read(&mut buffer).await else { return false };
        if read == 0 || to.write_all(&buffer[..read.min(left)]).await.is_err() {
            return false;
        }
        left -= read.min(left);
    }
    true
}
