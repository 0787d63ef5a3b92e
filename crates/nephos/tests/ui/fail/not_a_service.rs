#[nephos::function]
fn site() -> String {
    String::new()
}

nephos::main!(site);
