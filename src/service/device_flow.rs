//! The device authorization grant (RFC 8628, contract section 6). `decision` has the part of the approver.

mod decision;
mod external;
mod settlement;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    context::ServiceContext, invalidation::Invalidations, rate_limiter::RateLimiter, token_lifetime::TokenLifetimes,
    user_code_attempt::UserCodeAttempt,
};
use crate::{
    domain::{
        Code, Error, Result,
        account::AccountView,
        caller::ClientAddress,
        client_commands::ClientCommands,
        grant::{self, Approval, GrantRequest, PendingGrant, PollOutcome},
        id::{AccountId, TokenId},
        key::KeyRing,
        limit::{LimitDecision, LimitName},
        recorded_decision::Decision,
        request_origin::printable_user_agent,
        secret::{BearerToken, DeviceCode, UserCodeKey},
        subject::{Subject, SubjectType},
        text::visible_name,
        user_code::UserCode,
    },
    ports::grant_store::GrantStore,
    telemetry::{
        audit::{AuditEvent, sign_in::SignInEvent},
        metrics::sign_ins::SignInStep,
    },
};

/// Number of attempts to find a user code that is not in use.
const USER_CODE_TRIES: usize = 5;
/// Limit of characters in a device label.
const MAX_LABEL_LENGTH: usize = 255;

#[derive(Clone, Debug)]
pub struct DeviceFlowSettings {
    /// Ids of the clients that may request codes.
    pub known_clients: Vec<String>,
    /// The commands with which clients sign in.
    pub client_commands: Arc<ClientCommands>,
    /// Whether bearer tokens are accepted. Without them none are issued.
    pub bearers_enabled: bool,
    pub enterprise: bool,
}

/// Issues codes and answers polls.
#[derive(Clone)]
pub struct DeviceFlow {
    context: ServiceContext,
    grants: Arc<dyn GrantStore>,
    rate_limiter: RateLimiter,
    keys: Arc<KeyRing>,
    invalidations: Arc<Invalidations>,
    token_lifetimes: TokenLifetimes,
    settings: Arc<DeviceFlowSettings>,
}

/// The codes of a new grant. They are stored only as hashes.
pub struct Codes {
    pub device_code: DeviceCode,
    pub user_code: UserCode,
}

/// The token of a redeemed grant.
pub struct Redeemed {
    pub token: BearerToken,
    pub token_id: TokenId,
    pub subject: Subject,
    pub expires_at: DateTime<Utc>,
    /// Seconds until `expires_at`.
    pub expires_in: i64,
    /// The account with its workspaces; `None` for an external identity.
    pub view: Option<AccountView>,
}

/// A live token's expiry and owner.
type Confirmed = (DateTime<Utc>, Subject, Option<AccountView>);

impl DeviceFlow {
    pub fn new(
        context: ServiceContext,
        grants: Arc<dyn GrantStore>,
        rate_limiter: RateLimiter,
        keys: Arc<KeyRing>,
        invalidations: Arc<Invalidations>,
        token_lifetimes: TokenLifetimes,
        settings: Arc<DeviceFlowSettings>,
    ) -> Self {
        Self { context, grants, rate_limiter, keys, invalidations, token_lifetimes, settings }
    }

    /// Issues the codes of a new grant.
    pub async fn create(
        &self,
        client_id: &str,
        device_label: Option<&str>,
        address: ClientAddress,
        user_agent: Option<String>,
    ) -> Result<Codes> {
        self.require_bearers()?;
        if client_id.is_empty() {
            return Err(Error::missing("client_id"));
        }
        if !self.settings.known_clients.iter().any(|known| known == client_id) {
            AuditEvent::DeviceFlowRejected { reason: "unsupported_client", subject: None, request: None }.record();
            return Err(Error::new(Code::UnsupportedClient, "invalid_client"));
        }
        let device_label = self.label(client_id, device_label)?;
        let device_code = DeviceCode::mint(&self.context.entropy.array()?);
        let request = GrantRequest {
            client_id: client_id.to_owned(),
            device_label,
            created_ip: address.0,
            user_agent: user_agent.as_deref().map(printable_user_agent),
            seal_key: device_code.seal_key(),
        };
        for _ in 0..USER_CODE_TRIES {
            let Some(user_code) = UserCode::mint(&self.context.entropy.array::<32>()?) else { continue };
            let index = self.keys.user_code_key(&user_code);
            if self.grants.create(&device_code.hash(), &index, &request).await? {
                let GrantRequest { client_id, device_label, .. } = &request;
                SignInEvent::DeviceCodeIssued { client_id, device_label }.record();
                self.context.metrics.sign_ins.reached(SignInStep::Issued);
                return Ok(Codes { device_code, user_code });
            }
        }
        Err(Error::new(Code::UserCodeExhausted, "No code is free right now. Try again.")
            .with_retry_after(std::time::Duration::from_secs(1)))
    }

