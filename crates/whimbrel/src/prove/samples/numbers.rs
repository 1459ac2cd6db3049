//! Numbers and vectors of numbers.

use whimbrel_model::Value;

use super::Sample;

pub(super) fn integers(bytes: u8, unsigned: bool) -> Vec<Sample> {
    let bits = u32::from(bytes.clamp(1, 8)) * 8;
    if unsigned {
        let max = u64::MAX >> (64 - bits);
        return vec![
            Sample::new("smallest", Value::UInt(0)),
            Sample::new("one", Value::UInt(1)),
            Sample::new("beyond the signed range", Value::UInt(max / 2 + 1)),
            Sample::new("largest", Value::UInt(max)),
        ];
    }
    let max = i64::MAX >> (64 - bits);
    vec![
        Sample::new("smallest", Value::Int(-max - 1)),
        Sample::new("minus one", Value::Int(-1)),
        Sample::new("zero", Value::Int(0)),
        Sample::new("largest", Value::Int(max)),
    ]
}

pub(super) fn decimals(precision: u8, scale: u8, unsigned: bool) -> Vec<Sample> {
    let (whole, scale) = (usize::from(precision.saturating_sub(scale)), usize::from(scale));
    let number = |whole: String, fraction: String| {
        let whole = if whole.is_empty() { "0".to_owned() } else { whole };
        if scale == 0 { whole } else { format!("{whole}.{fraction}") }
    };
    let largest = number("9".repeat(whole), "9".repeat(scale));
    let least = if scale == 0 { "1".to_owned() } else { number("0".to_owned(), format!("{:0>scale$}", 1)) };
    let zero = number("0".to_owned(), "0".repeat(scale));
    let digits = number(
        "1234567890".chars().cycle().take(whole).collect(),
        "0123456789".chars().cycle().take(scale).collect(),
    );
    let value = |text: &str| Value::Decimal(text.as_bytes().to_vec());
    let mut samples = vec![
        Sample::new("zero", value(&zero)),
        Sample::new("all digits", value(&digits)),
        Sample::new("largest", value(&largest)),
        Sample::new("least positive", value(&least)),
    ];
    if !unsigned {
        samples.push(Sample::new("smallest", value(&format!("-{largest}"))));
        samples.push(Sample::new("least negative", value(&format!("-{least}"))));
    }
    samples
}

/// What `(M,D)` lets a column hold: multiples of the last digit.
fn rounded(digits: (u8, u8)) -> f64 {
    let (precision, scale) = (i32::from(digits.0), i32::from(digits.1));
    10f64.powi(precision - scale) - 10f64.powi(-scale)
}

pub(super) fn floats(digits: Option<(u8, u8)>, unsigned: bool) -> Vec<Sample> {
    let mut numbers: Vec<(&'static str, f32)> = vec![("zero", 0.0), ("one", 1.0)];
    match digits {
        Some(digits) => numbers.push(("largest of its digits", rounded(digits) as f32)),
        None => numbers.extend([
            ("more than six digits", 16_777_217.0_f32),
            ("no finite decimal", 0.1),
            ("largest", f32::MAX),
            ("smallest normal", f32::MIN_POSITIVE),
            ("smallest denormal", f32::from_bits(1)),
        ]),
    }
    if !unsigned {
        let negative = numbers.last().map_or(-1.0, |(_, number)| -number);
        numbers.extend([("negative", negative), ("minus one", -1.0)]);
        if digits.is_none() {
            numbers.extend([("largest negative", -f32::MAX), ("minus zero", -0.0)]);
        }
    }
    numbers.into_iter().map(|(class, number)| Sample::new(class, Value::Float(number))).collect()
}

pub(super) fn doubles(digits: Option<(u8, u8)>, unsigned: bool) -> Vec<Sample> {
    let mut numbers: Vec<(&'static str, f64)> = vec![("zero", 0.0), ("one", 1.0)];
    match digits {
        Some(digits) => numbers.push(("largest of its digits", rounded(digits))),
        None => numbers.extend([
            ("seventeen digits", 0.1 + 0.2),
            ("beyond 2^53", 9_007_199_254_740_994.0),
            ("largest", f64::MAX),
            ("smallest normal", f64::MIN_POSITIVE),
            ("smallest denormal", f64::from_bits(1)),
        ]),
    }
    if !unsigned {
        let negative = numbers.last().map_or(-1.0, |(_, number)| -number);
        numbers.extend([("negative", negative), ("minus one", -1.0)]);
        if digits.is_none() {
            numbers.extend([("largest negative", -f64::MAX), ("minus zero", -0.0)]);
        }
    }
    numbers.into_iter().map(|(class, number)| Sample::new(class, Value::Double(number))).collect()
}

pub(super) fn bits(bits: u8) -> Vec<Sample> {
    let all = u64::MAX >> (64 - u32::from(bits.clamp(1, 64)));
    vec![
        Sample::new("none", Value::Bit(0)),
        Sample::new("lowest", Value::Bit(1)),
        Sample::new("highest", Value::Bit(all ^ (all >> 1))),
        Sample::new("all", Value::Bit(all)),
    ]
}

pub(super) fn vectors(dimensions: u32) -> Vec<Sample> {
    let of = |numbers: &[f32]| {
        let numbers = numbers.iter().copied().cycle().take(dimensions as usize);
        Value::Bytes(numbers.flat_map(f32::to_le_bytes).collect())
    };
    vec![
        Sample::new("zeros", of(&[0.0])),
        Sample::new("no finite decimals", of(&[0.1, -0.2, 1.0 / 3.0])),
        Sample::new("largest and smallest", of(&[f32::MAX, -f32::MAX, f32::MIN_POSITIVE])),
    ]
}
