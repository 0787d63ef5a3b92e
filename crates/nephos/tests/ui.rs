//! What the compiler says to someone who writes a function wrongly. After a new compiler: `TRYBUILD=overwrite cargo test -p nephos --test ui`, and
//! read the difference.

#[test]
fn the_compiler_teaches() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
