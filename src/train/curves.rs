//! The curves of a run: its loss over steps, and below it the MAP of every validation set.

use std::fmt::Write;

use super::run::{Log, Validation};
use crate::workbench::chart::{self, Axis, COLOURS, escaped};

/// The size of a panel's axes, and where the first panel begins.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 44.0;
/// From one panel's beginning to the next.
const DOWN: f64 = HEIGHT + 74.0;
/// Right of the panels, for the names of lines.
const NAMES: f64 = 190.0;
/// Steps over which the loss is averaged: those of this share of all.
const SMOOTHED: usize = 40;

/// A line of a panel.
struct Line {
    name: String,
    colour: &'static str,
    points: Vec<(f64, f64)>,
    /// Whether its points are marked.
    marked: bool,
}

/// The curves as SVG.
pub(super) fn render(log: &Log) -> String {
    let mut svg = chart::begin((LEFT + WIDTH + NAMES, TOP + 2.0 * DOWN), "curves of a training run");
    let last = |log: &Log| {
        let of_losses = log.losses.last().map_or(0, |(step, _)| step + 1);
        log.validations.iter().map(|validation| validation.step).fold(of_losses, u64::max)
    };
    let steps = Axis::over([0.0, last(log) as f64], WIDTH);
    panel(&mut svg, "loss", &steps, TOP, &losses(log));
    panel(&mut svg, "validation MAP, %, all the way from the base", &steps, TOP + DOWN, &values(log));
    svg.push_str("</svg>\n");
    svg
}

/// The loss of each step, and its mean over the last ones.
fn losses(log: &Log) -> Vec<Line> {
    let each: Vec<(f64, f64)> = log.losses.iter().map(|(step, loss)| (*step as f64 + 1.0, *loss)).collect();
    let window = (each.len() / SMOOTHED).max(1);
    let mean = |part: &[(f64, f64)]| {
        let sum: f64 = part.iter().map(|(_, loss)| loss).sum();
        part.last().map(|(step, _)| (*step, sum / part.len() as f64))
    };
    let smooth = each.windows(window).filter_map(mean).collect();
    vec![
        Line { name: "each step".to_string(), colour: COLOURS[6], points: each, marked: false },
        Line { name: format!("mean of {window}"), colour: COLOURS[0], points: smooth, marked: false },
    ]
}

/// What models all the way from the base came to, set by set; each behind the base's.
fn values(log: &Log) -> Vec<Line> {
    let whole: Vec<&Validation> =
        log.validations.iter().filter(|validation| validation.step == 0 || validation.share == 1.0).collect();
    let mut lines = vec![Line {
        name: "mean over tasks".to_string(),
        colour: COLOURS[6],
        points: whole.iter().map(|validation| (validation.step as f64, 100.0 * validation.value)).collect(),
        marked: true,
    }];
    let sets = log.validations.first().into_iter().flat_map(|validation| validation.sets.iter().map(|(set, _)| set));
    for (at, set) in sets.enumerate() {
        let value = |validation: &&Validation| {
            let (_, value) = validation.sets.iter().find(|(other, _)| other == set)?;
            Some((validation.step as f64, 100.0 * value))
        };
        let points = whole.iter().filter_map(value).collect();
        lines.push(Line { name: set.to_string(), colour: COLOURS[at % (COLOURS.len() - 1)], points, marked: true });
    }
    lines
}

fn panel(svg: &mut String, title: &str, steps: &Axis, top: f64, lines: &[Line]) {
    let bottom = top + HEIGHT;
    let values = Axis::over(lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value)), HEIGHT);
    let _ = writeln!(svg, "<text class=\"t\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>", top - 12.0, escaped(title));
    for tick in values.ticks() {
        let (y, right) = (bottom - values.place(tick), LEFT + WIDTH);
        let _ = writeln!(svg, "<path class=\"g\" d=\"M{LEFT} {y:.1}H{right:.1}\"/>");
        let decimals = usize::from(values.step() < 0.99) + usize::from(values.step() < 0.099);
        let _ = writeln!(
            svg,
            "<text class=\"a\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick:.decimals$}</text>",
            LEFT - 6.0,
            y + 3.5
        );
    }
    for tick in steps.ticks() {
        let x = LEFT + steps.place(tick);
        let _ = writeln!(
            svg,
            "<text class=\"a\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick:.0}</text>",
            bottom + 16.0
        );
    }
    for (at, line) in lines.iter().enumerate() {
        draw(svg, line, steps, &values, bottom);
        let (x, y) = (LEFT + WIDTH + 14.0, top + 10.0 + 17.0 * at as f64);
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{}\"/>", line.colour);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", x + 10.0, y + 4.0, escaped(&line.name));
    }
}

fn draw(svg: &mut String, line: &Line, steps: &Axis, values: &Axis, bottom: f64) {
    let place = |(step, value): &(f64, f64)| (LEFT + steps.place(*step), bottom - values.place(*value));
    let mut path = String::new();
    for (x, y) in line.points.iter().filter(|(_, value)| value.is_finite()).map(place) {
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
    }
    let (colour, width) = (line.colour, if line.marked { 2.0 } else { 1.2 });
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>");
    for point in line.points.iter().filter(|_| line.marked) {
        let (x, y) = place(point);
        let name = escaped(&line.name);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{name}, step {:.0}: {:.2}</title></circle>",
            point.0, point.1
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validation(step: u64, share: f32, value: f64) -> Validation {
        Validation { step, share, sets: vec![("title-similarity".parse().unwrap(), value)], value }
    }

    #[test]
    fn every_loss_and_validation_is_drawn_and_nothing_is_too_little() {
        let validations =
            vec![validation(0, 0.0, 0.4), validation(2, 1.0, 0.5), validation(4, 0.5, 0.6), validation(4, 1.0, 0.45)];
        let losses = (0..4).map(|step| (step, 8.0 - step as f64)).collect();
        let svg = render(&Log { losses, validations, seconds: 1.0 });
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        for words in
            ["step 2: 50.00", "step 4: 45.00", "step 0: 40.00", "mean over tasks", "title-similarity", "mean of 1"]
        {
            assert!(svg.contains(words), "{words}");
        }
        // Half the way is no point of the curve.
        assert!(!svg.contains("60.00"));
        let (from, to) = (svg.matches('<').count(), svg.matches('>').count());
        assert_eq!(from, to);
        let empty = render(&Log::default());
        assert!(empty.ends_with("</svg>\n") && !empty.contains("NaN"));
    }
}
