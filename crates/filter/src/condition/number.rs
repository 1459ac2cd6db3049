//! Exact numbers: integers and decimals of up to 38 digits.

use std::cmp::Ordering;

/// `mantissa / 10^scale`; `scale` is at most 38.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    pub mantissa: i128,
    pub scale: u32,
}

/// Digits that a mantissa surely holds.
pub(crate) const MAX_DIGITS: u32 = 38;

impl Exact {
    pub fn int(value: i128) -> Self {
        Self { mantissa: value, scale: 0 }
    }

    /// `[-]digits[.digits]`; `None` for anything else and for more than 38 digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mut mantissa, mut scale, mut point, mut any) = (0i128, 0u32, false, false);
        for &byte in text {
            match byte {
                b'.' if !point => point = true,
                b'0'..=b'9' => {
                    any = true;
                    mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    scale += u32::from(point);
                }
                _ => return None,
            }
        }
        let fits = any && scale <= MAX_DIGITS && mantissa < pow10(MAX_DIGITS);
        fits.then_some(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// Whole part and what is behind the point, as a fraction of `10^scale`; both have the number's sign.
    fn parts(self) -> (i128, i128) {
        let unit = pow10(self.scale);
        (self.mantissa / unit, self.mantissa % unit)
    }

    pub fn compare(self, other: Self) -> Ordering {
        let ((whole, fraction), (other_whole, other_fraction)) = (self.parts(), other.parts());
        // Fractions are below one, so lifted to the larger scale they have at most 38 digits.
        let scale = self.scale.max(other.scale);
        let lifted = |fraction: i128, from: u32| fraction * pow10(scale - from);
        whole
            .cmp(&other_whole)
            .then_with(|| lifted(fraction, self.scale).cmp(&lifted(other_fraction, other.scale)))
    }

    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Both with the larger scale; `None` beyond 38 digits.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let left = self.mantissa.checked_mul(pow10(scale - self.scale))?;
        let right = other.mantissa.checked_mul(pow10(scale - other.scale))?;
        Some((left, right, scale))
    }

    pub fn add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_add(right)?, scale })
    }

    pub fn sub(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_sub(right)?, scale })
    }

    pub fn mul(self, other: Self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_mul(other.mantissa)?, scale: self.scale + other.scale })
    }

    /// The remainder, with the sign of the left side; `other` isn't zero.
    pub fn rem(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_rem(right)?, scale })
    }

    /// The nearest double, as the servers convert: by way of the text.
    pub fn to_real(self) -> f64 {
        format!("{}e-{}", self.mantissa, self.scale).parse().unwrap_or(f64::NAN)
    }
}

fn pow10(exponent: u32) -> i128 {
    10i128.pow(exponent.min(MAX_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_compare_by_value_whatever_their_scale() {
        assert_eq!(exact("1.50").compare(exact("1.5")), Ordering::Equal);
        assert_eq!(exact("-0.3").compare(exact("-0.25")), Ordering::Less);
        assert_eq!(exact("-0").compare(exact("0.000")), Ordering::Equal);
        let wide = "99999999999999999999999999999999999999";
        assert_eq!(exact(wide).compare(exact("0.0000000000000000000000000000000000001")), Ordering::Greater);
        assert_eq!(Exact::parse(format!("{wide}9").as_bytes()), None);
        for wrong in ["", "-", ".", "1.2.3", "1e3", "a"] {
            assert_eq!(Exact::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_remainder_has_the_sign_of_the_left_side() {
        assert_eq!(exact("-7").rem(exact("3")), Some(exact("-1")));
        assert_eq!(exact("7.5").rem(exact("-2")), Some(exact("1.5")));
    }
}
