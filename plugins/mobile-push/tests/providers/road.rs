//! What happens when the road to a provider changes under a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mobile_push::http2::Options;
use mobile_push::outcome::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::accounts::*;

/// A road on which connections can be swallowed: their bytes go nowhere, and nobody is told, as
/// when a firewall forgets them.
struct Road {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Traffic {
    /// Connections up to this number are swallowed.
    swallowed: AtomicU64,
    connections: AtomicU64,
    closed_by_account: AtomicU64,
    bytes_from_account: AtomicU64,
    changed: Notify,
}

impl Road {
    async fn to(provider: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let traffic = Arc::new(Traffic::default());
        let mut tasks = JoinSet::new();
        let shared = traffic.clone();
        tasks.spawn(async move {
            let mut carried = JoinSet::new();
            loop {
                let (account, _) = listener.accept().await.unwrap();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let provider = TcpStream::connect(provider).await.unwrap();
                carried.spawn(carry(account, provider, number, shared.clone()));
            }
        });
        Self {
            address,
            traffic,
            _tasks: tasks,
        }
    }

    fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Swallows the connections that there are; new ones are carried.
    fn swallow(&self) {
        let so_far = self.traffic.connections.load(Ordering::SeqCst);
        self.traffic.swallowed.store(so_far, Ordering::SeqCst);
    }

    async fn wait_until(&self, so: impl Fn(&Traffic) -> bool) {
        let waiting = async {
            loop {
                let changed = self.traffic.changed.notified();
                if so(&self.traffic) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting)
            .await
            .expect("the road never looked as it should");
    }
}

async fn carry(account: TcpStream, provider: TcpStream, number: u64, traffic: Arc<Traffic>) {
    let open = |traffic: &Traffic| traffic.swallowed.load(Ordering::SeqCst) < number;
    for end in [&account, &provider] {
        end.set_nodelay(true).unwrap();
    }
    let (mut from_account, mut to_account) = account.into_split();
    let (mut from_provider, mut to_provider) = provider.into_split();
    let out = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read) = from_account.read(&mut buffer).await {
            if read == 0 {
                break;
            }
            let read_so_far = u64::try_from(read).unwrap();
            traffic
                .bytes_from_account
                .fetch_add(read_so_far, Ordering::SeqCst);
            traffic.changed.notify_waiters();
            if open(&traffic) && to_provider.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
        traffic.closed_by_account.fetch_add(1, Ordering::SeqCst);
        traffic.changed.notify_waiters();
    };
    let back = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read) = from_provider.read(&mut buffer).await {
            if read == 0 || (open(&traffic) && to_account.write_all(&buffer[..read]).await.is_err())
            {
                break;
            }
        }
        // A swallowed connection stays open towards the account, whatever the provider does.
        if !open(&traffic) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}

fn watchful() -> Options {
    Options {
        request_timeout: Duration::from_millis(400),
        ping_after_idle: Duration::from_millis(100),
        pong_timeout: Duration::from_millis(300),
        ..Options::default()
    }
}

#[tokio::test]
async fn an_idle_connection_is_kept_alive_by_pings() {
    let apple = Apple::start().await;
    let road = Road::to(apple.apns.address()).await;
    let account = apple.account_at(
        &road.endpoint(),
        apple.certificate(&apple.authority.ca),
        watchful(),
    );
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    let before = road.traffic.bytes_from_account.load(Ordering::SeqCst);
    // A PING is a frame of 17 bytes (RFC 9113, section 6.7) in a TLS record.
    road.wait_until(|traffic| traffic.bytes_from_account.load(Ordering::SeqCst) > before + 3 * 17)
        .await;
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
    assert_eq!(apple.apns.counts().connections, 1);
}

#[tokio::test]
async fn an_idle_connection_that_went_away_in_silence_is_replaced() {
    let apple = Apple::start().await;
    let road = Road::to(apple.apns.address()).await;
    let account = apple.account_at(
        &road.endpoint(),
        apple.certificate(&apple.authority.ca),
        watchful(),
    );
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    road.swallow();
    road.wait_until(|traffic| traffic.closed_by_account.load(Ordering::SeqCst) == 1)
        .await;
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
}

#[tokio::test]
async fn a_push_into_silence_may_have_arrived_and_the_next_takes_another_connection() {
    let apple = Apple::start().await;
    let road = Road::to(apple.apns.address()).await;
    let patient = Options {
        ping_after_idle: Duration::from_secs(3600),
        ..watchful()
    };
    let account = apple.account_at(
        &road.endpoint(),
        apple.certificate(&apple.authority.ca),
        patient,
    );
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    road.swallow();
    let (_, _, reason, possibly_delivered) = wait(account.send(&push(1)).await);
    assert!(possibly_delivered, "{reason}");
    // The time-out made the account look after the connection.
    road.wait_until(|traffic| traffic.closed_by_account.load(Ordering::SeqCst) == 1)
        .await;
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
    assert_eq!(apple.apns.counts().delivered, 2);
}
