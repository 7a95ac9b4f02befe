// Numbers and times for people.

/** A number in few letters: 1.31M, 26.4k, 0.00025. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(3)); // 999,900 is 1M, not 1.00e+3k
  for (const [least, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= 1e3 && Math.abs(rounded) >= least) return `${Number((rounded / least).toPrecision(3))}${letter}`;
  }
  if (size !== 0 && size < 1e-4) return value.toExponential(1);
  return trim(value.toPrecision(size >= 100 ? 4 : 3));
}

function trim(text) {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

/** A whole number with its digits in threes. */
export function whole(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en");
}

/** Minutes as 42 s, 12 min, 3.4 h. */
export function minutes(value) {
  if (value < 1) return `${Math.round(value * 60)} s`;
  return value < 120 ? `${trim(value.toPrecision(3))} min` : `${trim((value / 60).toPrecision(3))} h`;
}

/** How long ago a time in seconds is. */
export function ago(seconds) {
  const past = Date.now() / 1000 - seconds;
  if (past < 5) return "just now";
  for (const [length, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (past >= length) return `${Math.floor(past / length)} ${name} ago`;
  }
  return `${Math.floor(past)} s ago`;
}

/** A metric's name as words. */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** What was measured, as words: that of games that are not over has another name in the log. */
export function measured(name) {
  return words(name.replace(/^running\/(.*)$/, "$1, running games").replace(/^eval\//, "evaluation: "));
}
