//! Rows in vectors wider than Cranelift's: what they compute as a straight line, and their calls.

use super::frame::Buffer;
use super::nest::{Body, Task};
use super::value::Point;
use super::writer::{WORD, Writer};
use crate::wide::{Binary, Op, Place, Row, Unary, Value, Vectors};
use cranelift::prelude::{InstBuilder, StackSlotData, StackSlotKind};
use cranelift_codegen::ir;
use std::collections::HashMap;
use std::sync::Arc;
use wavefold_ir::tree::{Loop, Stmt};
use wavefold_ir::{Access, Comparison, DType, Expr, ExprId, Func, LocalId};

/// A row in the making.
struct Line<'w> {
    row: Row,
    buffers: &'w [Buffer],
    /// What is the same at all points, and comes from outside of the row: `Op::Scalar(i)` is the value of `scalars[i]`.
    scalars: Vec<ExprId>,
    /// Values of expressions, as long as nothing they read changes.
    known: HashMap<ExprId, Value>,
    locals: HashMap<LocalId, Value>,
    /// What each value reads of the buffers, a bit each; those after the 63rd share one.
    reads: Vec<u64>,
}

/// The bit of a buffer.
fn bit(buffer: usize) -> u64 {
    1 << buffer.min(63)
}

impl Line<'_> {
    fn push(&mut self, op: Op) -> Value {
        let own = if let Op::Load(place) = op { bit(place.buffer) } else { 0 };
        let reads = op.operands().fold(own, |all, v| all | self.reads[v]);
        self.reads.push(reads);
        self.row.ops.push(op);
        self.row.ops.len() - 1
    }

    /// Stores a value; expressions that read what it may overwrite have to be computed anew.
    fn store(&mut self, to: Place, value: Value, past: bool) {
        self.push(Op::Store(to, value, past));
        let met = (0..self.row.buffers).filter(|b| self.row.meet(*b, to.buffer));
        let changed = met.fold(0, |all, b| all | bit(b));
        let reads = &self.reads;
        self.known.retain(|_, v| reads[*v] & changed == 0);
    }

    fn literal(&mut self, value: f64) -> Value {
        let bits = if self.row.double { value.to_bits() } else { u64::from((value as f32).to_bits()) };
        self.push(Op::Literal(bits))
    }

    /// A bit pattern: all ones but the sign, only the sign, all ones.
    fn pattern(&mut self, double: u64, single: u32) -> Value {
        let bits = if self.row.double { double } else { u64::from(single) };
        self.push(Op::Literal(bits))
    }

    fn scalar(&mut self, e: ExprId) -> Value {
        self.scalars.push(e);
        self.push(Op::Scalar(self.scalars.len() - 1))
    }

    fn left_to_right(&mut self, op: Binary, operands: &[ExprId]) -> Option<Value> {
        let mut values =
            operands.iter().map(|e| self.known.get(e).copied()).collect::<Option<Vec<_>>>()?.into_iter();
        let first = values.next()?;
        Some(values.fold(first, |x, y| self.push(Op::Binary(op, x, y))))
    }
}

