//! What plots have in common: a frame, colours, and axes.

/// Colours that are told apart with any kind of sight (Okabe and Ito).
pub(crate) const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#777777"];

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#222}.h{font-weight:600;font-size:14px}.t{font-weight:600}.a{fill:#777;font-size:10px}\
.g{stroke:#ddd}.b{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}.a{fill:#999}.g{stroke:#444}.b{fill:#1b1b1b}}";

/// The beginning of a drawing of a width and a height, on its ground; it ends with `</svg>`.
pub(crate) fn begin((width, height): (f64, f64), title: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\
         <rect class=\"b\" width=\"100%\" height=\"100%\"/>\n"
    )
}

/// Text between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where values are on an axis.
pub(crate) struct Axis {
    low: f64,
    high: f64,
    step: f64,
    length: f64,
}

impl Axis {
    /// An axis of a length over some values, to round numbers on either side; over 0…1 where there are none.
    pub(crate) fn over(values: impl IntoIterator<Item = f64>, length: f64) -> Self {
        let values = values.into_iter().filter(|value| value.is_finite());
        let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let (low, high) = ends.unwrap_or((0.0, 1.0));
        let step = round_step((high - low) / 4.0);
        let low = (low / step).floor() * step;
        Self { low, high: ((high / step).ceil() * step).max(low + step), step, length }
    }

    /// What lies between two ticks.
    pub(crate) fn step(&self) -> f64 {
        self.step
    }

    /// From the axis' beginning.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.length * (value - self.low) / (self.high - self.low)
    }

    /// Round numbers from one end to the other.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> {
        let n = ((self.high - self.low) / self.step).round() as usize;
        (0..=n).map(|at| self.low + at as f64 * self.step)
    }
}

/// 1, 2 or 5 times a power of ten, at least as large, and at least 0.001.
fn round_step(wanted: f64) -> f64 {
    let wanted = wanted.max(0.001);
    let power = 10f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    // A hair below counts as equal: powers of ten are not exact.
    steps.into_iter().find(|step| *step >= wanted * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_ends_around_its_values() {
        let axis = Axis::over([0.31, 0.302, 0.316, 0.36, 0.352, 0.367], 200.0);
        assert!((axis.low - 0.3).abs() < 1e-12 && (axis.high - 0.38).abs() < 1e-12 && (axis.step - 0.02).abs() < 1e-12);
        assert_eq!(axis.ticks().count(), 5);
        assert!((axis.place(0.34) - 100.0).abs() < 1e-9);
        let one = Axis::over([0.5], 200.0);
        assert!(one.place(0.5).is_finite() && one.high > one.low);
        let wide = Axis::over([0.0, 400.0, f64::NAN], 10.0);
        assert_eq!((wide.step(), wide.place(400.0)), (100.0, 10.0));
        assert!(Axis::over([], 200.0).place(0.5).is_finite());
    }

    #[test]
    fn steps_are_round() {
        for (wanted, step) in
            [(0.0, 0.001), (0.001, 0.001), (0.0011, 0.002), (0.03, 0.05), (0.5, 0.5), (3.0, 5.0), (600.0, 1000.0)]
        {
            assert!((round_step(wanted) / step - 1.0).abs() < 1e-9, "{wanted}: {}", round_step(wanted));
        }
    }
}
