//! string commands.

use crate::call::Call;
use crate::error::Outcome;

/// APPEND.
pub fn append(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DECR.
pub fn decr(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DECRBY.
pub fn decrby(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DELEX.
pub fn delex(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DELIFEQ.
pub fn delifeq(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// DIGEST.
pub fn digest(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// GET.
pub fn get(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// GETDEL.
pub fn getdel(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// GETEX.
pub fn getex(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// GETRANGE.
pub fn getrange(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// GETSET.
pub fn getset(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// INCR.
pub fn incr(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// INCRBY.
pub fn incrby(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// INCRBYFLOAT.
pub fn incrbyfloat(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// INCREX.
pub fn increx(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// LCS.
pub fn lcs(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// MGET.
pub fn mget(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// MSET.
pub fn mset(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// MSETEX.
pub fn msetex(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// MSETNX.
pub fn msetnx(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// PSETEX.
pub fn psetex(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// SET.
pub fn set(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// SETEX.
pub fn setex(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// SETNX.
pub fn setnx(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// SETRANGE.
pub fn setrange(_: &mut Call<'_>) -> Outcome {
    Ok(())
}

/// STRLEN.
pub fn strlen(_: &mut Call<'_>) -> Outcome {
    Ok(())
}