impl<'a> Writer<'a, '_> {
    /// Runs a row in wide vectors, from the point `start` on, which is `at` in the buffers; false if it has to be done
    /// otherwise.
    pub(super) fn wide_row(
        &mut self,
        l: &'a Loop,
        buffers: &[Buffer],
        at: &[ir::Value],
        start: ir::Value,
    ) -> bool {
        let Some((row, scalars)) = self.line(l, buffers) else { return false };
        let size = row.scalar_at(scalars.len()) as u32;
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        for (i, pointer) in at.iter().enumerate() {
            self.b.ins().stack_store(WORD, *pointer, slot, 8 * i as i32);
        }
        let indices = self.places.map(|p| p.point);
        for (i, e) in scalars.iter().enumerate() {
            let here = Point { ty: self.element(), at: &[], indices, locals: &HashMap::new(), sparse: None };
            let value = self.evaluate(*e, &here);
            self.b.ins().stack_store(WORD, value, slot, row.scalar_at(i));
        }
        let function = self.add_task(Task::new(Body::Row(Arc::new(row)), vec![]));
        let arguments = self.b.ins().stack_addr(WORD, slot, 0);
        let points = self.points_of_row(l, start);
        self.b.ins().call(function, &[arguments, points]);
        true
    }

    /// What a row computes, and the scalars it needs; `None` if it is not for wide vectors: values of another type in memory,
    /// reductions, elementary functions, numbers of points along the row.
    fn line(&self, l: &Loop, buffers: &[Buffer]) -> Option<(Row, Vec<ExprId>)> {
        let same = buffers.iter().all(|b| self.size_of(b.field) == self.bytes());
        if self.layout.vectors == Vectors::Bits128 || !same {
            return None;
        }
        let pairs = (0..buffers.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let shared = pairs.filter(|(i, j)| self.layout.overlap(buffers[*i], buffers[*j])).collect();
        let row = Row {
            double: self.program.decls.dtype == DType::F64,
            buffers: buffers.len(),
            shared,
            ..Row::default()
        };
        let (known, locals) = (HashMap::new(), HashMap::new());
        let mut line = Line { row, buffers, scalars: vec![], known, locals, reads: vec![] };
        for s in &l.body {
            match s {
                // A plane that the row does not read has no address here, and its lines come with those beside it.
                Stmt::Prefetch(access) => line.row.ahead.extend(self.wide_place(&line, access)),
                Stmt::Stream(_) => {}
                Stmt::Let { local, value } => {
                    let value = self.wide_value(&mut line, *value)?;
                    line.locals.insert(*local, value);
                }
                Stmt::Assign { target, value, increment } => {
                    let mut value = self.wide_value(&mut line, *value)?;
                    let to = self.wide_place(&line, target)?;
                    if *increment {
                        let old = line.push(Op::Load(to));
                        value = line.push(Op::Binary(Binary::Add, old, value));
                    }
                    line.store(to, value, l.is_streamed(target.field, target.time));
                }
                _ => return None,
            }
        }
        Some((line.row, line.scalars))
    }

    fn wide_place(&self, line: &Line, access: &Access) -> Option<Place> {
        let wanted = self.layout.buffer(self.program, access);
        let buffer = line.buffers.iter().position(|b| *b == wanted)?;
        Some(Place { buffer, at: i32::try_from(self.displacement(access)).ok()? })
    }

    fn wide_value(&self, line: &mut Line, root: ExprId) -> Option<Value> {
        self.program.exprs.visit(root, &mut |id, e| {
            if !line.known.contains_key(&id)
                && let Some(value) = self.wide_node(line, id, e)
            {
                line.known.insert(id, value);
            }
        });
        line.known.get(&root).copied()
    }

    fn wide_node(&self, line: &mut Line, id: ExprId, e: &Expr) -> Option<Value> {
        let known = |line: &Line, e: &ExprId| line.known.get(e).copied();
        match e {
            Expr::Number(n) => Some(line.literal(n.value())),
            Expr::Scalar(_) | Expr::Step => Some(line.scalar(id)),
            Expr::Index(d) if *d as usize + 1 < self.program.decls.rank() => Some(line.scalar(id)),
            Expr::Local(local) => match line.locals.get(local) {
                Some(value) => Some(*value),
                None => Some(line.scalar(id)),
            },
            Expr::Load(access) => {
                let place = self.wide_place(line, access)?;
                Some(line.push(Op::Load(place)))
            }
            Expr::Compare(op, x, y) => {
                let op = match op {
                    Comparison::Less => Binary::Less,
                    Comparison::LessOrEqual => Binary::LessOrEqual,
                    Comparison::Equal => Binary::Equal,
                };
                line.left_to_right(op, &[*x, *y])
            }
            Expr::And(x, y) => line.left_to_right(Binary::And, &[*x, *y]),
            Expr::Or(x, y) => line.left_to_right(Binary::Or, &[*x, *y]),
            Expr::Not(x) => {
                let (x, ones) = (known(line, x)?, line.pattern(u64::MAX, u32::MAX));
                Some(line.push(Op::Binary(Binary::Xor, x, ones)))
            }
            Expr::Select(c, x, y) => {
                let (c, x, y) = (known(line, c)?, known(line, x)?, known(line, y)?);
                Some(line.push(Op::Select(c, x, y)))
            }
            Expr::Sum(terms) => line.left_to_right(Binary::Add, terms),
            Expr::Product(factors) => line.left_to_right(Binary::Mul, factors),
            Expr::Sub(x, y) => line.left_to_right(Binary::Sub, &[*x, *y]),
            Expr::Div(x, y) => line.left_to_right(Binary::Div, &[*x, *y]),
            Expr::Neg(x) => {
                let (x, sign) = (known(line, x)?, line.pattern(1 << 63, 1 << 31));
                Some(line.push(Op::Binary(Binary::Xor, x, sign)))
            }
            Expr::Fma(x, y, z) => {
                let (x, y, z) = (known(line, x)?, known(line, y)?, known(line, z)?);
                Some(line.push(Op::Fma(x, y, z)))
            }
            Expr::Call(f, operands) => self.wide_call(line, *f, operands),
            Expr::Index(_) | Expr::Sparse(..) | Expr::Power(..) | Expr::Derivative(_) => None,
        }
    }

    fn wide_call(&self, line: &mut Line, f: Func, operands: &[ExprId]) -> Option<Value> {
        let first = line.known.get(operands.first()?).copied()?;
        let unary = |op: Unary| Op::Unary(op, first);
        let op = match f {
            Func::Sqrt => unary(Unary::Sqrt),
            Func::Floor => unary(Unary::Floor),
            Func::Ceil => unary(Unary::Ceil),
            Func::Abs => Op::Binary(Binary::And, first, line.pattern(u64::MAX >> 1, u32::MAX >> 1)),
            Func::Min => return line.left_to_right(Binary::Min, operands),
            Func::Max => return line.left_to_right(Binary::Max, operands),
            Func::Exp | Func::Log | Func::Sin | Func::Cos | Func::Tan | Func::Tanh | Func::Pow => {
                return None;
            }
        };
        Some(line.push(op))
    }
}
