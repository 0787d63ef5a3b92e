//! A metadata server, of which credentials are got: <https://cloud.google.com/compute/docs/metadata/overview>.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Gives this token to whoever asks for one; tells where.
///
/// # Errors
/// If no port is free.
pub(crate) async fn start(token: String) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let body =
        serde_json::json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}).to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let body = body.clone();
            // A client that goes away tells of it itself.
            tokio::spawn(async move { answer(stream, &body).await });
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream, body: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await
}
