//! AES-GCM under keys whose place in memory is known, so that the processor can be told to fetch them.
//!
//! It is what `aws_lc_rs::aead::LessSafeKey` does, by the same functions of the same library. That type keeps its key
//! where nobody can point at: between two turns of a viewer hundreds of others come, the key is in no cache by then, and
//! a shard that sends waits for it a fortieth of its time.

use std::{fmt, mem::MaybeUninit, ptr};

use aws_lc_sys::{
    EVP_AEAD, EVP_AEAD_CTX, EVP_AEAD_CTX_cleanup, EVP_AEAD_CTX_init, EVP_AEAD_CTX_open_gather,
    EVP_AEAD_CTX_seal_scatter, EVP_aead_aes_128_gcm, EVP_aead_aes_256_gcm, OPENSSL_cleanse,
};

use crate::prefetch::prefetch;

pub(super) const TAG_BYTES: usize = 16;
pub(super) const NONCE_BYTES: usize = 12;

/// A number that is used once under a key. The caller sees to that.
pub(super) type Nonce = [u8; NONCE_BYTES];

/// A key with what follows from it.
pub(super) struct Key(Box<EVP_AEAD_CTX>);

// SAFETY: once it is made the library only reads it, and the one pointer in it leads to a constant.
#[allow(unsafe_code, reason = "the library's type holds a pointer to a constant")]
unsafe impl Send for Key {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "the library's type holds a pointer to a constant")]
unsafe impl Sync for Key {}

impl Key {
    /// A key of 16 or 32 bytes. `None` if it has another length, or the library refuses it.
    #[allow(unsafe_code, reason = "the library's safe interface does not say where a key is")]
    pub(super) fn new(key: &[u8]) -> Option<Key> {
        // SAFETY: both take nothing and yield pointers to constants.
        let algorithm: *const EVP_AEAD = match key.len() {
            16 => unsafe { EVP_aead_aes_128_gcm() },
            32 => unsafe { EVP_aead_aes_256_gcm() },
            _ => return None,
        };
        let mut context = Box::new(MaybeUninit::<EVP_AEAD_CTX>::zeroed());
        // SAFETY: the context is writable, and zero is what one is before it is made; the key is as long as is said;
        // there is no engine.
        let made = unsafe {
            EVP_AEAD_CTX_init(context.as_mut_ptr(), algorithm, key.as_ptr(), key.len(), TAG_BYTES, ptr::null_mut())
        };
        // SAFETY: it has been made, and before that all of it was zero.
        (made == 1).then(|| Key(unsafe { context.assume_init() }))
    }

    /// Has the processor fetch the key.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(&*self.0);
    }

    /// Seals `payload` into `sealed`, which is as long. `authenticated` is not encrypted.
    #[inline]
    pub(super) fn seal(
        &self,
        nonce: &Nonce,
        authenticated: &[u8],
        payload: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        self.seal_from(nonce, authenticated, Some(payload), sealed, tag)
    }

    /// The same where the payload stands already in what is sealed.
    pub(super) fn seal_in_place(
        &self,
        nonce: &Nonce,
        authenticated: &[u8],
        body: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        self.seal_from(nonce, authenticated, None, body, tag)
    }

    #[inline]
    #[allow(unsafe_code, reason = "the library's safe interface does not say where a key is")]
    fn seal_from(
        &self,
        nonce: &Nonce,
        authenticated: &[u8],
        payload: Option<&[u8]>,
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        let tag: &mut [u8; TAG_BYTES] = tag.try_into().ok()?;
        if payload.is_some_and(|payload| payload.len() != sealed.len()) {
            return None;
        }
        let to = sealed.as_mut_ptr();
        let from = payload.map_or(to.cast_const(), <[u8]>::as_ptr);
        let mut tag_bytes = 0;
        // SAFETY: the context is made. `from` has as many readable bytes as `to` has writable ones, which has been looked
        // at, and is the same or apart, which the function allows. Nothing more is sealed behind them. All lengths are
        // those of the slices.
        let made = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                &*self.0,
                to,
                tag.as_mut_ptr(),
                &mut tag_bytes,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                from,
                sealed.len(),
                ptr::null(),
                0,
                authenticated.as_ptr(),
                authenticated.len(),
            )
        };
        (made == 1 && tag_bytes == TAG_BYTES).then_some(())
    }

    /// Opens where it stands what was sealed, the tag behind it. `None` if it was not sealed under this key with this
    /// nonce and these authenticated bytes; then what stands there means nothing any more.
    #[allow(unsafe_code, reason = "the library's safe interface does not say where a key is")]
    pub(super) fn open_in_place<'a>(
        &self,
        nonce: &Nonce,
        authenticated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let (body, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>()?;
        let at = body.as_mut_ptr();
        // SAFETY: the context is made. `at` has as many bytes as is said, readable and writable, and the function
        // allows that what is opened takes the place of what was sealed. The other lengths are those of the slices.
        let opened = unsafe {
            EVP_AEAD_CTX_open_gather(
                &*self.0,
                at,
                nonce.as_ptr(),
                nonce.len(),
                at,
                body.len(),
                tag.as_ptr(),
                tag.len(),
                authenticated.as_ptr(),
                authenticated.len(),
            )
        };
        (opened == 1).then_some(body)
    }
}

