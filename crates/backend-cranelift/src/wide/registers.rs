//! Which values are in which registers while the operations of a row are gone through.

use super::assembler::Vector;
use super::ops::{Place, Row, Value};

/// Where a value is, when it is not in a register.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Home {
    /// Not computed yet, or not needed any more.
    Nowhere,
    /// Where it was loaded from, which still holds it.
    Field(Place),
    /// Among the numbers and scalars.
    Constant,
    /// In a slot of the stack.
    Slot(usize),
}

/// The registers of a row, and what is in them.
pub(super) struct Registers {
    /// Where each value is besides.
    pub(super) homes: Vec<Home>,
    /// The register of each value that is in one.
    of_value: Vec<Option<Vector>>,
    held: Vec<Option<Value>>,
    /// Operations that use each value, in order.
    uses: Vec<Vec<usize>>,
    /// Values that the current operation needs where they are.
    pinned: Vec<Value>,
    /// The value in each slot of the stack.
    slots: Vec<Option<Value>>,
    /// Largest number of values in registers at a time.
    pub(super) most: usize,
}

/// A value that was moved out of its register, to a slot of the stack.
pub(super) struct Spilled {
    pub(super) from: Vector,
    pub(super) slot: usize,
}

impl Registers {
    /// Registers `0 .. count`.
    pub(super) fn new(row: &Row, count: usize) -> Registers {
        let mut uses = vec![vec![]; row.ops.len()];
        for (i, op) in row.ops.iter().enumerate() {
            for v in op.operands() {
                if uses[v].last() != Some(&i) {
                    uses[v].push(i);
                }
            }
        }
        Registers {
            homes: vec![Home::Nowhere; row.ops.len()],
            of_value: vec![None; row.ops.len()],
            held: vec![None; count],
            uses,
            pinned: vec![],
            slots: vec![],
            most: 0,
        }
    }

    /// Slots of the stack that were needed so far.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn of(&self, v: Value) -> Option<Vector> {
        self.of_value[v]
    }

    pub(super) fn uses(&self, v: Value) -> usize {
        self.uses[v].len()
    }

    /// The last operation that uses a value.
    pub(super) fn last_use(&self, v: Value) -> Option<usize> {
        self.uses[v].last().copied()
    }

    /// Whether a value is used after operation `now`.
    pub(super) fn lives_after(&self, v: Value, now: usize) -> bool {
        self.last_use(v).is_some_and(|last| last > now)
    }

    /// Keeps a value in its register until the operation is done.
    pub(super) fn pin(&mut self, v: Value) {
        self.pinned.push(v);
    }

    /// Gives the registers free of what is not used after operation `now`, whose instruction reads before it writes.
    pub(super) fn release(&mut self, now: usize) {
        for r in 0..self.held.len() {
            if let Some(v) = self.held[r].filter(|v| !self.lives_after(*v, now)) {
                self.held[r] = None;
                self.of_value[v] = None;
            }
        }
    }

    /// Operation `now` is done. Slots are given free here: what it needs room for is stored before it reads.
    pub(super) fn end(&mut self, now: usize) {
        self.release(now);
        self.pinned.clear();
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some_and(|v| !self.lives_after(v, now)) {
                self.slots[slot] = None;
            }
        }
    }

    pub(super) fn has_free(&self) -> bool {
        self.held.contains(&None)
    }

    /// A register for `v`, and what must be stored before it is written: of all values the one that is not needed for
    /// longest gives way (Belady 1966).
    pub(super) fn take(&mut self, v: Value, now: usize) -> (Vector, Option<Spilled>) {
        let free = self.held.iter().position(Option::is_none);
        let (r, spilled) = match free {
            Some(r) => (r, None),
            None => self.evict(now),
        };
        self.put(v, r);
        (r as Vector, spilled)
    }

    /// `v` takes the register of `other`, which is not used any more.
    pub(super) fn inherit(&mut self, v: Value, other: Value) -> Option<Vector> {
        let r = self.of_value[other].take()?;
        self.put(v, usize::from(r));
        Some(r)
    }

    fn put(&mut self, v: Value, r: usize) {
        self.held[r] = Some(v);
        self.of_value[v] = Some(r as Vector);
        self.most = self.most.max(self.held.iter().flatten().count());
    }

    fn evict(&mut self, now: usize) -> (usize, Option<Spilled>) {
        let next = |v: Value| self.uses[v].iter().find(|u| **u >= now).copied().unwrap_or(usize::MAX);
        let candidates = self.held.iter().enumerate().filter_map(|(r, v)| v.map(|v| (r, v)));
        // An operation pins three values at most, of more registers.
        let (r, v) = candidates
            .filter(|(_, v)| !self.pinned.contains(v))
            .max_by_key(|(r, v)| (next(*v), usize::MAX - r))
            .unwrap_or((0, 0));
        debug_assert!(!self.pinned.contains(&v), "an operation has fewer operands than there are registers");
        self.of_value[v] = None;
        if self.homes[v] != Home::Nowhere {
            return (r, None);
        }
        let slot = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(v);
        self.homes[v] = Home::Slot(slot);
        (r, Some(Spilled { from: r as Vector, slot }))
    }
}
