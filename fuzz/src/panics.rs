//! Which panics end a target.

/// Makes every panic in this project's code abort at once. libFuzzer's own hook does so for any panic, but the library
/// catches those of redb and of tokenizers on purpose, and they are no findings. One that is not caught leaves the target,
/// and libfuzzer-sys aborts then.
pub fn abort_on_own_panics() {
    let _ = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        let file = panic.location().map(|location| location.file()).unwrap_or_default();
        let of_others = file.contains("/registry/") || file.starts_with("/rustc/") || file.contains("/rustlib/");
        if !of_others {
            eprintln!("{panic}");
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
    }));
}
