//! What a run measured.

use std::sync::MutexGuard;

use wavefold_codecs::{Compression, ErrorReport};
use wavefold_ir::FieldId;

use super::{Access, Inner, Work};
use crate::RuntimeError;

/// Compressions or decompressions of one store during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EffectProfile {
    /// Snapshots.
    pub snapshots: usize,
    /// Time, in seconds.
    pub seconds: f64,
    /// Uncompressed bytes, without halo.
    pub raw_bytes: usize,
    /// Bytes of the streams.
    pub bytes: usize,
}

impl EffectProfile {
    pub(super) fn add(&mut self, seconds: f64, raw_bytes: usize, bytes: usize) {
        self.snapshots += 1;
        self.seconds += seconds;
        self.raw_bytes += raw_bytes;
        self.bytes += bytes;
    }
}

/// What a run did with one compressed function.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreProfile {
    /// The compressed field.
    pub field: FieldId,
    /// Name of the function.
    pub name: String,
    /// Whether the run was to write it; otherwise it was to read it.
    pub written: bool,
    /// The codec that wrote it.
    pub codec: Option<Compression>,
    /// The bound on the error at every point that it was written with by this run.
    pub bound: Option<f64>,
    /// Writing.
    pub compress: EffectProfile,
    /// Reading.
    pub decompress: EffectProfile,
    /// The error of what was written, when it was measured.
    pub errors: Option<ErrorReport>,
}

/// How a run went.
#[derive(Clone, Debug, PartialEq)]
pub struct HostReport {
    /// Why it stopped early, if it did.
    pub error: Option<RuntimeError>,
    /// Time in the kernel with its callbacks, in seconds, without the time that measuring errors took.
    pub seconds: f64,
    /// Steps begun.
    pub steps: i64,
    /// Steps and seconds of the first of two kernels that ran in turn.
    pub first_kernel: Option<(i64, f64)>,
    /// Compressed functions, in order of declaration.
    pub stores: Vec<StoreProfile>,
    /// Per field whose rows are found by pointers: the part of its rows that are not in the place of equal ones.
    pub rows: Vec<(FieldId, f64)>,
}

/// Collects the report of a run that has ended.
pub(super) fn take(
    inner: &Inner<'_>,
    work: &mut MutexGuard<'_, Work>,
    error: Option<RuntimeError>,
) -> HostReport {
    let seconds = work.start.elapsed().as_secs_f64() - work.measuring;
    let profile = |(field, bound): (FieldId, &super::BoundStore)| {
        let i = field.index();
        let with = if let Access::Write(with) = bound.access { Some(with) } else { None };
        let written = with.is_some();
        let errors = (inner.measure && written).then(|| work.errors[i]);
        if let (Some(errors), None) = (errors, &error) {
            bound.store.set_errors(errors);
        }
        StoreProfile {
            field,
            name: inner.decls.field(field).name.clone(),
            written,
            codec: bound.store.codec().map(|bounded| bounded.codec),
            bound: with.and_then(|with| with.max_error),
            compress: work.compress[i],
            decompress: work.decompress[i],
            errors,
        }
    };
    let bound = inner.decls.field_ids().zip(&inner.stores).filter_map(|(id, s)| Some((id, s.as_ref()?)));
    let stores = bound.map(profile).collect();
    let first_kernel = work.handed_over.map(|h| (h.done, h.seconds));
    HostReport { error, seconds, steps: work.steps, first_kernel, stores, rows: inner.rows.own() }
}
