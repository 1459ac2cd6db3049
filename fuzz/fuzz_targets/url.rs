//! A connection URL of any text: options, or an error that doesn't repeat it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::wire::{ConnectOptions, Secret};

fuzz_target!(|text: &str| {
    if let Ok(options) = text.parse::<ConnectOptions>() {
        let mut other = options.clone();
        other.password = Secret::new("another");
        assert_eq!(options.to_string(), other.to_string(), "what is shown doesn't depend on the password");
        assert_eq!(format!("{:?}", options.password), format!("{:?}", other.password));
    }
});