impl Key {
    /// Leaves nothing of the key in memory.
    ///
    /// # Safety
    /// Nothing may be sealed or opened with it afterwards.
    #[allow(unsafe_code, reason = "the library's safe interface does not say where a key is")]
    unsafe fn wipe(&mut self) {
        let context = &raw mut *self.0;
        // SAFETY: the context is made or zero; all of its bytes are writable, and zero is a value that it can have.
        unsafe {
            EVP_AEAD_CTX_cleanup(context);
            OPENSSL_cleanse(context.cast(), size_of::<EVP_AEAD_CTX>());
        }
    }
}

impl Drop for Key {
    #[allow(unsafe_code, reason = "a key that is wiped is not to be used")]
    fn drop(&mut self) {
        // SAFETY: this is its end.
        unsafe { self.wipe() };
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, UnboundKey};

    use super::*;

    #[test]
    fn what_is_sealed_is_what_the_library_seals_and_opens_again() {
        for (algorithm, key) in [(&AES_128_GCM, &[7; 32][..16]), (&AES_256_GCM, &[9; 32][..])] {
            let own = Key::new(key).unwrap();
            let other = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
            for length in [0, 1, 15, 16, 17, 255, 256, 1_400] {
                let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
                let (nonce, header) = ([length as u8; 12], [3; 13]);
                let (mut sealed, mut tag) = (vec![0; length], [0; 16]);
                own.seal(&nonce, &header, &payload, &mut sealed, &mut tag).unwrap();
                let (mut in_place, mut its_tag) = (payload.clone(), [0; 16]);
                own.seal_in_place(&nonce, &header, &mut in_place, &mut its_tag).unwrap();
                assert_eq!((&in_place, its_tag), (&sealed, tag));

                let mut expected = payload.clone();
                let nonce_of_other = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
                other.seal_in_place_append_tag(nonce_of_other, Aad::from(header), &mut expected).unwrap();
                let mut whole = [sealed, tag.to_vec()].concat();
                assert_eq!(whole, expected);
                assert_eq!(own.open_in_place(&nonce, &header, &mut whole), Some(&mut payload.clone()[..]));
            }
        }
    }

    #[test]
    fn what_is_changed_is_not_opened_and_lengths_that_do_not_fit_are_refused() {
        let key = Key::new(&[7; 16]).unwrap();
        let (mut sealed, mut tag) = ([0; 20], [0; 16]);
        key.seal(&[1; 12], b"header", &[5; 20], &mut sealed, &mut tag).unwrap();
        let whole = [&sealed[..], &tag].concat();
        for position in 0..whole.len() {
            let mut forged = whole.clone();
            forged[position] ^= 1;
            assert_eq!(key.open_in_place(&[1; 12], b"header", &mut forged), None, "byte {position}");
        }
        assert_eq!(key.open_in_place(&[2; 12], b"header", &mut whole.clone()), None);
        assert_eq!(key.open_in_place(&[1; 12], b"other", &mut whole.clone()), None);
        assert_eq!(key.open_in_place(&[1; 12], b"header", &mut whole.clone()[..15]), None, "shorter than a tag");
        assert_eq!(key.seal(&[1; 12], b"", &[5; 19], &mut sealed, &mut tag), None);
        assert_eq!(key.seal(&[1; 12], b"", &[5; 20], &mut sealed, &mut tag[..15]), None);
        assert!([0, 15, 17, 24, 33].iter().all(|length| Key::new(&vec![0; *length]).is_none()));
    }

    #[test]
    #[allow(unsafe_code, reason = "it looks at the memory that a key has")]
    fn nothing_is_left_of_a_key_that_is_wiped() {
        let mut key = Key::new(&[0xa5; 32]).unwrap();
        let held = |key: &Key| {
            // SAFETY: all bytes were written when the key was made, the first time as zero.
            let bytes =
                unsafe { std::slice::from_raw_parts((&raw const *key.0).cast::<u8>(), size_of::<EVP_AEAD_CTX>()) };
            bytes.iter().filter(|byte| **byte != 0).count()
        };
        assert!(held(&key) > 32, "it is somewhere else");
        // SAFETY: all that comes after is another look, and its end.
        unsafe { key.wipe() };
        assert_eq!(held(&key), 0);
    }
}
