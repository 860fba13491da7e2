//! The Lambda Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) for one function
//! at a time. It has what a function without errors needs.
//!
//! It uses threads and blocking sockets, so that no scheduler delays the time stamps.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::Error;

/// The time limit for a function's next request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The API, with the function's unanswered requests.
#[derive(Debug)]
pub struct RuntimeApi {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    asked: Receiver<Asked>,
    poll: Option<TcpStream>,
    invocations: u64,
}

/// A function's answer to an event.
#[derive(Debug)]
pub struct Answered {
    /// The time from the event's last byte to the answer's last byte.
    pub took: Duration,
    /// The time from the event's last byte to the next poll. Lambda bills it.
    pub billed: Duration,
    /// When the answer's last byte arrived.
    pub at: Instant,
    /// The answer.
    pub body: Value,
}

/// A function's request to the API.
#[derive(Debug)]
struct Asked {
    at: Instant,
    path: String,
    body: Vec<u8>,
    connection: TcpStream,
}

impl RuntimeApi {
    /// Starts the API on any free port.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                // The thread ends with its connection or with the API.
                thread::spawn(move || read(connection, &tell));
            }
        });
        Ok(Self {
            address,
            asked,
            poll: None,
            invocations: 0,
        })
    }

    /// Discards the unanswered requests of an earlier function.
    pub fn reset(&mut self) {
        self.poll = None;
        while self.asked.try_recv().is_ok() {}
    }

    /// Waits until the function polls for an event. Returns when it did.
    ///
    /// # Errors
    /// If it does not poll within 10 seconds or reports an error.
    pub fn polled(&mut self) -> Result<Instant, Error> {
        let asked = self.asked.recv_timeout(PATIENCE)?;
        if !asked.path.ends_with("/invocation/next") {
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            return Err(format!("{}: {body}", asked.path).into());
        }
        self.poll = Some(asked.connection);
        Ok(asked.at)
    }

    /// Sends the function an event, and waits for its answer and its next poll.
    ///
    /// # Errors
    /// If the function fails or takes longer than 10 seconds.
    pub fn invoke(&mut self, event: &Value) -> Result<Answered, Error> {
        let mut poll = self.poll.take().ok_or("the function has not polled")?;
        self.invocations += 1;
        let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + PATIENCE;
        let body = event.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Lambda-Runtime-Aws-Request-Id: {:036}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\r\n",
            body.len(),
            self.invocations,
            deadline.as_millis(),
        );
        poll.write_all(format!("{head}{body}").as_bytes())?;
        let sent = Instant::now();
        let mut answer = self.asked.recv_timeout(PATIENCE)?;
        let (at, took) = (answer.at, answer.at - sent);
        let accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
        answer.connection.write_all(accepted)?;
        if !answer.path.ends_with("/response") {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("{}: {body}", answer.path).into());
        }
        let billed = self.polled()? - sent;
        let body = serde_json::from_slice(&answer.body)?;
        Ok(Answered {
            took,
            billed,
            at,
            body,
        })
    }
}

/// Reads the requests of one connection.
fn read(connection: TcpStream, tell: &Sender<Asked>) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let (mut length, mut chunked) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            chunked |= line.starts_with("transfer-encoding:");
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk)?;
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        } else {
            body.resize(length, 0);
            reader.read_exact(&mut body)?;
        }
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let asked = Asked {
            at: Instant::now(),
            path,
            body,
            connection: connection.try_clone()?,
        };
        if tell.send(asked).is_err() {
            return Ok(());
        }
    }
}
