//! A connection URL of any text: options, or an error that doesn't repeat it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::wire::ConnectOptions;

fuzz_target!(|text: &str| {
    if let Ok(options) = text.parse::<ConnectOptions>() {
        let password = options.password.expose();
        if password.len() > 8 && !options.user.contains(password) && !options.host.contains(password) {
            assert!(!options.to_string().contains(password));
        }
    }
});
