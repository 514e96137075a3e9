//! Names of column types, and which of them this build of Polars can read.
//!
//! Polars panics on the types whose features are left out, so that columns of them are never asked
//! for: they appear in a schema and not among the rows.

use polars::prelude::{ArrowDataType, ArrowField};

/// A type in the words of the documentation: `u32`, `list of text`, `vector of 100 f32`.
pub(crate) fn name(kind: &ArrowDataType) -> String {
    let simple = match kind {
        ArrowDataType::Null => "null",
        ArrowDataType::Boolean => "bool",
        ArrowDataType::Int8 => "i8",
        ArrowDataType::Int16 => "i16",
        ArrowDataType::Int32 => "i32",
        ArrowDataType::Int64 => "i64",
        ArrowDataType::UInt8 => "u8",
        ArrowDataType::UInt16 => "u16",
        ArrowDataType::UInt32 => "u32",
        ArrowDataType::UInt64 => "u64",
        ArrowDataType::Float16 => "f16",
        ArrowDataType::Float32 => "f32",
        ArrowDataType::Float64 => "f64",
        ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View => "text",
        ArrowDataType::Binary | ArrowDataType::LargeBinary | ArrowDataType::BinaryView => "bytes",
        ArrowDataType::Date32 | ArrowDataType::Date64 => "date",
        ArrowDataType::Time32(_) | ArrowDataType::Time64(_) => "time",
        ArrowDataType::Timestamp(_, _) => "timestamp",
        ArrowDataType::Duration(_) => "duration",
        ArrowDataType::Dictionary(_, values, _) => return name(values),
        ArrowDataType::List(element) | ArrowDataType::LargeList(element) => {
            return format!("list of {}", name(&element.dtype));
        }
        ArrowDataType::FixedSizeList(element, length) => {
            return format!("vector of {length} {}", name(&element.dtype));
        }
        ArrowDataType::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(field_name).collect();
            return format!("struct of {}", fields.join(", "));
        }
        other => return format!("{other:?}"),
    };
    simple.to_owned()
}

fn field_name(field: &ArrowField) -> String {
    format!("{}: {}", field.name, name(&field.dtype))
}

/// Whether values of the type can be read and shown.
pub(crate) fn is_readable(kind: &ArrowDataType) -> bool {
    match kind {
        ArrowDataType::Boolean
        | ArrowDataType::Int32
        | ArrowDataType::Int64
        | ArrowDataType::UInt8
        | ArrowDataType::UInt16
        | ArrowDataType::UInt32
        | ArrowDataType::UInt64
        | ArrowDataType::Float32
        | ArrowDataType::Float64
        | ArrowDataType::Utf8
        | ArrowDataType::LargeUtf8
        | ArrowDataType::Utf8View
        | ArrowDataType::Binary
        | ArrowDataType::LargeBinary
        | ArrowDataType::BinaryView => true,
        ArrowDataType::Dictionary(_, values, _) => name(values) == "text",
        ArrowDataType::List(element) | ArrowDataType::LargeList(element) => {
            is_readable(&element.dtype)
        }
        ArrowDataType::FixedSizeList(element, length) => *length > 0 && is_readable(&element.dtype),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(element: ArrowDataType) -> ArrowDataType {
        ArrowDataType::LargeList(Box::new(ArrowField::new("element".into(), element, false)))
    }

    #[test]
    fn nested_types_are_named_from_outside_in() {
        assert_eq!(name(&list(ArrowDataType::Utf8View)), "list of text");
        assert_eq!(name(&list(list(ArrowDataType::UInt32))), "list of list of u32");
        let element = Box::new(ArrowField::new("element".into(), ArrowDataType::Float16, false));
        let vector = ArrowDataType::FixedSizeList(element, 100);
        assert_eq!(name(&vector), "vector of 100 f16");
        assert!(!is_readable(&vector), "the build has no f16");
        assert!(is_readable(&list(ArrowDataType::Utf8View)));
        assert!(!is_readable(&list(ArrowDataType::Date32)));
    }
}
