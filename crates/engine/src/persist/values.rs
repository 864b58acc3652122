//! Plain values and their containers as bytes, and structs and enums of them
//! ([`portable!`](crate::portable)).

use super::bytes::{MAX_RESERVED, Malformed, Portable, Reader, Writer};
use smallvec::{Array, SmallVec};
use std::sync::Arc;

pub(super) fn write_all<T: Portable>(all: &[T], w: &mut Writer<'_>) {
    w.number(all.len() as u64);
    all.iter().for_each(|one| one.write(w));
}

impl<T: Portable> Portable for Vec<T> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        // Every element takes at least a byte, so the length cannot ask for too much.
        let count = r.count()?;
        let mut all = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            all.push(T::read(r)?);
        }
        Ok(all)
    }
}

impl<T: Portable> Portable for Box<[T]> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Vec::read(r).map(Vec::into_boxed_slice)
    }
}

impl<A: Array<Item: Portable>> Portable for SmallVec<A> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = r.count()?;
        let mut items = SmallVec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            items.push(A::Item::read(r)?);
        }
        Ok(items)
    }
}

impl<T: Portable> Portable for Option<T> {
    fn write(&self, w: &mut Writer<'_>) {
        match self {
            None => w.byte(0),
            Some(value) => {
                w.byte(1);
                value.write(w);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.byte()? {
            0 => None,
            1 => Some(T::read(r)?),
            _ => return Err(Malformed("neither something nor nothing")),
        })
    }
}

impl<A: Portable, B: Portable> Portable for (A, B) {
    fn write(&self, w: &mut Writer<'_>) {
        self.0.write(w);
        self.1.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::read(r)?, B::read(r)?))
    }
}

impl Portable for Arc<str> {
    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.text().map(Arc::from)
    }
}

impl Portable for String {
    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.text().map(String::from)
    }
}

impl Portable for usize {
    fn write(&self, w: &mut Writer<'_>) {
        w.number(*self as u64);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        usize::try_from(r.number()?).map_err(|_| Malformed("a number is too large"))
    }
}

impl Portable for bool {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.byte(u8::from(*self));
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither true nor false")),
        }
    }
}

impl Portable for u32 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.number(u64::from(*self));
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::try_from(r.number()?).map_err(|_| Malformed("a number is too large"))
    }
}

impl Portable for u64 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.bits(*self);
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.bits()
    }
}

/// Zigzag, so that small negative numbers are short.
impl Portable for i64 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.number(((self << 1) ^ (self >> 63)).cast_unsigned());
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let zigzag = r.number()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}

/// Implements [`Portable`] for structs by their fields in order, and for enums by explicit
/// numbers of their variants. A field or variant that is missing does not compile.
#[macro_export]
macro_rules! portable {
    (struct $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                let $name { $($field),* } = self;
                $( $crate::persist::Portable::write($field, w); )*
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                $( let $field = $crate::persist::Portable::read(r)?; )*
                Ok($name { $($field),* })
            }
        }
    };
    (newtype $name:ident) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                $crate::persist::Portable::write(&self.0, w);
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                $crate::persist::Portable::read(r).map($name)
            }
        }
    };
    (enum $name:ident { $($number:literal $variant:ident $(($($part:ident),*))?),* $(,)? }) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                match self {
                    $( $name::$variant $(($($part),*))? => {
                        w.byte($number);
                        $( $( $crate::persist::Portable::write($part, w); )* )?
                    } )*
                }
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                Ok(match r.byte()? {
                    $( $number => {
                        $( $( let $part = $crate::persist::Portable::read(r)?; )* )?
                        $name::$variant $(($($part),*))?
                    } )*
                    _ => return Err($crate::persist::Malformed(
                        concat!("no such ", stringify!($name)),
                    )),
                })
            }
        }
    };
}
