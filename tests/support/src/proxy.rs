//! A TCP proxy that cuts connections: what a bad network does to a client.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes moved at a time.
const BUFFER_BYTES: usize = 16 << 10;
/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// A running proxy; it runs as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    /// Bytes after which each connection is cut, in either direction.
    limit: AtomicU64,
    cuts: AtomicU64,
    epoch: watch::Sender<u64>,
}

impl Proxy {
    /// Starts a proxy before `endpoint` (`http://host:port`).
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            upstream: endpoint.trim_start_matches("http://").to_owned(),
            limit: AtomicU64::new(UNLIMITED),
            cuts: AtomicU64::new(0),
            epoch: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).carry(client));
            }
        });
        Self { address, shared }
    }

    /// Where clients connect.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection that is open now.
    pub fn cut(&self) {
        self.shared.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// From now on cuts each connection after so many bytes in one direction.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.limit.store(bytes, Ordering::SeqCst);
    }

    /// Lets connections live again.
    pub fn heal(&self) {
        self.cut_after(UNLIMITED);
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn carry(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream).await else { return };
        let mut epoch = self.epoch.subscribe();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            cut = self.pump(from_client, to_server) => self.count(cut),
            cut = self.pump(from_server, to_client) => self.count(cut),
            _ = epoch.changed() => self.count(true),
        }
    }

    fn count(&self, cut: bool) {
        self.cuts.fetch_add(u64::from(cut), Ordering::SeqCst);
    }

    /// Moves bytes until an end; tells whether the limit was the end.
    async fn pump(&self, mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) -> bool {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut moved = 0;
        loop {
            let Ok(count @ 1..) = from.read(&mut buffer).await else { return false };
            moved += count as u64;
            if moved > self.limit.load(Ordering::SeqCst) {
                return true;
            }
            if to.write_all(&buffer[..count]).await.is_err() {
                return false;
            }
        }
    }
}
