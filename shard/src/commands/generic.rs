//! generic commands.

use crate::call::Call;
use crate::error::Outcome;

/// COPY.
pub fn copy(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DEL.
pub fn del(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// EXISTS.
pub fn exists(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// MOVE_KEY.
pub fn move_key(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// RENAME.
pub fn rename(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// RENAMENX.
pub fn renamenx(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// TOUCH.
pub fn touch(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// TYPE_OF.
pub fn type_of(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// UNLINK.
pub fn unlink(_: &mut Call<'_>) -> Outcome {
    Ok(())
}
