//! Plots as SVG that goes into a page: its colours are those of the page's style sheet, so that it is
//! readable in the dark and on paper.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

/// A line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// What it shows.
    pub(crate) name: String,
    /// From left to right.
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether it is only there to compare with.
    pub(crate) reference: bool,
}

/// What a plot looks like besides its lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axes<'a> {
    /// What it shows, for those who can't see it.
    pub(crate) label: &'a str,
    /// What is to the right.
    pub(crate) x: &'a str,
    /// Whether both axes are logarithmic.
    pub(crate) logarithmic: bool,
    /// Whether the vertical axis begins at 0.
    pub(crate) from_zero: bool,
}

/// Colours that stand for variables of the style sheet until the plot is drawn.
const STANDINS: [(RGBColor, &str); 8] = [
    (RGBColor(1, 2, 3), "var(--accent)"),
    (RGBColor(4, 5, 6), "var(--second)"),
    (RGBColor(7, 8, 9), "var(--focus)"),
    (RGBColor(10, 11, 12), "var(--map-match)"),
    (RGBColor(13, 14, 15), "var(--ink-2)"),
    (RGBColor(16, 17, 18), "var(--rule)"),
    (RGBColor(19, 20, 21), "var(--edge)"),
    (RGBColor(22, 23, 24), "var(--ink-3)"),
];
const TEXT: RGBColor = STANDINS[4].0;
const GRID: RGBColor = STANDINS[5].0;
const AXIS: RGBColor = STANDINS[6].0;
const REFERENCE: RGBColor = STANDINS[7].0;
const SIZE: (u32, u32) = (480, 280);

/// The variable of the style sheet that a plot's line has for its colour.
pub(crate) fn color(line: usize) -> &'static str {
    STANDINS[line % 5].1
}

/// The dashes of a plot's line, as SVG has them: the first five are whole, the next have dashes, so that no
/// two of ten look the same.
pub(crate) fn dashes(line: usize) -> String {
    match dash(line) {
        None => "none".to_owned(),
        Some(dash) => format!("{dash} {DASH_GAP}"),
    }
}

fn dash(line: usize) -> Option<u32> {
    let round = line / 5;
    (round > 0).then(|| 2 + 4 * round as u32)
}

const DASH_GAP: u32 = 3;

/// Draws lines. `None` if there is nothing to draw.
pub(crate) fn plot(lines: &[Line], axes: Axes<'_>) -> Option<String> {
    let usable = |&(x, y): &(f64, f64)| {
        x.is_finite() && y.is_finite() && (!axes.logarithmic || (x > 0.0 && y > 0.0))
    };
    let points = || lines.iter().flat_map(|line| &line.points).copied().filter(usable);
    let range = |of: fn((f64, f64)) -> f64| {
        let low = points().map(of).fold(f64::INFINITY, f64::min);
        let high = points().map(of).fold(f64::NEG_INFINITY, f64::max);
        low..high
    };
    points().next()?;
    let (mut x, mut y) = (range(|point| point.0), range(|point| point.1));
    if axes.from_zero {
        y.start = y.start.min(0.0);
    }
    widen(&mut x, axes.logarithmic);
    widen(&mut y, axes.logarithmic);
    y.end += if axes.logarithmic { 0.0 } else { (y.end - y.start) * 0.05 };
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    let drawn = match axes.logarithmic {
        true => draw(&area, lines, &axes, x.log_scale(), y.log_scale()),
        false => draw(&area, lines, &axes, x, y),
    };
    drop(area);
    drawn.ok()?;
    Some(styled(&svg, axes.label))
}

/// A range that has some width.
fn widen(range: &mut Range<f64>, logarithmic: bool) {
    if range.end <= range.start {
        match logarithmic {
            true => *range = range.start / 2.0..range.end * 2.0,
            false => *range = range.start - 0.5..range.end + 0.5,
        }
    }
}

