//! Tests of what the variables say.

use super::*;

fn config(variables: &[(&str, &str)]) -> Config {
    Config::load(&variables.iter().copied().collect()).unwrap()
}

#[test]
fn a_name_alone_is_one_of_the_project_and_a_full_name_is_left_as_it_is() {
    let with = config(&[(PROJECT, "shop")]);
    let without = config(&[]);
    for (config, name, full) in [
        (&with, "key", Some("projects/shop/secrets/key")),
        (&with, "projects/p/secrets/key", Some("projects/p/secrets/key")),
        (&without, "projects/p/secrets/key", Some("projects/p/secrets/key")),
        (&without, "key", None),
    ] {
        match (config.full_name("secrets", name), full) {
            (Ok(found), Some(full)) => assert_eq!(found, full),
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                assert!(error.message().contains(PROJECT), "{error}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn a_client_is_made_by_the_first_who_asks_and_not_before() {
    let config = config(&[]);
    assert!(format!("{:?}", config.https()).contains("uninit"));
    config.https().client().unwrap();
    assert!(!format!("{:?}", config.https()).contains("uninit"));
}
