//! Expressions, one value or a vector of values at a time.

use super::frame::Buffer;
use super::writer::{WORD, Writer};
use crate::host;
use cranelift::prelude::*;
use cranelift_codegen::ir::Endianness;
use std::collections::HashMap;
use wavefold_ir::{Access, DType, Expr, ExprId, Func, LocalId};

/// The current sparse point.
#[derive(Clone, Copy)]
pub(super) struct SparsePoint {
    /// Address of the values of the point set.
    pub(super) values: Value,
    /// Number of points.
    pub(super) points: Value,
    /// The point.
    pub(super) point: Value,
    /// The current step.
    pub(super) t: Value,
}

/// Where expressions are evaluated.
pub(super) struct Point<'p> {
    /// Type of the values: one, or a vector of neighbours along the last dimension.
    pub(super) ty: Type,
    /// Address of the (first) current point in each buffer.
    pub(super) at: &'p [(Buffer, Value)],
    /// Values named so far.
    pub(super) locals: &'p HashMap<LocalId, Value>,
    /// The current sparse point.
    pub(super) sparse: Option<SparsePoint>,
}

impl Writer<'_, '_> {
    /// The value of an expression. Works through operands first, so depth costs no stack.
    pub(super) fn evaluate(&mut self, root: ExprId, point: &Point) -> Value {
        let exprs = &self.program.exprs;
        exprs.visit(root, &mut |id, e| {
            let value = self.node(e, point);
            self.memo[id.0 as usize] = value;
        });
        self.memo[root.0 as usize]
    }

    fn node(&mut self, e: &Expr, point: &Point) -> Value {
        match e {
            Expr::Number(n) => self.constant(n.value(), point.ty),
            Expr::Scalar(id) => {
                let value = self.run_scalar(*id);
                self.rounded(value, point.ty)
            }
            Expr::Local(local) => self.local(*local, point),
            Expr::Load(access) => self.load(access, point),
            Expr::Sparse(id, shift) => self.sparse_value(id.index(), *shift, point),
            Expr::Sum(terms) => self.left_to_right(terms, |b, x, y| b.ins().fadd(x, y)),
            Expr::Product(factors) => self.left_to_right(factors, |b, x, y| b.ins().fmul(x, y)),
            Expr::Call(f, operands) => {
                let operands: Vec<Value> = operands.iter().map(|c| self.known(*c)).collect();
                self.function(*f, &operands, point.ty)
            }
            Expr::Sub(x, y) => self.left_to_right(&[*x, *y], |b, x, y| b.ins().fsub(x, y)),
            Expr::Div(x, y) => self.left_to_right(&[*x, *y], |b, x, y| b.ins().fdiv(x, y)),
            Expr::Neg(x) => {
                let x = self.known(*x);
                self.b.ins().fneg(x)
            }
            Expr::Fma(x, y, z) => self.fused(*x, *y, *z),
            // Excluded by invariant T3.
            Expr::Power(..) | Expr::Derivative(_) => self.constant(f64::NAN, point.ty),
        }
    }

    fn known(&self, id: ExprId) -> Value {
        self.memo[id.0 as usize]
    }

    fn left_to_right(
        &mut self,
        operands: &[ExprId],
        mut f: impl FnMut(&mut FunctionBuilder, Value, Value) -> Value,
    ) -> Value {
        let mut value = self.known(operands[0]);
        for next in &operands[1..] {
            let next = self.known(*next);
            value = f(&mut self.b, value, next);
        }
        value
    }

    /// `x * y + z`. The instruction overwrites its first factor, so that should be a value which dies here.
    fn fused(&mut self, x: ExprId, y: ExprId, z: ExprId) -> Value {
        let lives_on = |id: ExprId| match self.program.exprs[id] {
            Expr::Number(_) | Expr::Scalar(_) => 3,
            Expr::Local(_) => 2,
            Expr::Load(_) => 1,
            _ => 0,
        };
        let (x, y) = if lives_on(x) > lives_on(y) { (y, x) } else { (x, y) };
        let (x, y, z) = (self.known(x), self.known(y), self.known(z));
        self.b.ins().fma(x, y, z)
    }

    fn splat(&mut self, value: Value, ty: Type) -> Value {
        if ty.is_vector() { self.b.ins().splat(ty, value) } else { value }
    }

    /// A literal, rounded to the type of the point.
    pub(super) fn constant(&mut self, value: f64, ty: Type) -> Value {
        let scalar = match ty.lane_type() {
            types::F32 => self.b.ins().f32const(value as f32),
            _ => self.b.ins().f64const(value),
        };
        self.splat(scalar, ty)
    }

    /// A double, rounded to the type of the point.
    fn rounded(&mut self, value: Value, ty: Type) -> Value {
        let scalar = match ty.lane_type() {
            types::F32 => self.b.ins().fdemote(types::F32, value),
            _ => value,
        };
        self.splat(scalar, ty)
    }

