//! Rows that are found by pointers, see [`abi::Context::rows`](wavefold_ir::abi::Context::rows): equal ones become one.
//!
//! A row is compared with those before it along both dimensions, or what they have become: layers, absorbing edges and constants
//! repeat that way. Rows that differ mostly do so in their first bytes, so that looking costs little where nothing is found.

use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

use wavefold_codecs::Parallel;
use wavefold_ir::{Decls, FieldId};

use super::BoundField;
use crate::{Result, RuntimeError};

/// Fewest steps for which looking pays: it reads each field once.
const STEPS: i64 = 8;

/// The tables of a run.
#[derive(Debug)]
pub(super) struct Rows {
    tables: Vec<Table>,
    /// Per field, for the context.
    pub(super) pointers: Vec<*const *mut c_void>,
    /// Calls of the kernel at hand before its steps.
    calls: AtomicI64,
}

/// The rows of a field.
#[derive(Debug)]
struct Table {
    field: FieldId,
    memory: *mut u8,
    /// Bytes from row to row.
    row: usize,
    /// Bytes of a row that hold points, with those around the domain.
    points: Range<usize>,
    /// Rows of a plane.
    plane: usize,
    /// Where each row is found. As the kernel sees it, an array of pointers, which changes between its steps only.
    found: Vec<AtomicPtr<c_void>>,
}

// SAFETY: the memory of the field is only read here, see `values`; the entries of `found` are atomic.
unsafe impl Sync for Table {}

impl Rows {
    /// Tables in which each row is its own.
    pub(super) fn new(decls: &Decls, fields: &[BoundField]) -> Result<Rows> {
        let mut rows =
            Rows { tables: vec![], pointers: vec![std::ptr::null(); fields.len()], calls: AtomicI64::new(0) };
        for id in decls.field_ids() {
            let field = decls.field(id);
            let (Some(layout), true) = (&field.layout, field.by_rows) else { continue };
            let (last, size) = (layout.alloc.len() - 1, field.dtype.size());
            let first = layout.pad[last] - field.halo;
            let points = decls.dims[last].size + 2 * field.halo;
            let mut found = Vec::new();
            let (what, bytes) = (format!("the rows of `{}`", field.name), field.rows().saturating_mul(8));
            found.try_reserve_exact(field.rows()).map_err(|_| RuntimeError::Allocation { what, bytes })?;
            found.resize_with(field.rows(), AtomicPtr::default);
            rows.tables.push(Table {
                field: id,
                memory: fields[id.index()].pointer,
                row: layout.alloc[last] * size,
                points: first * size..(first + points) * size,
                plane: layout.alloc[1..last].iter().product(),
                found,
            });
        }
        for table in &rows.tables {
            rows.pointers[table.field.index()] = table.found.as_ptr().cast();
        }
        rows.part();
        Ok(rows)
    }

    /// Makes each row its own, for a kernel that begins.
    pub(super) fn part(&self) {
        self.calls.store(0, Ordering::Relaxed);
        for table in &self.tables {
            (0..table.found.len()).for_each(|i| table.found[i].store(table.own(i), Ordering::Relaxed));
        }
    }

    /// Before steps of a kernel, `left` of which are still to be done: behind the first, equal rows become one.
    pub(super) fn before_steps(&self, left: i64, threads: usize, par: &dyn Parallel) {
        if self.calls.fetch_add(1, Ordering::Relaxed) != 1 || left < STEPS {
            return;
        }
        for table in &self.tables {
            let planes = table.found.len() / table.plane.max(1);
            let most = planes.div_ceil(threads.max(1)).max(1);
            par.run(planes.div_ceil(most), &|k| table.join(k * most..planes.min((k + 1) * most)));
        }
    }

    /// Per field: the part of its rows that have memory of their own.
    pub(super) fn own(&self) -> Vec<(FieldId, f64)> {
        let part = |t: &Table| {
            let own = (0..t.found.len()).filter(|i| t.found[*i].load(Ordering::Relaxed) == t.own(*i)).count();
            own as f64 / t.found.len().max(1) as f64
        };
        self.tables.iter().map(|t| (t.field, part(t))).collect()
    }
}

impl Table {
    /// The memory of a row.
    fn own(&self, row: usize) -> *mut c_void {
        self.memory.wrapping_add(row * self.row).cast()
    }

    /// The values of a row.
    fn values(&self, row: *mut c_void) -> &[u8] {
        // SAFETY: rows lie within the memory of the field, which nothing changes while a kernel waits for its next step.
        unsafe { std::slice::from_raw_parts(row.cast::<u8>().add(self.points.start), self.points.len()) }
    }

