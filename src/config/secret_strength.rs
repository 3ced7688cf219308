//! The check of configured secrets: published samples and texts that are easy to guess.

use crate::domain::secret::Secret;

/// Values from published examples.
const SAMPLES: &[&str] = &[
    // Dify's docker/.env.example and api/.env.example.
    "sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U",
    "QaHbTe77CtuXmsfyhR7+vRjI/+XbV1AaFy691iy+kGDv2Jvy0/eAh8Y1",
    "lYkiYYT6owG+71oLerGzA7GXCgOT++6ovaezWAjpCjf+Sjc3ZtU+qUEi",
    "dify-sandbox",
    "difyai123456",
    "dify-123456",
    "dev-secret-key",
    "your-secret-key",
    "your_secret_key",
    "secret-key",
    "secret",
    "changeme",
    "change-me",
];

/// The minimum that a secret must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinStrength {
    bytes: usize,
    /// Bits of entropy by [`estimated_entropy`].
    entropy: f64,
}

impl MinStrength {
    /// For keys that sign and encrypt, which an attacker guesses offline. Of 128 random bits as 32 hexadecimal digits
    /// the estimate is between 93 and 128.
    pub(super) const SIGNING_KEY: Self = Self { bytes: 32, entropy: 80.0 };
    /// For credentials, which an attacker guesses by requests. Of 96 random bits in base64 the estimate is between 42
    /// and 64.
    pub(super) const CREDENTIAL: Self = Self { bytes: 16, entropy: 40.0 };

    /// Returns what is wrong with a secret, as the predicate of a sentence.
    pub(super) fn weakness(self, secret: &Secret) -> Option<String> {
        let text = secret.expose();
        if SAMPLES.iter().any(|sample| sample.eq_ignore_ascii_case(text)) {
            Some("is a well-known sample".to_owned())
        } else if text.len() < self.bytes {
            Some(format!("is shorter than {} bytes", self.bytes))
        } else if estimated_entropy(text.as_bytes()) < self.entropy {
            Some("is easy to guess, because its characters repeat or follow each other".to_owned())
        } else {
            None
        }
    }
}

/// The distances between bytes whose differences are counted. They find sequences, and cycles of up to three bytes.
const DISTANCES: [usize; 3] = [1, 2, 3];

/// An upper estimate in bits from the frequencies of bytes and of their differences. Repetitions of the whole text do
/// not count, so `secretsecret` has the entropy of `secret`, and `abcdef` has almost none.
fn estimated_entropy(bytes: &[u8]) -> f64 {
    let period = &bytes[..shortest_period(bytes)];
    let differences = |distance: usize| {
        let pairs = period.iter().zip(period.iter().skip(distance));
        pairs.map(|(left, right)| right.wrapping_sub(*left)).collect::<Vec<u8>>()
    };
    let of_differences = DISTANCES.map(|distance| entropy_per_byte(&differences(distance)));
    let lowest = of_differences.into_iter().fold(entropy_per_byte(period), f64::min);
    period.iter().map(|_| lowest).sum()
}

/// The length of the shortest prefix whose repetition begins with the whole text.
fn shortest_period(bytes: &[u8]) -> usize {
    let repeats = |period: &usize| bytes[*period..] == bytes[..bytes.len() - period];
    (1..bytes.len()).find(repeats).unwrap_or(bytes.len())
}

/// The Shannon entropy of the bytes' frequencies; 0 without bytes.
fn entropy_per_byte(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let present = counts.into_iter().filter(|count| *count > 0).map(f64::from);
    present.map(|count| count / total * (total / count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakness(strength: MinStrength, text: &str) -> String {
        strength.weakness(&Secret::new(text)).unwrap_or_default()
    }

    #[test]
    fn texts_that_are_easy_to_guess_are_rejected() {
        for text in [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "passwordpasswordpasswordpassword",
            "0123456789012345678901234567890123456789",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "ababababababababababababababababababab-1",
            "abcabcabcabcabcabcabcabcabcabcabcabc-1",
        ] {
            assert!(weakness(MinStrength::SIGNING_KEY, text).contains("easy to guess"), "{text}");
            assert!(weakness(MinStrength::CREDENTIAL, text).contains("easy to guess"), "{text}");
        }
        assert!(weakness(MinStrength::SIGNING_KEY, "q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa").contains("shorter than 32"));
        assert!(weakness(MinStrength::CREDENTIAL, "q8Zr1vYwT0m5uJx").contains("shorter than 16"));
        assert!(weakness(MinStrength::CREDENTIAL, "ChangeMe").contains("well-known sample"));
    }

    /// 32 hexadecimal digits are the weakest form that documents recommend.
    #[test]
    fn random_keys_are_accepted() {
        use crate::{
            domain::secret::hex,
            ports::entropy::{Entropy, SystemEntropy},
        };
        let entropy: &dyn Entropy = &SystemEntropy;
        for _ in 0..1_000 {
            let digits = hex(&entropy.array::<16>().unwrap());
            assert_eq!(weakness(MinStrength::SIGNING_KEY, &digits), "", "{digits}");
            let base64 = entropy.base64url::<15>().unwrap();
            assert_eq!(weakness(MinStrength::CREDENTIAL, base64.expose()), "", "{}", base64.expose());
        }
    }
}
