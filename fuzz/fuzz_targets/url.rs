//! A connection URL of any text: options, or an error that doesn't repeat it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::wire::ConnectOptions;

fuzz_target!(|text: &str| {
    if let Ok(options) = text.parse::<ConnectOptions>() {
        let password = options.password.expose();
        // The parts that are shown may hold the same text by chance; nothing but them is shown.
        let shown = options.to_string();
        let rest = shown.replacen(&options.user, "", 1).replacen(&options.address(), "", 1);
        if password.len() > 8 {
            assert!(!rest.contains(password));
        }
    }
});