    /// Makes equal rows of some planes one.
    fn join(&self, planes: Range<usize>) {
        let first = planes.start * self.plane;
        for i in first..planes.end * self.plane {
            let own = self.own(i);
            let before = [(i > first, 1), (i >= first + self.plane, self.plane)];
            let before = before.map(|(any, back)| any.then(|| self.found[i - back].load(Ordering::Relaxed)));
            let equal = |other: &*mut c_void| self.values(*other) == self.values(own);
            let found = match before {
                [Some(a), Some(b)] if a == b => Some(a).filter(equal),
                [a, b] => a.filter(equal).or_else(|| b.filter(equal)),
            };
            self.found[i].store(found.unwrap_or(own), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dense;
    use crate::threads::Everywhere;
    use wavefold_ir::{DType, Dim, Field, FieldKind, Layout};

    const SHAPE: [usize; 3] = [7, 9, 20];
    const HALO: usize = 2;

    fn decls() -> Decls {
        let dim = |(name, size): (&str, &usize)| Dim { name: name.into(), size: *size, spacing: 1.0 };
        let field = |name: &str, by_rows| Field {
            name: name.into(),
            kind: FieldKind::Space,
            dtype: DType::F32,
            halo: HALO,
            window: None,
            tight: false,
            layout: Some(Layout::new(&SHAPE, HALO, 4)),
            by_rows,
        };
        Decls {
            name: "op".into(),
            dtype: DType::F32,
            dims: ["x", "y", "z"].into_iter().zip(&SHAPE).map(dim).collect(),
            scalars: vec![],
            fields: vec![field("u", false), field("m", true)],
            sparse: vec![],
            tables: vec![],
        }
    }

    fn dense(value: impl Fn(&[usize]) -> f64 + Sync) -> Dense {
        let mut m = Dense::new("m", DType::F32, &SHAPE, HALO, 1).unwrap();
        m.set_with(&value);
        m
    }

    fn rows(m: &Dense) -> Rows {
        let bound = |pointer| BoundField { pointer, slots: 1, empty_halo: false };
        Rows::new(&decls(), &[bound(std::ptr::null_mut()), bound(m.pointer())]).unwrap()
    }

    /// Looks for equal rows, and checks that each is found where its values are; the part of them that is its own.
    fn joined(m: &Dense, threads: usize) -> f64 {
        let rows = rows(m);
        for left in [100, 99] {
            rows.before_steps(left, threads, &Everywhere);
        }
        let table = &rows.tables[0];
        for i in 0..table.found.len() {
            let found = table.found[i].load(Ordering::Relaxed);
            assert!(table.values(found) == table.values(table.own(i)), "row {i}");
        }
        let own = rows.own()[0].1;
        rows.part();
        assert_eq!(rows.own(), [(FieldId(1), 1.0)]);
        own
    }

    #[test]
    fn equal_rows_are_found_in_one_place() {
        let all = 11.0 * 13.0;
        for threads in [1, 2, 3, 5] {
            // Layers: every row of the domain is one, those of the halo hold zeros.
            let layers = joined(&dense(|i| 1.0 + (i[2] / 7) as f64), threads);
            assert!(layers * all <= 4.0 * threads.min(11) as f64 + 4.0, "{} rows", layers * all);
            // An absorbing edge along x, and a body of two rows within.
            let body = |i: &[usize]| f64::from(i[0] < 2) + f64::from(i[0] == 4 && (3..5).contains(&i[1]));
            assert!(joined(&dense(body), threads) < 0.3);
            let every = joined(&dense(|i| (i[0] * 10 + i[1]) as f64 + 1.0), threads);
            assert!((every * all - 63.0) < 4.0 * threads as f64 + 4.0 && every * all >= 63.0);
        }
    }

    #[test]
    fn rows_are_one_if_all_their_bits_are() {
        let parts = |m: &Dense| joined(m, 1) * 143.0;
        let layers = parts(&dense(|_| 1.0));
        assert_eq!(parts(&dense(|_| f64::NAN)), layers);
        // One value in the middle, and a zero of the other sign.
        assert_eq!(parts(&dense(|i| if i == [3, 3, 11] { 2.0 } else { 1.0 })), layers + 1.0);
        let zeros = |other: f64| parts(&dense(move |i| if i == [3, 3, 19] { other } else { 0.0 }));
        assert_eq!(zeros(-0.0), zeros(0.0) + 1.0);
        // What a stencil reads behind the domain counts as well, the padding behind that does not.
        let mut m = dense(|_| 1.0);
        let (layout, at) = (m.layout().clone(), |z: usize| [5usize, 6, z]);
        let place = |z| at(z).iter().zip(layout.strides()).map(|(i, stride)| i * stride).sum::<usize>();
        let store = |m: &mut Dense, z: usize| {
            // SAFETY: the place lies in the row of a point of the field.
            unsafe { m.pointer().cast::<f32>().add(place(z)).write(7.0) }
        };
        store(&mut m, layout.pad[2] - HALO - 1);
        store(&mut m, layout.pad[2] + SHAPE[2] + HALO);
        assert_eq!(parts(&m), layers);
        store(&mut m, layout.pad[2] + SHAPE[2] + HALO - 1);
        assert_eq!(parts(&m), layers + 1.0);
    }

    #[test]
    fn nothing_is_looked_for_before_the_first_step_or_few_steps() {
        let m = dense(|_| 1.0);
        let rows = rows(&m);
        rows.before_steps(STEPS, 1, &Everywhere);
        assert_eq!(rows.own()[0].1, 1.0);
        rows.before_steps(STEPS - 1, 1, &Everywhere);
        rows.before_steps(STEPS, 1, &Everywhere);
        assert_eq!(rows.own()[0].1, 1.0);
        rows.part();
        rows.before_steps(STEPS + 1, 1, &Everywhere);
        rows.before_steps(STEPS, 1, &Everywhere);
        assert!(rows.own()[0].1 < 0.1);
    }

    #[test]
    fn equal_rows_are_seen_beforehand() {
        assert!(dense(|i| (i[2] / 3) as f64).has_equal_rows());
        assert!(dense(|i| (i[0] + i[2]) as f64).has_equal_rows());
        assert!(!dense(|i| (i[0] + 7 * i[1]) as f64).has_equal_rows());
        let one = Dense::new("m", DType::F64, &[9], 0, 1).unwrap();
        let none = Dense::new("m", DType::F64, &[9, 0], 0, 1);
        assert!(!one.has_equal_rows() && none.map_or(true, |none| !none.has_equal_rows()));
        assert!(!Dense::new("m", DType::F32, &[1, 5], 0, 1).unwrap().has_equal_rows());
    }
}
