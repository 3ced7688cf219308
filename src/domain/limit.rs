//! Rate limits: their names and quotas (contract section 8), and their algorithm, GCRA.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// `count` requests in `period`. They may come all at once; then one more is allowed every `period / count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// 0 switches the limit off.
    pub count: u32,
    pub period: Duration,
}

impl Quota {
    pub const fn new(count: u32, seconds: u64) -> Self {
        Self { count, period: Duration::from_secs(seconds) }
    }

    pub const fn is_off(self) -> bool {
        self.count == 0
    }

    /// Microseconds until one more request is allowed. At least 1, so that every request advances GCRA's clock.
    pub fn emission_us(self) -> u64 {
        let period = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX);
        (period / u64::from(self.count.max(1))).max(1)
    }
}

impl FromStr for Quota {
    type Err = String;

    /// Accepts `600/1h`, `10/15m`, `5/30s`, or `0` for off.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "0" {
            return Ok(Self::new(0, 1));
        }
        let malformed = || format!("`{text}` is not a limit; write one like 60/1h or 10/15m, or 0 to switch it off");
        let (count, period) = text.trim().split_once('/').ok_or_else(malformed)?;
        let unit = period.chars().last().ok_or_else(malformed)?;
        let number: u64 = period[..period.len() - unit.len_utf8()].parse().map_err(|_| malformed())?;
        let seconds = match unit {
            's' => Some(number),
            'm' => number.checked_mul(60),
            'h' => number.checked_mul(3_600),
            _ => None,
        };
        match (count.parse(), seconds) {
            (Ok(count), Some(seconds @ 1..=31_536_000)) => Ok(Self::new(count, seconds)),
            _ => Err(malformed()),
        }
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $wire:literal, $count:literal / $seconds:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum LimitName { $($(#[$doc])* $name,)* }

        impl LimitName {
            pub const ALL: &[LimitName] = &[$(LimitName::$name,)*];

            /// The name in `OPENAPI_RATE_LIMITS` and in the protos.
            pub const fn as_str(self) -> &'static str {
                match self { $(LimitName::$name => $wire,)* }
            }

            /// The quota unless another is configured.
            pub const fn default_quota(self) -> Quota {
                match self { $(LimitName::$name => Quota::new($count, $seconds),)* }
            }
        }
    };
}

limits! {
    /// `device/code`, by address.
    DeviceCode = "device_code", 60 / 3_600;
    /// Polls with unknown codes, by address.
    DeviceToken = "device_token", 600 / 60;
    /// `device/lookup`, by address.
    Lookup = "lookup", 60 / 300;
    /// Bearers that are unknown and miss the cache, by address, before SQL.
    UnknownBearer = "unknown_bearer", 300 / 60;
    /// Wrong user codes on any route, by address and by account.
    UserCode = "user_code", 10 / 900;
    /// Wrong service keys, by address.
    ServiceKey = "service_key", 10 / 60;
    /// `sso-initiate`, by address.
    SsoInitiate = "sso_initiate", 60 / 3_600;
    /// `approve` and `deny`, by account.
    Approve = "approve", 10 / 3_600;
    /// `approve-external`, by email address.
    ApproveExternal = "approve_external", 10 / 3_600;
    /// The routes of connections, by account.
    Connection = "connection", 300 / 60;
    /// `GET /account`, by account or email address.
    Account = "account", 60 / 60;
    /// Uploads of files, by account or email address.
    Upload = "upload", 120 / 3_600;
    /// Invitations of members, by account.
    Invite = "invite", 60 / 3_600;
    /// Imports of apps, by account.
    Import = "import", 120 / 3_600;
    /// Every bearer request, by token.
    Token = "token", 60 / 60;
    /// Changes of apps and tags in the console, by account.
    ConsoleEdit = "console_edit", 1_200 / 3_600;
    /// The state of the setup and the setup itself, by address.
    Setup = "setup", 60 / 60;
    /// Attempts to give `INIT_PASSWORD`, by address.
    InitPassword = "init_password", 10 / 900;
    /// `_catalog`, by address.
    Catalog = "catalog", 600 / 60;
    /// `oauth/revoke`, by address.
    Revoke = "revoke", 60 / 60;
    /// `refresh-token`, by address.
    Refresh = "refresh", 60 / 60;
    /// Consecutive failed console logins that have no delay, by account and address. The period is the longest delay,
    /// `LOGIN_LOCKOUT_DURATION`.
    Login = "login", 5 / 86_400;
    /// Failed console logins, by account; after them only known browsers may try.
    LoginAccount = "login_account", 50 / 86_400;
    /// Failed console logins with a known browser, by account and browser.
    LoginBrowser = "login_browser", 10 / 3_600;
    /// Failed console logins, by address.
    LoginAddress = "login_address", 100 / 900;
}

impl FromStr for LimitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            format!("there is no limit named `{text}`; the limits are {known}")
        })
    }
}

/// The configured quotas.
#[derive(Clone, Debug, Default)]
pub struct Limits(BTreeMap<LimitName, Quota>);

impl Limits {
    pub fn set(&mut self, name: LimitName, quota: Quota) {
        self.0.insert(name, quota);
    }

    /// The configured quota, or the default.
    pub fn quota(&self, name: LimitName) -> Quota {
        self.0.get(&name).copied().unwrap_or_else(|| name.default_quota())
    }
}

/// One request, counted against a limit for a key: an address, an account or a token's hash.
#[derive(Clone, Debug)]
pub struct Charge {
    pub name: LimitName,
    /// The bucket's key. It may be derived from a secret's hash and must not be printed.
    pub key: String,
    pub quota: Quota,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitDecision {
    /// Within the limit. The request is counted.
    Allowed,
    /// Over the limit. The request is not counted and may be repeated after this time.
    Limited(Duration),
}

/// GCRA whose burst is the whole quota. `tat_us` is the bucket's theoretical arrival time, both times are in
/// microseconds. Returns the new arrival time, or the time to wait when the request is over the limit.
pub(crate) fn gcra(quota: Quota, tat_us: Option<u64>, now_us: u64) -> Result<u64, Duration> {
    let emission = quota.emission_us();
    let tolerance = emission * u64::from(quota.count);
    let next = tat_us.unwrap_or(now_us).max(now_us) + emission;
    match next.checked_sub(now_us + tolerance) {
        None | Some(0) => Ok(next),
        Some(over) => Err(Duration::from_micros(over)),
    }
}
