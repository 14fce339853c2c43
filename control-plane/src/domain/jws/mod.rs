//! Signed tokens (JWT, RFC 7519): the cryptography of the `jsonwebtoken` crate by `ring`, the only provider here. Its own two bring
//! aws-lc, or the `rsa` crate with its known weakness. We sign with HMAC alone; the others verify what OIDC providers sign.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::hmac;
use ring::signature::{
    self as scheme, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The algorithms with which an OIDC provider may sign: all of public keys, so that who verifies cannot sign.
pub const OF_PUBLIC_KEYS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))),
        _ => unsupported(),
    },
    verifier_factory: |algorithm, key| Ok(Box::new(Public { algorithm: *algorithm, key: key.clone() })),
    // Thumbprints and the public halves of private keys: nothing here asks for them.
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| unsupported(),
        rsa_pub_components_from_public_key: |_| unsupported(),
        ec_pub_components_from_private_key: |_, _| unsupported(),
        ed_pub_components_from_private_key: |_, _| unsupported(),
        compute_digest: |_, _| unsupported(),
    },
};

/// Makes it the process's provider. Repeatable.
pub fn install() {
    // Fails only where it is installed already.
    let _ = PROVIDER.install_default();
}

fn unsupported<T>() -> Result<T> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

/// Signs with HMAC-SHA-256.
struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// Verifies with any algorithm that is known here. That the key is of the algorithm's family, the crate has checked before.
struct Public {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let rsa = |parameters: &'static RsaParameters| match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).map_err(|_| Error::new())
            }
            DecodingKeyKind::SecretOrDer(_) => Err(Error::new()),
        };
        let bytes = || self.key.try_get_as_bytes().map_err(|_| Error::new());
        let point = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, bytes()?).verify(message, signature).map_err(|_| Error::new())
        };
        match self.algorithm {
            Algorithm::HS256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, bytes()?);
                hmac::verify(&key, message, signature).map_err(|_| Error::new())
            }
            Algorithm::RS256 => rsa(&scheme::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&scheme::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&scheme::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&scheme::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&scheme::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&scheme::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => point(&scheme::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => point(&scheme::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => point(&scheme::ED25519),
            _ => Err(Error::new()),
        }
    }
}

impl JwtVerifier for Public {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
