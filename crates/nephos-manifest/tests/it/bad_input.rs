//! Each kind of bad input, and the whole report that it brings: `bad/<name>.toml` gives `bad/<name>.txt`.

use crate::common::{load, render};

macro_rules! cases {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let text = include_str!(concat!("bad/", stringify!($name), ".toml"));
                let report = load(text).expect_err("the manifest is wrong");
                let expected = include_str!(concat!("bad/", stringify!($name), ".txt"));
                let rendered = render(&report);
                assert!(rendered == expected, "expected:\n{expected}\nrendered:\n{rendered}");
            }
        )*

        #[test]
        fn every_case_is_run() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bad");
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            files.sort();
            let mut run = vec![$(stringify!($name)),*];
            run.sort_unstable();
            assert_eq!(files, run);
        }
    };
}

cases! {
    syntax duplicate_key unknown_key unknown_kind_of_resource odd_key missing_app missing_table_key wrong_type bare_number
    wrong_unit out_of_range bad_name long_name name_of_two_kinds unknown_resource wrong_kind implicit_queue_is_taken access
    trigger_kinds trigger_choices dead_letter dead_letter_of_its_own route_clash trigger_clash path schedule time_zone email environment_names
    bucket_elsewhere credentials table_attributes target
}
