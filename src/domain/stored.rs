//! Words that Dify stores in text columns, such as statuses and roles, as enums.

use std::fmt;

/// An enum whose values Dify stores as words.
pub trait StoredWord: Copy + Eq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The word as it is stored.
    fn as_str(self) -> &'static str;

    /// The value of a stored word.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == text)
    }
}

/// The content of such a column. Dify may write words that this version does not know; they are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredValue<T> {
    /// A value of the enum.
    Known(T),
    /// Any other text.
    Unknown(String),
}

impl<T: StoredWord> StoredValue<T> {
    /// The value, unless the text is unknown.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }

    /// Whether the column holds this value.
    pub fn is(&self, value: T) -> bool {
        self.known() == Some(value)
    }

    /// The text as it is stored.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => value.as_str(),
            Self::Unknown(text) => text,
        }
    }
}

impl<T: StoredWord> From<String> for StoredValue<T> {
    fn from(text: String) -> Self {
        T::parse(&text).map_or(Self::Unknown(text), Self::Known)
    }
}

impl<T: StoredWord> fmt::Display for StoredValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Declares an enum with its stored words.
macro_rules! stored_words {
    ($(#[$attribute:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $value,)* }

        impl $name {
            /// The word as it is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$value => $word,)* }
            }
        }

        impl $crate::domain::stored::StoredWord for $name {
            const ALL: &'static [Self] = &[$($name::$value,)*];

            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }
        }
    };
}
pub(crate) use stored_words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::AccountStatus;

    #[test]
    fn unknown_words_are_kept_and_equal_no_value() {
        let banned = StoredValue::from("banned".to_owned());
        assert!(banned.is(AccountStatus::Banned) && !banned.is(AccountStatus::Active));
        let unknown = StoredValue::<AccountStatus>::from("sleepy".to_owned());
        assert_eq!(unknown, StoredValue::Unknown("sleepy".to_owned()));
        assert_eq!((unknown.known(), format!("{unknown:<8}|")), (None, "sleepy  |".to_owned()));
        for status in AccountStatus::ALL {
            assert_eq!(StoredValue::from(status.as_str().to_owned()), StoredValue::Known(*status));
        }
    }
}