fn draw<X, Y>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    lines: &[Line],
    axes: &Axes<'_>,
    x: X,
    y: Y,
) -> Result<(), Box<dyn std::error::Error>>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    // As in the page's other text; where text ends is measured by the browser.
    let text = ("sans-serif", 12).into_font().color(&TEXT);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(52)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .x_desc(axes.x)
        .draw()?;
    for (index, line) in lines.iter().enumerate() {
        let points = line.points.iter().copied();
        if line.reference {
            let dashes = DashedLineSeries::new(points, 4, 4, ShapeStyle::from(REFERENCE));
            chart.draw_series(dashes)?;
        } else {
            let style = ShapeStyle::from(STANDINS[index % 5].0).stroke_width(2);
            if let Some(dash) = dash(index) {
                chart.draw_series(DashedLineSeries::new(points, dash, DASH_GAP, style))?;
            } else {
                chart.draw_series(LineSeries::new(points, style))?;
            }
        }
    }
    area.present()?;
    Ok(())
}

/// A number in few characters.
fn short(value: f64) -> String {
    let size = value.abs();
    let (value, end) = match size {
        _ if size >= 1e9 => (value / 1e9, "G"),
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match value.abs() {
        0.0 => 0,
        size if size < 0.1 => 3,
        size if size < 10.0 => 2,
        _ => 1,
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{end}")
}

/// Plotters' SVG as a part of a page: scalable, with the page's colours.
fn styled(svg: &str, label: &str) -> String {
    let mut svg = svg.to_owned();
    for (RGBColor(r, g, b), name) in STANDINS {
        svg = svg.replace(&format!("#{r:02X}{g:02X}{b:02X}"), name);
    }
    // What stands before the first drawing is the size in pixels.
    let body = svg.find('>').map_or("", |end| &svg[end + 1..]);
    let body = body.trim_start().trim_end();
    let (width, height) = SIZE;
    let Ok(label) = askama::filters::escape(label, askama::filters::Html);
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: Axes<'_> = Axes { label: "a < b", x: "rank", logarithmic: false, from_zero: true };

    fn line(points: &[(f64, f64)]) -> Line {
        Line { name: "a".to_owned(), points: points.to_vec(), reference: false }
    }

    #[test]
    fn a_plot_has_the_colours_of_the_page() {
        for logarithmic in [false, true] {
            let axes = Axes { logarithmic, from_zero: !logarithmic, ..AXES };
            let lines = [line(&[(1.0, 5.0), (10.0, 3.0), (100.0, 1.0)]), line(&[(1.0, 2.0)])];
            let svg = plot(&lines, axes).unwrap();
            assert!(svg.starts_with("<svg class=\"plot\"") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains("aria-label=\"a &#60; b\""), "{svg}");
            assert!(svg.contains("var(--accent)") && svg.contains("var(--rule)"));
            assert!(!svg.contains("stroke=\"#") && !svg.contains("fill=\"#"), "{svg}");
        }
    }

    #[test]
    fn odd_points_are_no_trouble() {
        assert_eq!(plot(&[], AXES), None);
        assert_eq!(plot(&[line(&[(f64::NAN, 1.0), (1.0, f64::INFINITY)])], AXES), None);
        let log = Axes { logarithmic: true, ..AXES };
        assert_eq!(plot(&[line(&[(0.0, 1.0), (1.0, -1.0)])], log), None);
        for axes in [AXES, log] {
            assert!(plot(&[line(&[(1.0, 1.0)])], axes).is_some());
            assert!(plot(&[line(&[(1.0, 1.0), (1.0, 1.0), (2.0, 1.0)])], axes).is_some());
        }
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.05, 0.25, 1.0, 12.5, 1000.0, 20_000.0, 3.5e6, 2e9].map(short);
        assert_eq!(shown, ["0", "0.05", "0.25", "1", "12.5", "1000", "20k", "3.5M", "2G"]);
    }
}
