//! A client that holds its connection in its own hands: half requests, kept connections, nothing at all.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Instant,
};

use serde_json::Value;

use crate::program::DEADLINE;

pub(crate) const HEALTH: &str = "/api/v1/utils/health-check/";
pub(crate) const LOGIN: &str = "/api/v1/login/access-token";

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::try_connect(port).unwrap()
    }

    pub(crate) fn try_connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    pub(crate) fn post(&mut self, path: &str, media_type: &str, body: &str) -> Answer {
        self.send(&post(path, media_type, body.len()));
        self.send(body);
        self.answer()
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.0.read_line(&mut head).unwrap(),
                0,
                "ended after {head:?}"
            );
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        Answer { status, head, body }
    }

    /// Whether the other side ends the connection, with no further word.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn assert_unavailable(&self) {
        assert_eq!(self.status, 503, "{self:?}");
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        assert!(self.head.contains("retry-after: "), "{self:?}");
        assert_eq!(self.json()["status"], 503);
    }
}

/// The head of a request with a body.
pub(crate) fn post(path: &str, media_type: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Asks for the metrics until a line is among them.
pub(crate) fn wait_for_metric(port: u16, line: &str) {
    let deadline = Instant::now() + DEADLINE;
    let mut client = Client::connect(port);
    loop {
        let page = client.get("/metrics").body;
        if page.lines().any(|l| l == line) {
            return;
        }
        assert!(Instant::now() < deadline, "{line} is not in\n{page}");
    }
}
