//! Each thing that must hold, and that a request for which it does not is refused for that reason.

use proptest::prelude::{any, proptest};

use super::*;

const BODY: &[u8] = include_bytes!("../../tests/signature/request.json");
const SIGNED: &str = include_str!("../../tests/signature/request.sig");
const CHAIN: &[u8] = include_bytes!("../../tests/signature/chain.pem");
const OTHER_CHAIN: &[u8] = include_bytes!("../../tests/signature/another-name.pem");
const OTHER_SIGNED: &str = include_str!("../../tests/signature/another-name.sig");
const ROOT: &[u8] = include_bytes!("../../tests/signature/root.pem");
const OTHER_ROOT: &[u8] = include_bytes!("../../tests/signature/another-root.pem");

fn roots(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(pem).unwrap()]
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const REQUEST: Signed<'static> = Signed {
    body: BODY,
    signature: SIGNED,
    chain: CHAIN,
};

fn reason(request: Signed<'_>, root: &[u8], now: &str) -> String {
    let error = verify(request, &roots(root), at(now)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    error.to_string()
}

#[test]
fn a_request_of_alexa_is_good_for_150_seconds() {
    for now in [
        "2026-12-01T12:00:00Z",
        "2026-12-01T12:02:30Z",
        "2026-12-01T11:57:30Z",
    ] {
        verify(REQUEST, &roots(ROOT), at(now)).unwrap();
    }
    for now in ["2026-12-01T12:02:31Z", "2026-12-01T11:57:29Z"] {
        assert!(reason(REQUEST, ROOT, now).contains("older than 150 seconds"));
    }
}

const NOW: &str = "2026-12-01T12:00:00Z";

#[test]
fn a_chain_must_lead_to_an_authority_and_hold() {
    for (root, now) in [
        (OTHER_ROOT, NOW),
        (ROOT, "2020-01-01T00:00:00Z"),
        (ROOT, "2100-01-01T00:00:00Z"),
    ] {
        assert!(
            reason(REQUEST, root, now).contains("does not lead to a trusted authority"),
            "{now}"
        );
    }
    // Without the certificate between, there is no way.
    let text = std::str::from_utf8(CHAIN).unwrap();
    let end = text.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----".len();
    let alone = Signed {
        chain: &CHAIN[..end],
        ..REQUEST
    };
    assert!(reason(alone, ROOT, NOW).contains("does not lead to a trusted authority"));
    assert!(verify(REQUEST, &[], at(NOW)).is_err());
}

#[test]
fn another_name_is_not_alexas() {
    let other = Signed {
        chain: OTHER_CHAIN,
        signature: OTHER_SIGNED,
        ..REQUEST
    };
    assert!(reason(other, ROOT, NOW).contains("not Alexa's"));
}

#[test]
fn a_changed_body_or_another_signature_is_refused() {
    let mut changed = BODY.to_vec();
    changed.push(b' ');
    let request = Signed {
        body: &changed,
        ..REQUEST
    };
    assert!(reason(request, ROOT, NOW).contains("was changed"));
    for (signature, named) in [
        (OTHER_SIGNED, "was changed"),
        ("!", "not Base64"),
        ("", "was changed"),
    ] {
        let request = Signed { signature, ..REQUEST };
        assert!(reason(request, ROOT, NOW).contains(named), "{signature}");
    }
}

#[test]
fn what_is_no_chain_is_refused() {
    for (chain, named) in [
        (&b""[..], "empty"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cannot be read",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "not PEM",
        ),
    ] {
        let request = Signed { chain, ..REQUEST };
        let reason = reason(request, ROOT, NOW);
        assert!(reason.contains(named), "{reason}");
    }
}

#[test]
fn a_chain_is_fetched_from_amazon_only() {
    for url in [
        "https://s3.amazonaws.com/echo.api/echo-api-cert.pem",
        "HTTPS://S3.amazonaws.com:443/echo.api/echo-api-cert.pem",
        "https://s3.amazonaws.com/echo.api/../echo.api/echo-api-cert.pem",
    ] {
        let checked = check_url(url).unwrap();
        assert_eq!(
            checked.as_str(),
            "https://s3.amazonaws.com/echo.api/echo-api-cert.pem"
        );
    }
    for url in [
        "http://s3.amazonaws.com/echo.api/echo-api-cert.pem",
        "https://notamazon.com/echo.api/echo-api-cert.pem",
        "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert.pem",
        "https://s3.amazonaws.com/invalid.path/echo-api-cert.pem",
        "https://s3.amazonaws.com:563/echo.api/echo-api-cert.pem",
        "https://s3.amazonaws.com/echo.api/../other/cert.pem",
        "https://s3.amazonaws.com/echo.api/%2e%2e/other/cert.pem",
        "https://s3.amazonaws.com.evil.example/echo.api/cert.pem",
        "https://s3.amazonaws.com@evil.example/echo.api/cert.pem",
        "https://a:b@s3.amazonaws.com/echo.api/cert.pem",
        "/echo.api/cert.pem",
        "",
    ] {
        let error = check_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{url}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(body in any::<Vec<u8>>(), signature in any::<String>(), chain in any::<Vec<u8>>()) {
        assert!(verify(Signed { body: &body, signature: &signature, chain: &chain }, &roots(ROOT), at(NOW)).is_err());
        assert!(verify(Signed { body: &body, signature: &signature, chain: CHAIN }, &roots(ROOT), at(NOW)).is_err());
    }
}
