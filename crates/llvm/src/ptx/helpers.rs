//! Functions that the text may call; only those that it calls are written.

use super::function::llvm_type;
use worldage_wir::device::MAX_CALLS;
use worldage_wir::prim::Scalar;

/// A function of the prelude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    /// Claims the error words for a site; 2 if they were free, else 1.
    Fail,
    /// Like [`Helper::Fail`], with an index and a length.
    Bounds,
    /// Adds a call to the claimed error.
    Called,
    /// Integer power, in 64 bits.
    PowInt,
    /// An atomic operation on a float, by compare and swap.
    AtomicFloat(AtomicOp, Scalar),
}

/// What an atomic loop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AtomicOp {
    Add,
    Min,
    Max,
}

impl Helper {
    pub(super) fn name(self) -> String {
        match self {
            Helper::Fail => "wa_fail".into(),
            Helper::Bounds => "wa_bounds".into(),
            Helper::Called => "wa_called".into(),
            Helper::PowInt => "wa_powint".into(),
            Helper::AtomicFloat(op, s) => {
                let op = match op {
                    AtomicOp::Add => "add",
                    AtomicOp::Min => "min",
                    AtomicOp::Max => "max",
                };
                format!("wa_atomic_{op}_{}", llvm_type(s))
            }
        }
    }

    /// The intrinsic that it calls.
    pub(super) fn intrinsic(self) -> Option<String> {
        match self {
            Helper::AtomicFloat(op @ (AtomicOp::Min | AtomicOp::Max), s) => {
                let (ty, name) = (llvm_type(s), extreme(op, s));
                Some(format!("{ty} @{name}({ty}, {ty})"))
            }
            _ => None,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Helper::Fail => FAIL.into(),
            Helper::Bounds => BOUNDS.into(),
            Helper::Called => CALLED.replace("MAX_CALLS", &MAX_CALLS.to_string()),
            Helper::PowInt => POWINT.into(),
            Helper::AtomicFloat(op, s) => atomic(&self.name(), op, s),
        }
    }
}

fn extreme(op: AtomicOp, s: Scalar) -> String {
    let which = if op == AtomicOp::Min {
        "minimum"
    } else {
        "maximum"
    };
    format!("llvm.{which}.f{}", s.bits())
}

const FAIL: &str = "\
define internal i32 @wa_fail(ptr %error, i32 %site) noinline cold nounwind {
  %pair = cmpxchg ptr %error, i32 0, i32 %site syncscope(\"device\") monotonic monotonic, align 4
  %free = extractvalue { i32, i1 } %pair, 1
  %claimed = select i1 %free, i32 2, i32 1
  ret i32 %claimed
}
";

const BOUNDS: &str = "\
define internal i32 @wa_bounds(ptr %error, i32 %site, i64 %index, i64 %length) noinline cold nounwind {
  %claimed = call i32 @wa_fail(ptr %error, i32 %site)
  %own = icmp eq i32 %claimed, 2
  br i1 %own, label %tell, label %done
tell:
  %at_index = getelementptr inbounds i8, ptr %error, i64 8
  store i64 %index, ptr %at_index, align 8
  %at_length = getelementptr inbounds i8, ptr %error, i64 16
  store i64 %length, ptr %at_length, align 8
  br label %done
done:
  ret i32 %claimed
}
";

const CALLED: &str = "\
define internal i32 @wa_called(ptr %error, i32 %claimed, i32 %site) noinline cold nounwind {
  %own = icmp eq i32 %claimed, 2
  br i1 %own, label %ask, label %done
ask:
  %at_count = getelementptr inbounds i32, ptr %error, i64 1
  %count = load i32, ptr %at_count, align 4
  %room = icmp ult i32 %count, MAX_CALLS
  br i1 %room, label %tell, label %done
tell:
  %word = add i32 %count, 6
  %at = getelementptr inbounds i32, ptr %error, i32 %word
  store i32 %site, ptr %at, align 4
  %more = add i32 %count, 1
  store i32 %more, ptr %at_count, align 4
  br label %done
done:
  ret i32 %claimed
}
";

const POWINT: &str = "\
define internal i64 @wa_powint(i64 %base, i64 %exponent) nounwind {
entry:
  %below = icmp slt i64 %exponent, 0
  %opposite = sub i64 0, %exponent
  %steps = select i1 %below, i64 %opposite, i64 %exponent
  br label %head
head:
  %left = phi i64 [ %steps, %entry ], [ %rest, %step ]
  %result = phi i64 [ 1, %entry ], [ %next, %step ]
  %square = phi i64 [ %base, %entry ], [ %squared, %step ]
  %none = icmp eq i64 %left, 0
  br i1 %none, label %done, label %step
step:
  %odd = trunc i64 %left to i1
  %product = mul i64 %result, %square
  %next = select i1 %odd, i64 %product, i64 %result
  %squared = mul i64 %square, %square
  %rest = lshr i64 %left, 1
  br label %head
done:
  ret i64 %result
}
";

fn atomic(name: &str, op: AtomicOp, s: Scalar) -> String {
    let (ty, bits, align) = (llvm_type(s), s.bits(), s.bytes());
    let new = match op {
        AtomicOp::Add => format!("fadd {ty} %old, %operand"),
        AtomicOp::Min | AtomicOp::Max => {
            let name = extreme(op, s);
            format!("call {ty} @{name}({ty} %old, {ty} %operand)")
        }
    };
    format!(
        "define internal {ty} @{name}(ptr %at, {ty} %operand) nounwind {{
entry:
  %first = load atomic i{bits}, ptr %at syncscope(\"device\") monotonic, align {align}
  br label %again
again:
  %seen = phi i{bits} [ %first, %entry ], [ %found, %again ]
  %old = bitcast i{bits} %seen to {ty}
  %new = {new}
  %wanted = bitcast {ty} %new to i{bits}
  %pair = cmpxchg ptr %at, i{bits} %seen, i{bits} %wanted syncscope(\"device\") monotonic monotonic, align {align}
  %found = extractvalue {{ i{bits}, i1 }} %pair, 0
  %done = extractvalue {{ i{bits}, i1 }} %pair, 1
  br i1 %done, label %out, label %again
out:
  ret {ty} %old
}}
"
    )
}
