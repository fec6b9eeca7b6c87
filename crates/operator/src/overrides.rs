//! Codec parameters given at `apply`.

use crate::{ApplyError, Operator, Result};
use wavefold_ir::{Bounded, Compression, FieldId, FieldKind};

/// One `.nbits(..)`, `.compscale(..)`, `.snr(..)` or `.max_error(..)`.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    /// For this function only.
    pub(crate) function: Option<String>,
    pub(crate) parameter: Parameter,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter {
    Nbits(u32),
    Compscale(f64),
    Snr(f64),
    MaxError(f64),
}

impl Parameter {
    fn name(self) -> &'static str {
        match self {
            Parameter::Nbits(_) => "nbits",
            Parameter::Compscale(_) => "compscale",
            Parameter::Snr(_) => "snr",
            Parameter::MaxError(_) => "max_error",
        }
    }

    /// The codec with this parameter; `None` when it has no such parameter.
    fn apply_to(self, bounded: Bounded) -> Option<Bounded> {
        let codec = match (self, bounded.codec) {
            (Parameter::MaxError(_), Compression::Noop) => None,
            (Parameter::MaxError(max_error), codec) => return Some(codec.within(max_error)),
            (Parameter::Nbits(nbits), Compression::Quantize { .. }) => Some(Compression::Quantize { nbits }),
            (Parameter::Compscale(compscale), Compression::Wavelet { .. }) => {
                Some(Compression::Wavelet { compscale })
            }
            (Parameter::Compscale(compscale), Compression::Lapped { .. } | Compression::LappedSnr { .. }) => {
                Some(Compression::Lapped { compscale })
            }
            (Parameter::Snr(snr), Compression::Lapped { .. } | Compression::LappedSnr { .. }) => {
                Some(Compression::LappedSnr { snr })
            }
            _ => None,
        };
        codec.map(|codec| Bounded { codec, ..bounded })
    }
}

/// The codec of every compressed function that the operator writes, after overrides.
pub(crate) fn codecs(op: &Operator, overrides: &[Override]) -> Result<Vec<(FieldId, Bounded)>> {
    let p = op.program();
    let bound = |id: FieldId| op.compiled().bindings.functions.get(id.index())?.max_error();
    let mut codecs: Vec<(FieldId, Bounded)> = p
        .written()
        .into_iter()
        .filter_map(|id| match p.decls.field(id).kind {
            FieldKind::Compressed { codec, .. } => Some((id, Bounded { codec, max_error: bound(id) })),
            _ => None,
        })
        .collect();
    let name = |id: FieldId| &p.decls.field(id).name;
    let compresses: Vec<String> = codecs.iter().map(|(id, c)| format!("`{}` ({c})", name(*id))).collect();
    for o in overrides {
        if let Some(function) = &o.function
            && !codecs.iter().any(|(id, _)| name(*id) == function)
        {
            let (operator, function) = (op.name().into(), function.clone());
            return Err(ApplyError::UnknownOverride { operator, function, compresses }.into());
        }
        let mut used = false;
        for (id, codec) in &mut codecs {
            if o.function.as_ref().is_none_or(|f| f == name(*id))
                && let Some(new) = o.parameter.apply_to(*codec)
            {
                (*codec, used) = (new.validate()?, true);
            }
        }
        if !used {
            let parameter = match &o.function {
                Some(f) => format!("`{}` of `{f}`", o.parameter.name()),
                None => format!("`{}`", o.parameter.name()),
            };
            return Err(
                ApplyError::UnusedOverride { operator: op.name().into(), parameter, compresses }.into()
            );
        }
    }
    Ok(codecs)
}
