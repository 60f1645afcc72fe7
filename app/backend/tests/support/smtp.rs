//! A mail server for the tests. Speaks as much SMTP as a letter needs, on a port of this machine, and hands
//! over what it was given.

use std::time::Duration;

use mail_parser::MessageParser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

const LETTER_WITHIN: Duration = Duration::from_secs(20);

/// The server, until it is dropped with the runtime of its test.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    letters: UnboundedReceiver<Letter>,
}

/// A letter as it arrived.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    /// Its plain text.
    pub(crate) text: String,
}

impl MailServer {
    /// A server that takes every letter.
    pub(crate) async fn start() -> Self {
        Self::answering("250 taken").await
    }

    /// A server that answers like this when it was given a letter.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, letters) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(converse(client, answer, taken.clone()));
            }
        });
        Self { port, letters }
    }

    /// The next letter, when it has come.
    pub(crate) async fn letter(&mut self) -> Letter {
        let letter = timeout(LETTER_WITHIN, self.letters.recv()).await;
        letter.expect("no letter in time").unwrap()
    }

    /// The letters that have come and were not asked for.
    pub(crate) fn rest(&mut self) -> Vec<Letter> {
        std::iter::from_fn(|| self.letters.try_recv().ok()).collect()
    }
}

async fn converse(client: TcpStream, answer: &str, letters: UnboundedSender<Letter>) {
    let mut client = BufReader::new(client);
    say(&mut client, "220 test").await;
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        match word.to_uppercase().as_str() {
            "RCPT" => line.trim().clone_into(&mut to),
            "DATA" => {
                say(&mut client, "354 go on").await;
                let letter = read(&mut client, &to).await;
                if answer.starts_with('2') {
                    letters.send(letter).ok();
                }
                say(&mut client, answer).await;
                continue;
            }
            "QUIT" => return say(&mut client, "221 bye").await,
            _ => {}
        }
        say(&mut client, "250 fine").await;
    }
}

async fn say(client: &mut BufReader<TcpStream>, line: &str) {
    client
        .write_all(format!("{line}\r\n").as_bytes())
        .await
        .ok();
}

async fn read(client: &mut BufReader<TcpStream>, to: &str) -> Letter {
    let mut source = String::new();
    while !source.ends_with("\r\n.\r\n") {
        let more = client.read_line(&mut source).await.unwrap();
        assert!(more > 0, "the client hung up within a letter");
    }
    let mail = MessageParser::default().parse(&source).unwrap();
    let to = to.split_once('<').and_then(|(_, to)| to.split_once('>'));
    Letter {
        to: to.unwrap().0.to_owned(),
        subject: mail.subject().unwrap().to_owned(),
        text: mail.body_text(0).unwrap().into_owned(),
    }
}
