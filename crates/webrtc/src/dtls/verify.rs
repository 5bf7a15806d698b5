//! Proof that a peer has the key of the certificate that it shows.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey};
use dimpl::{
    CryptoError, CryptoOperation,
    crypto::{HashAlgorithm, SignatureAlgorithm, SignatureVerifier, aws_lc_rs as ecdsa},
};
use x509_cert::{
    Certificate,
    der::{Decode, oid::ObjectIdentifier},
};

use super::request::widen_handshake;

/// `rsaEncryption` (RFC 8017, appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Checks a CertificateVerify (RFC 5246 §7.4.8): ECDSA as `dimpl` does, and RSA of 2,048 bits and more.
#[derive(Debug)]
pub(super) struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        handshake: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let signed = widen_handshake(handshake);
        if algorithm != SignatureAlgorithm::RSA {
            let ecdsa = ecdsa::default_provider().signature_verification;
            return ecdsa.verify_signature(certificate, &signed, signature, hash, algorithm);
        }
        let scheme = match hash {
            HashAlgorithm::SHA256 => &RSA_PKCS1_2048_8192_SHA256,
            HashAlgorithm::SHA384 => &RSA_PKCS1_2048_8192_SHA384,
            _ => return Err(CryptoError::UnsupportedSignaturePair { signature: algorithm, hash }),
        };
        let certificate = Certificate::from_der(certificate).map_err(|_| CryptoError::CertificateParseFailed)?;
        let key = certificate.tbs_certificate().subject_public_key_info();
        if key.algorithm.oid != RSA {
            return Err(CryptoError::UnsupportedPublicKeyAlgorithm);
        }
        let key = key.subject_public_key.as_bytes().ok_or(CryptoError::InvalidSubjectPublicKey)?;
        let verified = UnparsedPublicKey::new(scheme, key).verify(&signed, signature);
        verified.map_err(|_| CryptoError::OperationFailed(CryptoOperation::VerifySignature))
    }
}
