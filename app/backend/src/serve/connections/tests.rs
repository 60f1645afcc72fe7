//! Clients that are slow, idle, or in the middle of something when the end comes.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinHandle,
};

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// Longer than anything here takes, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

const PATIENT: Limits = Limits {
    connections: 100,
    keep_alive: DEADLINE,
};

const IMPATIENT: Limits = Limits {
    keep_alive: Duration::from_millis(50),
    ..PATIENT
};

struct Server {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

async fn start(app: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, app, limits, stop.clone()));
    Server {
        address,
        stop,
        ended,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn is_refusing(&self) {
        let refused = async { while TcpStream::connect(self.address).await.is_ok() {} };
        timeout(DEADLINE, refused).await.expect("still accepts");
    }
}

async fn ask(client: &mut TcpStream) -> String {
    client.write_all(REQUEST).await.unwrap();
    answer_of(client).await
}

/// One answer whose end is its last word.
async fn answer_of(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let read = timeout(DEADLINE, client.read_buf(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer);
        assert_ne!(read.expect("hangs").unwrap(), 0, "ended after {text:?}");
    }
    String::from_utf8(answer).unwrap()
}

async fn rest_of(client: &mut TcpStream) -> String {
    let mut rest = String::new();
    let read = timeout(DEADLINE, client.read_to_string(&mut rest)).await;
    read.expect("stays open").unwrap();
    rest
}

/// Says when it is asked, and answers when it is told to.
fn gate() -> (Router, [Arc<Notify>; 2]) {
    let [entered, go_on] = [(); 2].map(|()| Arc::new(Notify::new()));
    let ends = [entered.clone(), go_on.clone()];
    let handler = async move || {
        entered.notify_one();
        go_on.notified().await;
        "done"
    };
    (Router::new().route("/", get(handler)), ends)
}

fn prompt() -> Router {
    Router::new().route("/", get("done"))
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let (app, [entered, go_on]) = gate();
    let server = start(app, PATIENT).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    server.stop.cancel();
    server.is_refusing().await;

    go_on.notify_one();
    let answer = rest_of(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.ends_with("done") && answer.contains("connection: close"),
        "{answer}"
    );
    timeout(DEADLINE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_connected_before_the_end_is_answered() {
    let server = start(prompt(), PATIENT).await;
    // Nothing ran since, so nobody has looked at this connection when the end comes.
    let client = std::net::TcpStream::connect(server.address).unwrap();
    server.stop.cancel();
    client.set_nonblocking(true).unwrap();
    let mut client = TcpStream::from_std(client).unwrap();
    client.write_all(REQUEST).await.unwrap();
    assert!(rest_of(&mut client).await.ends_with("done"));
    timeout(DEADLINE, server.ended).await.unwrap().unwrap();
}

/// As a proxy does: it sends as long as nobody says that the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_loses_no_request() {
    let server = start(prompt(), PATIENT).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.connect().await;
        ask(&mut client).await;
        clients.push(tokio::spawn(async move {
            while !ask(&mut client).await.contains("connection: close") {}
            assert_eq!(rest_of(&mut client).await, "");
        }));
    }
    server.stop.cancel();
    for client in clients {
        client.await.expect("a request was lost");
    }
    timeout(DEADLINE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = start(prompt(), PATIENT).await;
    let mut client = server.connect().await;
    ask(&mut client).await;
    server.stop.cancel();
    assert_eq!(rest_of(&mut client).await, "");
    timeout(DEADLINE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_sends_half_a_head_is_cut() {
    let server = start(prompt(), IMPATIENT).await;
    let mut client = server.connect().await;
    client.write_all(&REQUEST[..20]).await.unwrap();
    assert!(!rest_of(&mut client).await.contains("done"));
}

#[tokio::test]
async fn a_client_that_sends_a_head_byte_by_byte_is_cut() {
    let server = start(prompt(), IMPATIENT).await;
    let (mut read, mut write) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        write.write_all(b"GET / HTTP/1.1\r\n").await?;
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        loop {
            pace.tick().await;
            write.write_all(b"A: b\r\n").await?;
        }
        #[expect(unreachable_code, reason = "it gives the block its type")]
        std::io::Result::Ok(())
    });
    assert!(
        timeout(DEADLINE, drip)
            .await
            .expect("is not cut")
            .unwrap()
            .is_err()
    );
    let mut rest = Vec::new();
    let _ = read.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("done"));
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut() {
    let endless = || async { axum::body::Body::from(vec![0_u8; 64 * 1024 * 1024]) };
    let server = start(Router::new().route("/", get(endless)), IMPATIENT).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    server.stop.cancel();
    // It ends long before the drain is over, which would cut the connection as well.
    timeout(Duration::from_secs(5), server.ended)
        .await
        .expect("is not cut")
        .unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = start(prompt(), PATIENT).await;
    let mut client = server.connect().await;
    let head = format!(
        "GET / HTTP/1.1\r\nA: {}\r\n\r\n",
        "a".repeat(2 * BUFFER_MAX)
    );
    let _ = client.write_all(head.as_bytes()).await; // it may be cut in the middle
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait_for_one() {
    let [entered, go_on] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
    let (enter, wait) = (entered.clone(), go_on.clone());
    let (at_once, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (at_once, seen) = (Arc::new(at_once), most.clone());
    let handler = async move || {
        seen.fetch_max(at_once.fetch_add(1, Relaxed) + 1, Relaxed);
        enter.add_permits(1);
        wait.acquire().await.unwrap().forget();
        at_once.fetch_sub(1, Relaxed);
        "done"
    };
    let limits = Limits {
        connections: 2,
        keep_alive: DEADLINE,
    };
    let server = start(Router::new().route("/", get(handler)), limits).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        client.write_all(REQUEST).await.unwrap();
        clients.push(tokio::spawn(async move { answer_of(&mut client).await }));
    }
    // Pair by pair; each pair makes room for the next when it is answered and gone.
    for _ in 0..3 {
        let pair = timeout(DEADLINE, entered.acquire_many(2)).await;
        pair.expect("places are not given back").unwrap().forget();
        go_on.add_permits(2);
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(most.load(Relaxed), 2);
}

#[tokio::test]
async fn a_body_is_read_to_its_end() {
    let echo = |body: String| async move { body };
    let server = start(Router::new().route("/", post(echo)), PATIENT).await;
    let mut client = server.connect().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    server.stop.cancel();
    server.is_refusing().await;
    client.write_all(b"done").await.unwrap();
    assert!(rest_of(&mut client).await.ends_with("halfdone"));
}
