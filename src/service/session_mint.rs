//! Writes the session of a new token, and invalidates the tokens that it replaces (contract section 3).

use super::{context::ServiceContext, invalidation::Invalidations};
use crate::{
    domain::{
        Result,
        session::{MintedSession, NewSession},
    },
    telemetry::{audit::AuditEvent, metrics::RevokeReason},
};

/// Writes the session. Every replica rejects the replaced tokens before the new one exists. Fails with
/// `service_unavailable` when the shared cache does not answer: then nothing has changed.
///
/// If the process ends between both steps, the replaced tokens are rejected for up to a minute, and then accepted
/// again.
pub(super) async fn mint_session(
    context: &ServiceContext,
    invalidations: &Invalidations,
    session: &NewSession,
) -> Result<MintedSession> {
    let pending = context.sql.begin_mint(session).await?;
    for hash in pending.ended_hashes() {
        invalidations.invalidate_before(hash).await?;
    }
    let minted = pending.commit().await?;
    for session in &minted.evicted {
        AuditEvent::SessionRevoked { token_id: session.token_id, by: "the session limit" }.record();
    }
    context.metrics.revoked(RevokeReason::Limit, minted.evicted.len() as u64);
    Ok(minted)
}
