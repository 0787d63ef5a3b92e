//! Tests of what is said where there are no credentials.

use aws_credential_types::provider::error::TokenError;

use super::*;

fn told(found: &CredentialsError) -> (ErrorKind, String) {
    let error = failed("deploy.account", found);
    (error.kind(), error.message().to_owned())
}

#[test]
fn a_profile_of_single_sign_on_is_told_from_other_sources_whichever_way_it_names_its_token() {
    let by_session = TokenError::provider_error("failed to load the cached SSO token");
    let by_address = "failed to read `/home/ann/.aws/sso/cache/1f.json`";
    for found in [
        CredentialsError::provider_error(by_session),
        CredentialsError::provider_error(by_address),
    ] {
        let (kind, message) = told(&found);
        assert_eq!((kind, message.as_str()), (ErrorKind::Unauthenticated, SIGNED_OUT));
    }
    let (_, message) = told(&CredentialsError::provider_error("the process ended with 1"));
    assert_eq!(message, NO_CREDENTIALS);
    let (_, message) = told(&CredentialsError::provider_error(TokenError::provider_error(
        "the SSO token has expired and cannot be refreshed",
    )));
    assert!(message.contains("sign in again"), "{message}");
}

#[test]
fn a_source_that_cannot_be_reached_is_no_lack_of_credentials() {
    let closed = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
    let error = failed(
        "deploy.account",
        &CredentialsError::provider_error(ConnectorError::io(closed())),
    );
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.message().contains("cannot be reached"), "{error}");
    // What is no matter of the network is not taken for one.
    let (kind, message) = told(&CredentialsError::provider_error(ConnectorError::other(
        closed(),
        None,
    )));
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::Unauthenticated, NO_CREDENTIALS)
    );
}

#[cfg(feature = "deploy")]
mod portal {
    use aws_sdk_sso::error::{ErrorMetadata, SdkError};
    use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
    use aws_sdk_sso::types::error::UnauthorizedException;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answered(status: u16, error: GetRoleCredentialsError) -> (ErrorKind, String) {
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        told(&CredentialsError::provider_error(SdkError::service_error(
            error, response,
        )))
    }

    fn coded(status: u16, code: &str) -> (ErrorKind, String) {
        let meta = ErrorMetadata::builder().code(code).build();
        answered(status, GetRoleCredentialsError::generic(meta))
    }

    #[test]
    fn what_the_portal_answers_has_a_meaning_of_its_own() {
        let refused = UnauthorizedException::builder()
            .message("Session token not found or invalid")
            .build();
        let (kind, message) = answered(401, GetRoleCredentialsError::UnauthorizedException(refused));
        assert_eq!((kind, message.as_str()), (ErrorKind::Unauthenticated, SIGNED_OUT));

        for (status, code) in [(403, "ForbiddenException"), (404, "ResourceNotFoundException")] {
            let (kind, message) = coded(status, code);
            assert_eq!(kind, ErrorKind::Unauthenticated);
            assert!(message.contains("sso_role_name"), "{message}");
        }
        for (status, code) in [(429, "TooManyRequestsException"), (503, "")] {
            let (kind, message) = coded(status, code);
            assert_eq!(kind, ErrorKind::Unavailable);
            assert!(message.contains("try again later"), "{message}");
        }
    }
}
