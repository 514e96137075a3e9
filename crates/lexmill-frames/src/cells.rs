//! Polars' values as this crate's.

use polars::prelude::{AnyValue, Column, DataFrame, PolarsResult, Series};

use crate::report::Value;

/// Elements of a list that are handed on.
const LIST_LIMIT: usize = 1000;
/// Columns whose numbers name something.
const ID_COLUMNS: [&str; 4] = ["id", "center", "context", "part"];

/// All rows of a frame.
pub(crate) fn rows(frame: &DataFrame) -> PolarsResult<Vec<Vec<Value>>> {
    (0..frame.height()).map(|index| row(frame, index)).collect()
}

fn row(frame: &DataFrame, index: usize) -> PolarsResult<Vec<Value>> {
    frame.columns().iter().map(|column| cell(column, index)).collect()
}

fn cell(column: &Column, index: usize) -> PolarsResult<Value> {
    let value = from_polars(&column.get(index)?)?;
    Ok(match value {
        Value::Count(number) if ID_COLUMNS.contains(&column.name().as_str()) => Value::Id(number),
        value => value,
    })
}

fn from_polars(value: &AnyValue<'_>) -> PolarsResult<Value> {
    Ok(match value {
        AnyValue::Null => Value::Missing,
        AnyValue::Boolean(flag) => Value::Flag(*flag),
        AnyValue::String(text) => Value::text(*text),
        AnyValue::UInt8(number) => Value::Count(u64::from(*number)),
        AnyValue::UInt16(number) => Value::Count(u64::from(*number)),
        AnyValue::UInt32(number) => Value::Count(u64::from(*number)),
        AnyValue::UInt64(number) => Value::Count(*number),
        AnyValue::Int32(number) => Value::Signed(i64::from(*number)),
        AnyValue::Int64(number) => Value::Signed(*number),
        AnyValue::Float32(number) => Value::Single(*number),
        AnyValue::Float64(number) => Value::Number(*number),
        AnyValue::Binary(bytes) => Value::text(format!("({} bytes)", bytes.len())),
        AnyValue::List(elements) | AnyValue::Array(elements, _) => list(elements)?,
        other => match other.get_str() {
            Some(text) => Value::text(text),
            None => Value::text(format!("{other:?}")),
        },
    })
}

fn list(elements: &Series) -> PolarsResult<Value> {
    let shown = elements.len().min(LIST_LIMIT);
    let mut first = Vec::with_capacity(shown);
    for index in 0..shown {
        first.push(from_polars(&elements.get(index)?)?);
    }
    Ok(Value::List { first, length: elements.len() as u64 })
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ListType, NamedFrom, df};

    use super::*;

    #[test]
    fn values_keep_their_kind() {
        let frame = df!(
            "id" => [7u32],
            "word" => ["a"],
            "count" => [9u64],
            "change" => [-1i64],
            "loss" => [0.5f64],
            "weight" => [0.25f32],
            "kept" => [true],
            "absent" => [None::<u32>],
        )
        .unwrap();
        let expected = vec![
            Value::Id(7),
            Value::text("a"),
            Value::Count(9),
            Value::Signed(-1),
            Value::Number(0.5),
            Value::Single(0.25),
            Value::Flag(true),
            Value::Missing,
        ];
        assert_eq!(rows(&frame).unwrap(), [expected]);
    }

    #[test]
    fn long_lists_are_cut() {
        let long = Series::new("".into(), vec![1u32; 2 * LIST_LIMIT]);
        let short = Series::new("".into(), vec![5u32]);
        let lists: Series = NamedFrom::<_, ListType>::new("tokens".into(), [long, short]);
        let frame = DataFrame::new(2, vec![lists.into()]).unwrap();
        let found = rows(&frame).unwrap();
        let Value::List { first, length } = &found[0][0] else { panic!("{found:?}") };
        assert_eq!((first.len(), *length), (LIST_LIMIT, 2 * LIST_LIMIT as u64));
        assert_eq!(found[1][0], Value::List { first: vec![Value::Count(5)], length: 1 });
    }
}
