//! An error tracker for the tests: takes what is sent to Sentry over HTTP, and hands it over.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

const REPORT_WITHIN: Duration = Duration::from_secs(20);

/// The tracker, until the end of the process.
pub(crate) struct Tracker {
    pub(crate) dsn: String,
    envelopes: Receiver<String>,
}

/// A report: what it says, and all that was sent with it.
pub(crate) struct Report {
    pub(crate) event: Value,
    pub(crate) envelope: String,
}

impl Tracker {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let dsn = format!("http://k3y@{}/42", listener.local_addr().unwrap());
        let (take, envelopes) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let take = take.clone();
                thread::spawn(move || take_envelopes(stream.unwrap(), &take));
            }
        });
        Self { dsn, envelopes }
    }

    /// The next report, when it has come.
    pub(crate) fn report(&self) -> Report {
        let envelope = self.envelopes.recv_timeout(REPORT_WITHIN);
        let envelope = envelope.expect("no report in time");
        let event = envelope
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|item| item["message"].is_string())
            .unwrap_or_else(|| panic!("no event in {envelope}"));
        Report { event, envelope }
    }
}

fn take_envelopes(stream: TcpStream, take: &Sender<String>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap() == 0 {
                return;
            }
        }
        assert!(head.starts_with("POST /api/42/envelope/"), "{head}");
        let head = head.to_lowercase();
        assert!(head.contains("sentry_key=k3y"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        stream.get_mut().write_all(answer).unwrap();
        take.send(String::from_utf8(body).unwrap()).ok(); // the test may have seen enough
    }
}
