// What the page knows: the runs, which of them are shown, and who wants to be told of a change.

const KEPT = "tetrax.dashboard";
const NEWEST = 8; // runs that are shown at first

const listeners = new Map(); // name of an event -> functions
const kept = read();

export const state = {
  runs: new Map(), // name -> summary
  shown: new Set(kept.shown ?? []),
  view: { name: "curves", run: null },
  options: { x: "steps", smooth: 1, log: false, together: true, ...kept.options },
  colours: new Map(), // key of a group -> number of its colour
  groups: new Map(), // name of a run -> { key, label }
};
let chosen = Boolean(kept.shown);

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ shown: [...state.shown], options: state.options }));
  } catch {
    // A browser that keeps nothing shows the newest runs each time.
  }
}

export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

export function tell(name, data) {
  for (const listener of [...(listeners.get(name) ?? [])]) listener(data);
}

/** Runs, those that go on first, by name so that none moves while one reads; then the others, newest first. */
export function sorted() {
  const goesOn = (run) => run.state === "running" || run.state === "paused";
  const age = (run) => (goesOn(run) ? Infinity : run.changed);
  return [...state.runs.values()].sort((one, other) => {
    const [first, second] = [age(one), age(other)];
    return first === second ? one.name.localeCompare(other.name) : second - first;
  });
}

export function takeRuns({ changed, gone }) {
  for (const run of changed) state.runs.set(run.name, run);
  for (const name of gone) state.runs.delete(name);
  const known = [...state.shown].some((name) => state.runs.has(name));
  if (!chosen || (!known && state.shown.size && state.runs.size)) showNewest();
  tell("runs");
}

export function showNewest() {
  const runs = sorted().filter((run) => run.kind === "run");
  show(runs.slice(0, NEWEST).map((run) => run.name), false);
}

export function show(names, byHand = true) {
  if (!byHand && names.length === state.shown.size && names.every((name) => state.shown.has(name))) return;
  state.shown = new Set(names);
  chosen = chosen || byHand;
  if (byHand) keep();
  tell("shown");
}

export function setOption(name, value) {
  state.options[name] = value;
  keep();
  tell("options");
}

/** The names of the shown runs that are there, in the list's order. */
export function shownRuns() {
  return sorted().map((run) => run.name).filter((name) => state.shown.has(name));
}

/** Remember which runs are one curve; a group keeps its colour as long as the page is open. */
export function takeGroups(groups) {
  const before = JSON.stringify([...state.groups]);
  const taken = new Set();
  state.groups = new Map();
  const fresh = [];
  for (const group of groups) {
    if (state.colours.has(group.key) && !taken.has(state.colours.get(group.key))) taken.add(state.colours.get(group.key));
    else fresh.push(group);
    for (const run of group.runs) state.groups.set(run, group);
  }
  for (const group of fresh) {
    let colour = 0;
    while (taken.has(colour)) colour += 1;
    taken.add(colour);
    state.colours.set(group.key, colour);
  }
  if (JSON.stringify([...state.groups]) !== before) tell("groups");
}

/** A run's name without the folders that all runs are in. */
export function shortName(name) {
  return name.slice(sharedLength(name)) || name;
}

function sharedLength(name) {
  const names = [...state.runs.keys()];
  const folders = name.split("/").slice(0, -1);
  while (folders.length && !names.every((other) => other.startsWith(`${folders.join("/")}/`))) folders.pop();
  return folders.length ? folders.join("/").length + 1 : 0;
}

export function colourOf(run) {
  const group = state.groups.get(run);
  return group ? state.colours.get(group.key) : undefined;
}
