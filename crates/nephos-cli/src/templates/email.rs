//! Keeps the attachments of inbound mail.

use nephos::prelude::*;

/// Runs for each e-mail to `inbox@example.net`.
#[nephos::function]
async fn inbox(mail: Email, cx: Context) -> Result<()> {
    println!("{:?} from {}", mail.subject, mail.envelope.from);
    let attachments = cx.bucket("attachments")?;
    for (number, attachment) in mail.attachments.iter().enumerate() {
        // The sender chose the file's name: it is no key of ours.
        let key = format!("{}/{number}", cx.invocation_id());
        attachments.put(&key, attachment.content.clone()).await?;
    }
    Ok(())
}

nephos::main!(inbox);
