//! object commands.

use crate::call::Call;
use crate::error::Outcome;

/// ENCODING.
pub fn encoding(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// FREQ.
pub fn freq(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// IDLETIME.
pub fn idletime(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// REFCOUNT.
pub fn refcount(_: &mut Call<'_>) -> Outcome {
    Ok(())
}
