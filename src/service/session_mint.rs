//! Writes the session of a new token, and invalidates the tokens that it replaces (contract section 3).

use super::{context::ServiceContext, invalidation::Invalidations};
use crate::{
    domain::{
        Result,
        session::{MintedSession, NewSession},
    },
    telemetry::{audit::AuditEvent, metrics::RevokeReason},
};

/// Writes the session. The second value is whether the replaced tokens are rejected on every replica; without that the
/// caller must not hand out the new token.
pub(super) async fn mint_session(
    context: &ServiceContext,
    invalidations: &Invalidations,
    session: &NewSession,
) -> Result<(MintedSession, Result<()>)> {
    let minted = context.sql.mint(session).await?;
    for session in &minted.evicted {
        AuditEvent::SessionRevoked { token_id: session.token_id, by: "the session limit" }.record();
    }
    context.metrics.revoked(RevokeReason::Limit, minted.evicted.len() as u64);
    let evicted = invalidations.invalidate_sessions(&minted.evicted).await;
    // The rotated token is invalidated on every replica before the new one can be used.
    let rotated = match &minted.rotated {
        Some(old) => invalidations.invalidate(old).await,
        None => Ok(()),
    };
    Ok((minted, evicted.and(rotated)))
}
