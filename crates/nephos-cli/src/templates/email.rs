//! Keeps the attachments of inbound mail.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use nephos::prelude::*;

/// Runs for each e-mail to `inbox@example.net`.
#[nephos::function]
async fn inbox(mail: Email, cx: Context) -> Result<()> {
    println!("{:?} from {}", mail.subject, mail.envelope.from);
    // Of the mail's content: a second delivery writes over what the first has written.
    let mut hasher = DefaultHasher::new();
    mail.source.hash(&mut hasher);
    let folder = hasher.finish();
    let attachments = cx.bucket("attachments")?;
    for (number, attachment) in mail.attachments.iter().enumerate() {
        // The sender chose the file's name: it is no key of ours.
        let key = format!("{folder:016x}/{number}");
        attachments.put(&key, attachment.content.clone()).await?;
    }
    Ok(())
}

nephos::main!(inbox);
