#[nephos::function]
struct Recognise;

fn main() {}