    fn local(&mut self, local: LocalId, point: &Point) -> Value {
        if let Some(value) = point.locals.get(&local) {
            return *value;
        }
        match self.layout.once(local) {
            Some(offset) => {
                let value = self.frame_value(types::F64, offset);
                self.rounded(value, point.ty)
            }
            // Excluded by invariant T5.
            None => self.constant(f64::NAN, point.ty),
        }
    }

    /// The address and the displacement of an access.
    fn place(&mut self, access: &Access, point: &Point) -> (Buffer, Value, i32) {
        let buffer = self.layout.buffer(self.program, access);
        let here = match point.at.iter().find(|(b, _)| *b == buffer) {
            Some((_, address)) => *address,
            // Not reached: every buffer that a loop uses has an address in it.
            None => self.origin(buffer),
        };
        let rank = self.program.decls.rank();
        let offset: i64 = (0..rank).map(|d| access.offsets[d] as i64 * self.stride(buffer, d)).sum();
        match i32::try_from(offset) {
            Ok(displacement) => (buffer, here, displacement),
            Err(_) => (buffer, self.b.ins().iadd_imm_s(here, offset), 0),
        }
    }

    /// The value of a field.
    pub(super) fn load(&mut self, access: &Access, point: &Point) -> Value {
        let (buffer, address, displacement) = self.place(access, point);
        let flags = self.load_flags(buffer);
        self.b.ins().load(point.ty, flags, address, displacement)
    }

    /// Stores a value of a field.
    pub(super) fn store(&mut self, access: &Access, value: Value, point: &Point) {
        let (buffer, address, displacement) = self.place(access, point);
        let flags = self.load_flags(buffer);
        self.b.ins().store(flags, value, address, displacement);
    }

    /// The address of the value of a sparse point, `shift` steps from now.
    pub(super) fn sparse_address(&mut self, set: usize, shift: i32, s: SparsePoint) -> Value {
        let mut index = s.point;
        if self.program.decls.sparse[set].steps.is_some() {
            let step = self.b.ins().iadd_imm_s(s.t, shift as i64);
            let row = self.b.ins().imul(step, s.points);
            index = self.b.ins().iadd(row, s.point);
        }
        let bytes = self.bytes();
        let offset = self.b.ins().imul_imm_s(index, bytes);
        self.b.ins().iadd(s.values, offset)
    }

    fn sparse_value(&mut self, set: usize, shift: i32, point: &Point) -> Value {
        // Sparse values occur in injections only (invariant T4), where the sparse point is known.
        let Some(s) = point.sparse else { return self.constant(f64::NAN, point.ty) };
        let address = self.sparse_address(set, shift, s);
        let (ty, flags) = (self.element(), MemFlagsData::trusted());
        self.b.ins().load(ty, flags, address, 0)
    }

    fn function(&mut self, f: Func, x: &[Value], ty: Type) -> Value {
        match f {
            Func::Sqrt => self.b.ins().sqrt(x[0]),
            Func::Abs => self.b.ins().fabs(x[0]),
            Func::Floor => self.b.ins().floor(x[0]),
            Func::Ceil => self.b.ins().ceil(x[0]),
            Func::Min => self.choose(FloatCC::LessThan, x[0], x[1], ty),
            Func::Max => self.choose(FloatCC::GreaterThan, x[0], x[1], ty),
            Func::Exp | Func::Log | Func::Sin | Func::Cos | Func::Tan | Func::Tanh | Func::Pow => {
                self.call_lanes(f, x, ty)
            }
        }
    }

    /// `x` where the comparison holds, `y` elsewhere, also when one of them is not a number.
    fn choose(&mut self, condition: FloatCC, x: Value, y: Value, ty: Type) -> Value {
        let holds = self.b.ins().fcmp(condition, x, y);
        if !ty.is_vector() {
            return self.b.ins().select(holds, x, y);
        }
        let lanes = MemFlagsData::new().with_endianness(Endianness::Little);
        let mask = self.b.ins().bitcast(ty, lanes, holds);
        self.b.ins().bitselect(mask, x, y)
    }

    /// An elementary function of this process, lane by lane.
    fn call_lanes(&mut self, f: Func, x: &[Value], ty: Type) -> Value {
        let dtype = if ty.lane_type() == types::F32 { DType::F32 } else { DType::F64 };
        let Some(callee) = host::elementary(f, dtype) else { return x[0] };
        if !ty.is_vector() {
            return self.call_host(callee, x).unwrap_or(x[0]);
        }
        let mut result = x[0];
        for lane in 0..ty.lane_count() as u8 {
            let operands: Vec<Value> = x.iter().map(|v| self.b.ins().extractlane(*v, lane)).collect();
            let value = self.call_host(callee, &operands).unwrap_or(operands[0]);
            result = self.b.ins().insertlane(result, value, lane);
        }
        result
    }

    /// A whole number.
    pub(super) fn whole(&mut self, value: i64) -> Value {
        self.b.ins().iconst(WORD, value)
    }
}
