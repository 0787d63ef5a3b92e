//! What a program finds around it, where there is no system: the certificates that it trusts servers by, a user, and a place for files of a moment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::layer::Entry;

/// Where programs look for certificates, as on Debian.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// As long as lines of PEM may be: <https://www.rfc-editor.org/rfc/rfc7468#section-2>.
const LINE: usize = 64;

/// The names of users and groups: programs ask for that of their own.
const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";

/// The layer that is the same for all programs, so that a registry needs it only once.
pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::folder("etc/", 0o755),
        Entry::file("etc/group", 0o644, GROUP.as_bytes().to_vec()),
        Entry::file("etc/passwd", 0o644, PASSWD.as_bytes().to_vec()),
        Entry::folder("etc/ssl/", 0o755),
        Entry::folder("etc/ssl/certs/", 0o755),
        Entry::file(CERTIFICATES, 0o644, certificates().into_bytes()),
        Entry::folder("tmp/", 0o1777),
    ]
}

/// Mozilla's certificates, in PEM.
fn certificates() -> String {
    let mut text = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            // Base64 is ASCII: every place is a character's.
            let (line, more) = rest.split_at(rest.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificates_are_pem_that_decodes_to_the_same_certificates() {
        let text = certificates();
        let decoded: Vec<Vec<u8>> = text
            .split("-----BEGIN CERTIFICATE-----\n")
            .skip(1)
            .map(|block| block.split("-----END").next().unwrap())
            .map(|body| STANDARD.decode(body.replace('\n', "")).unwrap())
            .collect();
        let roots: Vec<&[u8]> = (webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter())
            .map(AsRef::as_ref)
            .collect();
        assert_eq!(decoded, roots);
        assert!(roots.len() > 50);
        assert!(text.lines().all(|line| line.len() <= LINE));
    }
}
