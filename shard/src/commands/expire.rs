//! expire commands.

use crate::call::Call;
use crate::error::Outcome;

/// EXPIRE.
pub fn expire(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// EXPIREAT.
pub fn expireat(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// EXPIRETIME.
pub fn expiretime(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PERSIST.
pub fn persist(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PEXPIRE.
pub fn pexpire(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PEXPIREAT.
pub fn pexpireat(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PEXPIRETIME.
pub fn pexpiretime(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PTTL.
pub fn pttl(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// TTL.
pub fn ttl(_: &mut Call<'_>) -> Outcome {
    Ok(())
}
