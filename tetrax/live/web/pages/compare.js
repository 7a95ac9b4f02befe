// The view that compares: what differs between the shown runs, and how good each was in its evaluation.

import { NUM_COLOURS } from "./chart.js";
import { ago, measured, short, whole, words } from "./formats.js";
import { get, make } from "./sending.js";
import { colourOf, on, shortName, shownRuns, state } from "./state.js";
import { makeTable } from "./tables.js";

const FEW = 30; // settings that are shown at first
const LONG = 60; // letters of a value

export function makeCompare() {
  const element = make("div", { class: "compare" });
  const doing = make("div", {});
  let named = []; // the runs in it
  let asked = 0;

  async function update() {
    const mine = ++asked;
    const runs = shownRuns();
    if (!runs.length) {
      element.replaceChildren(heading(), make("p", { class: "note quiet" }, "No run is shown: tick some in the list."));
      return;
    }
    try {
      const answer = await get(`/api/compare?${new URLSearchParams(runs.map((name) => ["run", name]))}`);
      if (mine === asked) element.replaceChildren(heading(), ...draw(answer, drawRuns(runs)));
    } catch (error) {
      if (mine === asked) element.replaceChildren(heading(), make("p", { class: "note bad" }, error.message));
    }
  }

  /** Show what the runs do as the list does; who is reading in it by keys is not disturbed. */
  function drawRuns(runs = named) {
    named = runs;
    if (!doing.contains(document.activeElement)) doing.replaceChildren(runTable(named));
    return doing;
  }

  const wanted = ["config", "evaluation"];
  const off = [
    on("shown", update),
    on("runs", () => drawRuns()),
    on("again", update),
    on("changed", ({ parts }) => parts.some((part) => wanted.includes(part)) && update()),
  ];
  update();
  return {
    element,
    destroy() {
      asked += 1;
      for (const stop of off) stop();
    },
  };
}

function heading() {
  return make("h1", { class: "unseen" }, "Compare");
}

function draw({ runs, settings, evaluations, faults }, doing) {
  const parts = [section("Evaluations at the end", evaluationTable(runs, evaluations)), section("Runs", doing)];
  const table = settings.length
    ? settingsTable(runs, settings)
    : make("p", { class: "quiet" }, runs.length > 1 ? "Their configurations are the same." : "Show several runs to see what differs.");
  parts.push(section("What differs", table));
  if (faults.length) parts.push(make("p", { class: "note bad" }, faults.join(" · ")));
  return parts;
}

/** The settings that most runs have come first; many of one algorithm alone are folded. */
function settingsTable(runs, settings) {
  const known = ({ values }) => values.filter((value) => value !== null).length;
  const ordered = [...settings].sort((one, other) => known(other) - known(one));
  const cell = (value) => (value === null ? null : make("span", { class: "setting", title: value.length > LONG ? value : null }, value.length > LONG ? `${value.slice(0, LONG)}…` : value));
  const table = (some) => makeTable(["setting", ...runs.map(nameOf)], some.map(({ name, values }) => [make("code", {}, name), ...values.map(cell)]), { numbers: 99, caption: "Settings that differ" });
  const rest = ordered.slice(FEW);
  return make("div", { class: "settings" }, table(ordered.slice(0, FEW)),
    rest.length ? make("details", {}, make("summary", {}, `${rest.length} more`), table(rest)) : null);
}

function section(title, content) {
  return make("section", { class: "card pad" }, make("h2", {}, title), content);
}

function nameOf(name) {
  const colour = colourOf(name);
  return make("a", { href: `#/run/${encodeURIComponent(name)}` },
    make("span", { class: colour === undefined ? "swatch" : `swatch curve-${colour % NUM_COLOURS}` }), shortName(name));
}

function runTable(runs) {
  const rows = runs.map((name) => state.runs.get(name)).filter(Boolean).map((run) => [
    nameOf(run.name), run.title, run.state, short(run.step), run.total_steps ? short(run.total_steps) : "–",
    run.measured ? `${short(run.measured.value)} ${measured(run.measured.name)}` : "–",
    run.evaluated ? `${short(run.evaluated.value)}` : "–", ago(run.changed),
  ]);
  return makeTable(["run", "what", "state", "step", "of", "last chunk", "last evaluation", "changed"], rows, { numbers: 3, caption: "Runs" });
}

function evaluationTable(runs, evaluations) {
  const there = runs.map((name, index) => ({ name, told: evaluations[index] })).filter(({ told }) => told);
  if (!there.length) return make("p", { class: "quiet" }, "None of them has been evaluated at its end.");
  const measures = [...new Set(there.flatMap(({ told }) => Object.keys(told.measures)))];
  const first = (told) => told.measures[measures[0]]?.mean ?? -Infinity;
  there.sort((one, other) => first(other.told) - first(one.told));
  const rows = there.map(({ name, told }) => [
    nameOf(name), ...measures.map((measure) => meanOf(told.measures[measure])), whole(told.how.episodes), whole(told.how.max_pieces || null),
  ]);
  return makeTable(["run", ...measures.map(words), "games", "stopped at"], rows, { caption: "Evaluations" });
}

/** A mean with its confidence interval, and the lowest and highest when pointed at. */
export function meanOf(measure) {
  if (!measure || measure.mean === undefined) return "–";
  const [low, high] = measure.ci95 ?? [];
  const range = measure.min === undefined ? "" : `lowest ${short(measure.min)}, highest ${short(measure.max)}, standard deviation ${short(measure.std)}`;
  return make("span", { title: range }, make("b", {}, short(measure.mean)),
    low === undefined || low === null ? "" : make("span", { class: "quiet" }, ` ± ${short((high - low) / 2)}`));
}
