nephos::main!();
