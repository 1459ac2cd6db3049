//! Login methods: what a client answers to a scramble, and to the packets that follow.
//!
//! | plugin | answer |
//! |---|---|
//! | `mysql_native_password` | SHA1(p) xor SHA1(scramble, SHA1(SHA1(p))) |
//! | `caching_sha2_password` | SHA256(p) xor SHA256(SHA256(SHA256(p)), scramble); if the server has no cached hash, the password itself over TLS, else encrypted with the server's RSA key |
//! | `sha256_password` | the password itself over TLS, else encrypted with the server's RSA key |
//! | `client_ed25519` (MariaDB) | an Ed25519 signature of the scramble, whose secret key is SHA512(p) |
//! | `mysql_clear_password` | the password itself, only over TLS |
//!
//! The RSA key comes from the server over the same connection, as with `--get-server-public-key` of MySQL's own
//! client: without a verified certificate an impostor can ask for the password by any of these but the first and
//! the ed25519 one. `tls=verify-full` is the way out.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::error::WireError;
use super::options::Secret;

/// A login method that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plugin {
    Native,
    CachingSha2,
    Sha256,
    Ed25519,
    Clear,
}

/// `sha256_password`: "send me your key".
const SHA256_KEY_REQUEST: u8 = 1;
/// `caching_sha2_password`: the same.
const CACHING_SHA2_KEY_REQUEST: u8 = 2;
const CACHING_SHA2_FAST_OK: u8 = 3;
const CACHING_SHA2_FULL: u8 = 4;

impl Plugin {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "mysql_native_password" => Some(Self::Native),
            "caching_sha2_password" => Some(Self::CachingSha2),
            "sha256_password" => Some(Self::Sha256),
            "client_ed25519" => Some(Self::Ed25519),
            "mysql_clear_password" => Some(Self::Clear),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
            Self::Ed25519 => "client_ed25519",
            Self::Clear => "mysql_clear_password",
        }
    }

    /// The first answer to a scramble.
    pub(super) fn answer(self, password: &Secret, scramble: &[u8], tls: bool) -> Result<Vec<u8>, WireError> {
        let secret = password.expose().as_bytes();
        match self {
            Self::Native if secret.is_empty() => Ok(Vec::new()),
            Self::Native => Ok(native(secret, scramble).to_vec()),
            // MySQL's client sends one NUL for "no password" in both.
            Self::CachingSha2 | Self::Sha256 if secret.is_empty() => Ok(vec![0]),
            Self::CachingSha2 => Ok(caching_sha2(secret, scramble).to_vec()),
            Self::Sha256 if tls => Ok(clear(secret)),
            Self::Sha256 => Ok(vec![SHA256_KEY_REQUEST]),
            Self::Ed25519 => Ok(ed25519(secret, scramble).to_vec()),
            Self::Clear if tls => Ok(clear(secret)),
            Self::Clear => Err(self.refused("it sends the password readable, which is done only over TLS")),
        }
    }

    /// The answer to a packet that asks for more (its payload after the tag), `None` if there is nothing to say.
    pub(super) fn answer_more(
        self,
        data: &[u8],
        password: &Secret,
        scramble: &[u8],
        tls: bool,
    ) -> Result<Option<Vec<u8>>, WireError> {
        let secret = password.expose().as_bytes();
        match (self, data) {
            (Self::CachingSha2, [CACHING_SHA2_FAST_OK]) => Ok(None),
            (Self::CachingSha2, [CACHING_SHA2_FULL]) if tls => Ok(Some(clear(secret))),
            (Self::CachingSha2, [CACHING_SHA2_FULL]) => Ok(Some(vec![CACHING_SHA2_KEY_REQUEST])),
            (Self::CachingSha2 | Self::Sha256, [b'-', ..]) if !tls => {
                self.encrypt(secret, scramble, data).map(Some)
            }
            _ => Err(self.refused("the server asks for something that this method does not have")),
        }
    }

    fn refused(self, reason: impl Into<String>) -> WireError {
        WireError::AuthPlugin { plugin: self.name().to_owned(), reason: reason.into() }
    }

    /// RSA-OAEP(SHA1) of the NUL-terminated password, which is xored with the scramble before.
    fn encrypt(self, secret: &[u8], scramble: &[u8], pem: &[u8]) -> Result<Vec<u8>, WireError> {
        let pem = str::from_utf8(pem).map_err(|_| self.refused("the server's RSA key is not a PEM text"))?;
        let key = RsaPublicKey::from_public_key_pem(pem.trim_end_matches('\0'))
            .map_err(|error| self.refused(format!("the server's RSA key cannot be read: {error}")))?;
        if scramble.is_empty() {
            return Err(self.refused("the server sent no scramble"));
        }
        let mut message = clear(secret);
        message.iter_mut().zip(scramble.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        key.encrypt(&mut rsa::rand_core::OsRng, Oaep::new::<Sha1>(), &message)
            .map_err(|error| self.refused(format!("the password cannot be encrypted: {error}")))
    }
}

fn clear(secret: &[u8]) -> Vec<u8> {
    let mut bytes = secret.to_vec();
    bytes.push(0);
    bytes
}

fn xor<const N: usize>(mut left: [u8; N], right: [u8; N]) -> [u8; N] {
    left.iter_mut().zip(right).for_each(|(byte, mask)| *byte ^= mask);
    left
}

fn native(secret: &[u8], scramble: &[u8]) -> [u8; 20] {
    let once: [u8; 20] = Sha1::digest(secret).into();
    let twice = Sha1::digest(once);
    let mask = Sha1::new().chain_update(scramble).chain_update(twice).finalize();
    xor(once, mask.into())
}