    /// Polls the grant of a device. Returns its token, or an error of RFC 8628 section 3.5.
    pub async fn poll(&self, client_id: &str, device_code: &str, address: ClientAddress) -> Result<Redeemed> {
        let result = self.poll_grant(client_id, device_code, address).await;
        let outcome = result.as_ref().map_or_else(|error| error.code().as_str(), |_| "redeemed");
        self.context.metrics.sign_ins.polled(outcome);
        result
    }

    async fn poll_grant(&self, client_id: &str, device_code: &str, address: ClientAddress) -> Result<Redeemed> {
        if client_id.is_empty() {
            return Err(Error::missing("client_id"));
        }
        let device_code = DeviceCode::presented(device_code)?;
        let hash = device_code.hash();
        match self.grants.poll(&hash, client_id).await? {
            PollOutcome::ClientMismatch => {
                Err(Error::new(Code::InvalidGrant, "This code was issued to another client."))
            }
            PollOutcome::SlowDown(interval) => Err(slow_down(interval)),
            PollOutcome::Unknown => Err(self.unknown_code(client_id, address).await?),
            PollOutcome::Denied => Err(access_denied("The request was denied.")),
            PollOutcome::Pending { created_ip } => {
                audit_cross_ip(client_id, created_ip, address);
                Err(Error::new(
                    Code::AuthorizationPending,
                    "The request has not been approved or denied yet. Keep polling.",
                ))
            }
            PollOutcome::Approved { created_ip, approval } => {
                audit_cross_ip(client_id, created_ip, address);
                let redeemed = self.redeem(client_id, &device_code, approval).await?;
                SignInEvent::TokenDelivered { token_id: redeemed.token_id, client_id }.record();
                Ok(redeemed)
            }
        }
    }

    /// Only the poll that deletes the grant returns the token. A failure before the deletion leaves it for the next
    /// poll.
    async fn redeem(&self, client_id: &str, device_code: &DeviceCode, approval: Approval) -> Result<Redeemed> {
        let token = device_code.open(&approval.sealed_token)?;
        let now = self.context.clock.now();
        let confirmed = match token.subject_type() {
            SubjectType::Account => self.confirm_account(&token, approval.token_id, now).await?,
            SubjectType::ExternalSso => self.confirm_external(&token, approval.token_id, now).await?,
        };
        let Some((expires_at, subject, view)) = confirmed else {
            return Err(access_denied("The sign-in was approved but has since been withdrawn."));
        };
        if !self.grants.redeem(&device_code.hash(), approval.token_id).await? {
            return Err(self.settings.client_commands.expired_token(client_id));
        }
        let expires_in = expires_at.signed_duration_since(now).num_seconds();
        Ok(Redeemed { token, token_id: approval.token_id, subject, expires_at, expires_in, view })
    }

    /// Expiry and owner of an account's token that was minted; `None` unless both are live.
    async fn confirm_account(&self, token: &BearerToken, id: TokenId, now: DateTime<Utc>) -> Result<Option<Confirmed>> {
        let confirmed = self.context.sql.confirm_minted(id, &token.hash(), now).await?;
        Ok(confirmed.filter(|(_, view)| view.account.is_active()).map(|(expires_at, view)| {
            let subject = Subject::Account { id: view.account.id, email: view.account.email.clone() };
            (expires_at, subject, Some(view))
        }))
    }

