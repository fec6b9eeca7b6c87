//! Expressions, one value or a vector of values at a time.

use super::frame::{Buffer, Frame};
use super::writer::{WORD, Writer};
use crate::host;
use cranelift::prelude::*;
use cranelift_codegen::ir::{ConstantData, Endianness};
use std::collections::HashMap;
use wavefold_ir::{Comparison, DType, Expr, ExprId, Func, LocalId};

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
    /// Index of the (first) current point along each dimension, where it is known.
    pub(super) indices: [Option<Value>; 3],
    /// Values named so far.
    pub(super) locals: &'p HashMap<LocalId, Value>,
    /// The current sparse point.
    pub(super) sparse: Option<SparsePoint>,
}

impl<'p> Point<'p> {
    /// No point at all: where scalars are computed.
    pub(super) fn nowhere(ty: Type, locals: &'p HashMap<LocalId, Value>) -> Point<'p> {
        Point { ty, at: &[], indices: [None; 3], locals, sparse: None }
    }
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
            Expr::Sparse(id, shift) => match point.sparse {
                Some(s) => self.load_sparse(*id, *shift, s),
                // Sparse values occur in injections only (invariant T4), where the sparse point is known.
                None => self.constant(f64::NAN, point.ty),
            },
            Expr::Index(d) => self.index(*d as usize, point),
            Expr::Step => {
                let t = self.frame_value(WORD, Frame::STEP);
                let value = self.b.ins().fcvt_from_sint(types::F64, t);
                self.rounded(value, point.ty)
            }
            Expr::Compare(op, x, y) => self.compare(*op, *x, *y),
            Expr::And(x, y) => self.left_to_right(&[*x, *y], |b, x, y| b.ins().band(x, y)),
            Expr::Or(x, y) => self.left_to_right(&[*x, *y], |b, x, y| b.ins().bor(x, y)),
            Expr::Not(x) => self.negated(*x),
            Expr::Select(c, x, y) => {
                let (holds, x, y) = (self.known(*c), self.known(*x), self.known(*y));
                self.select(holds, x, y, point.ty)
            }
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
        let scalar = self.converted(value, ty.lane_type());
        self.splat(scalar, ty)
    }

    fn local(&mut self, local: LocalId, point: &Point) -> Value {
        if let Some(value) = point.locals.get(&local) {
            return *value;
        }
        match self.layout.named(local) {
            Some(offset) => {
                let value = self.frame_value(types::F64, offset);
                self.rounded(value, point.ty)
            }
            // Excluded by invariant T5.
            None => self.constant(f64::NAN, point.ty),
        }
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

    /// A condition: a byte, or a mask of the lanes.
    fn compare(&mut self, op: Comparison, x: ExprId, y: ExprId) -> Value {
        let condition = match op {
            Comparison::Less => FloatCC::LessThan,
            Comparison::LessOrEqual => FloatCC::LessThanOrEqual,
            Comparison::Equal => FloatCC::Equal,
        };
        self.left_to_right(&[x, y], |b, x, y| b.ins().fcmp(condition, x, y))
    }

    fn negated(&mut self, condition: ExprId) -> Value {
        let holds = self.known(condition);
        if self.b.func.dfg.value_type(holds).is_vector() {
            return self.b.ins().bnot(holds);
        }
        self.b.ins().icmp_imm_s(IntCC::Equal, holds, 0)
    }

    /// `x` where the comparison holds, `y` elsewhere, also when one of them is not a number.
    pub(super) fn choose(&mut self, condition: FloatCC, x: Value, y: Value, ty: Type) -> Value {
        let holds = self.b.ins().fcmp(condition, x, y);
        self.select(holds, x, y, ty)
    }

    /// `x` where a condition holds, `y` elsewhere.
    fn select(&mut self, holds: Value, x: Value, y: Value, ty: Type) -> Value {
        if !ty.is_vector() {
            return self.b.ins().select(holds, x, y);
        }
        let mask = self.recast(holds, ty);
        self.b.ins().bitselect(mask, x, y)
    }

    /// The index of the point along a dimension, as a number; neighbours along the last dimension count up.
    fn index(&mut self, dim: usize, point: &Point) -> Value {
        // Known wherever an index may stand (invariant T12).
        let Some(first) = point.indices[dim] else { return self.constant(f64::NAN, point.ty) };
        if !point.ty.is_vector() || dim + 1 != self.program.decls.rank() {
            let value = self.b.ins().fcvt_from_sint(types::F64, first);
            return self.rounded(value, point.ty);
        }
        if point.ty.lane_type() == types::F64 {
            let value = self.b.ins().fcvt_from_sint(types::F64, first);
            let (first, counted) = (self.splat(value, point.ty), self.counted(types::F64X2));
            return self.b.ins().fadd(first, counted); // Exact.
        }
        let first = self.b.ins().ireduce(types::I32, first);
        let (first, counted) = (self.splat(first, types::I32X4), self.counted(types::I32X4));
        let indices = self.b.ins().iadd(first, counted);
        self.b.ins().fcvt_from_sint(types::F32X4, indices)
    }

    /// 0, 1, .. in the lanes of a vector.
    fn counted(&mut self, ty: Type) -> Value {
        let bytes: Vec<u8> = match ty {
            types::F64X2 => [0.0f64, 1.0].into_iter().flat_map(f64::to_le_bytes).collect(),
            _ => (0..4i32).flat_map(i32::to_le_bytes).collect(),
        };
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(ty, constant)
    }

    /// The same bits as another type of vector.
    pub(super) fn recast(&mut self, value: Value, ty: Type) -> Value {
        let lanes = MemFlagsData::new().with_endianness(Endianness::Little);
        self.b.ins().bitcast(ty, lanes, value)
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