fn caching_sha2(secret: &[u8], scramble: &[u8]) -> [u8; 32] {
    let once: [u8; 32] = Sha256::digest(secret).into();
    let twice = Sha256::digest(once);
    let mask = Sha256::new().chain_update(twice).chain_update(scramble).finalize();
    xor(once, mask.into())
}

/// MariaDB's plugin is Ed25519 (RFC 8032), except that the password of any length takes the place of the 32-byte seed.
fn ed25519(secret: &[u8], message: &[u8]) -> [u8; 64] {
    let expanded: [u8; 64] = Sha512::digest(secret).into();
    let (low, prefix) = expanded.split_first_chunk::<32>().expect("64 bytes hold 32");
    let key = Scalar::from_bytes_mod_order(clamp_integer(*low));
    let public = EdwardsPoint::mul_base(&key).compress();

    let nonce = Sha512::new().chain_update(prefix).chain_update(message).finalize();
    let nonce = Scalar::from_bytes_mod_order_wide(&nonce.into());
    let point = EdwardsPoint::mul_base(&nonce).compress();

    let challenge =
        Sha512::new().chain_update(point.0).chain_update(public.0).chain_update(message).finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&challenge.into());
    let response = nonce + challenge * key;

    let mut signature = [0; 64];
    let (left, right) = signature.split_at_mut(32);
    left.copy_from_slice(&point.0);
    right.copy_from_slice(response.as_bytes());
    signature
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::{EncodePublicKey, LineEnding};
    use rsa::{RsaPrivateKey, rand_core::OsRng};

    use super::*;

    const SCRAMBLE: &[u8; 20] = b"abcdefghij0123456789";

    /// What the server does: from the stored double hash and the answer back to the single hash.
    #[test]
    fn the_server_can_verify_the_hashed_answers() {
        let mask =
            Sha1::new().chain_update(SCRAMBLE).chain_update(Sha1::digest(Sha1::digest("pw"))).finalize();
        let once = xor(native(b"pw", SCRAMBLE), mask.into());
        assert_eq!(Sha1::digest(once), Sha1::digest(Sha1::digest("pw")));

        let stored = Sha256::digest(Sha256::digest("pw"));
        let mask = Sha256::new().chain_update(stored).chain_update(SCRAMBLE).finalize();
        assert_eq!(Sha256::digest(xor(caching_sha2(b"pw", SCRAMBLE), mask.into())), stored);
    }

    #[test]
    fn ed25519_signs_as_rfc_8032_does_for_its_first_test_key() {
        // RFC 8032, 7.1, test 1: with a 32-byte secret the derivation is the same.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let signature = ed25519(&seed, b"");
        assert_eq!(signature[..8], [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]);
        assert_eq!(signature[56..], [0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b][..]);
    }

    #[test]
    fn without_tls_the_password_goes_out_encrypted_with_the_servers_key() {
        let private = RsaPrivateKey::new(&mut OsRng, 1024).expect("a key");
        let pem = private.to_public_key().to_public_key_pem(LineEnding::LF).expect("pem");
        let password = Secret::new("s3cret");
        for plugin in [Plugin::CachingSha2, Plugin::Sha256] {
            let sent = plugin
                .answer_more(pem.as_bytes(), &password, SCRAMBLE, false)
                .expect("answer")
                .expect("some");
            let mut plain = private.decrypt(Oaep::new::<Sha1>(), &sent).expect("decrypts");
            plain.iter_mut().zip(SCRAMBLE).for_each(|(byte, mask)| *byte ^= mask);
            assert_eq!(plain, b"s3cret\0");
            assert!(
                plugin.answer_more(pem.as_bytes(), &password, SCRAMBLE, true).is_err(),
                "no key over TLS"
            );
            assert!(plugin.answer_more(b"-----BEGIN nonsense", &password, SCRAMBLE, false).is_err());
            assert!(plugin.answer_more(pem.as_bytes(), &password, b"", false).is_err());
        }
        let long = Secret::new("x".repeat(300));
        assert!(Plugin::Sha256.answer_more(pem.as_bytes(), &long, SCRAMBLE, false).is_err());
    }

    #[test]
    fn a_readable_password_needs_tls() {
        let password = Secret::new("pw");
        assert!(Plugin::Clear.answer(&password, SCRAMBLE, false).is_err());
        assert_eq!(Plugin::Clear.answer(&password, SCRAMBLE, true).expect("over TLS"), b"pw\0");
        assert_eq!(Plugin::Sha256.answer(&password, SCRAMBLE, false).expect("asks"), [SHA256_KEY_REQUEST]);
        let full =
            Plugin::CachingSha2.answer_more(&[CACHING_SHA2_FULL], &password, SCRAMBLE, false).expect("asks");
        assert_eq!(full, Some(vec![CACHING_SHA2_KEY_REQUEST]));
        assert!(Plugin::Native.answer_more(&[4], &password, SCRAMBLE, true).is_err());
    }

    #[test]
    fn empty_passwords_have_their_own_answers() {
        let none = Secret::default();
        assert_eq!(Plugin::Native.answer(&none, SCRAMBLE, false).expect("native"), b"");
        assert_eq!(Plugin::CachingSha2.answer(&none, SCRAMBLE, false).expect("sha2"), [0]);
        assert_eq!(Plugin::Ed25519.answer(&none, SCRAMBLE, false).expect("ed25519").len(), 64);
    }
}