    /// The same for the token of an external identity.
    async fn confirm_external(
        &self,
        token: &BearerToken,
        id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Confirmed>> {
        let row = self.context.sql.find_token(&token.hash()).await?;
        Ok(row.filter(|row| row.token_id == id && now < row.expires_at).and_then(|row| {
            let subject = Subject::of_row(SubjectType::ExternalSso, &row)?;
            Some((row.expires_at, subject, None))
        }))
    }

    async fn unknown_code(&self, client_id: &str, address: ClientAddress) -> Result<Error> {
        let bucket = self.rate_limiter.bucket(LimitName::DeviceToken, address.bucket());
        Ok(match self.rate_limiter.charge(&[bucket]).await? {
            LimitDecision::Allowed => self.settings.client_commands.expired_token(client_id),
            // Clients stop polling on any other error.
            LimitDecision::Limited(_) => slow_down(grant::INTERVAL + grant::SLOW_DOWN_STEP),
        })
    }

    /// The pending grant of a code. A malformed code is `invalid_user_code` and counts as a wrong one.
    pub async fn lookup(
        &self,
        user_code: &str,
        address: ClientAddress,
        account: Option<AccountId>,
    ) -> Result<Option<PendingGrant>> {
        let attempt = UserCodeAttempt::begin(&self.rate_limiter, address, account).await?;
        let keys = self.index_keys(user_code).inspect_err(|_| attempt.reject())?;
        let found = self.grants.find_pending(&keys).await?;
        if found.is_some() {
            attempt.succeed().await?;
        } else {
            attempt.reject();
        }
        Ok(found)
    }

    /// When a token expires that is issued now: to an account, or to an external identity.
    pub async fn token_expiry(&self, account: Option<AccountId>) -> Result<DateTime<Utc>> {
        let lifetime = match account {
            Some(account) => self.token_lifetimes.of_account(account).await?,
            None => self.token_lifetimes.configured(),
        };
        Ok(self.context.clock.now() + lifetime)
    }

    /// The pending grant of a code that was looked up before; `None` once it is decided or has expired. Counts no
    /// attempt, so the caller must know that a grant had the code.
    pub async fn find_pending(&self, user_code: &UserCode) -> Result<Option<PendingGrant>> {
        self.grants.find_pending(&self.keys.user_code_keys(user_code)).await
    }

    /// What the account decided about this code within the last day. Only for the account itself: for others the answer
    /// would show that a grant had the code.
    pub async fn find_decision(&self, user_code: &UserCode, account: AccountId) -> Result<Option<Decision>> {
        self.grants.find_decision(&self.keys.user_code_keys(user_code), account).await
    }

    pub(crate) fn require_bearers(&self) -> Result<()> {
        if self.settings.bearers_enabled { Ok(()) } else { Err(bearer_auth_disabled()) }
    }

    fn index_keys(&self, user_code: &str) -> Result<Vec<UserCodeKey>> {
        Ok(self.keys.user_code_keys(&UserCode::parse(user_code)?))
    }

    /// The label of the session. Without one, each device gets a label of its own, so that devices do not rotate each
    /// other's sessions.
    fn label(&self, client_id: &str, label: Option<&str>) -> Result<String> {
        let label = checked_label(label.unwrap_or_default())?;
        if label.is_empty() {
            let code = UserCode::mint(&self.context.entropy.array::<32>()?);
            let suffix = code.map(|code| code.expose()[..4].to_lowercase()).unwrap_or_default();
            return Ok(format!("{client_id} #{suffix}"));
        }
        Ok(label)
    }
}

/// A label without blanks around it. An empty one stays empty. Fails with `invalid_request`.
pub(super) fn checked_label(text: &str) -> Result<String> {
    let label = visible_name(text).map_err(|error| bad_label(format!("device_label {error}.")))?;
    if label.chars().count() > MAX_LABEL_LENGTH {
        return Err(bad_label(format!("device_label may be at most {MAX_LABEL_LENGTH} characters long.")));
    }
    Ok(label)
}

fn bad_label(message: String) -> Error {
    Error::new(Code::InvalidRequest, message)
}

fn audit_cross_ip(client_id: &str, creation_ip: std::net::IpAddr, poll_ip: ClientAddress) {
    if creation_ip != poll_ip.0 {
        AuditEvent::CrossIpPoll { creation_ip, poll_ip, client_id }.record();
    }
}

fn slow_down(interval: u32) -> Error {
    Error::new(Code::SlowDown, "Polling too often. Wait for the interval between polls.")
        .with_interval(interval)
        .with_retry_after(std::time::Duration::from_secs(interval.into()))
}

fn access_denied(message: &'static str) -> Error {
    Error::new(Code::AccessDenied, message)
}

pub(crate) fn bearer_auth_disabled() -> Error {
    Error::new(Code::BearerAuthDisabled, "Signing in with bearer tokens is switched off on this server.")
        .with_hint("Ask the administrator to set ENABLE_OAUTH_BEARER=true.")
}
