// The watched game of a run: played at a steady pace, with what the policy thought of its actions.

import { makeBoard } from "./board.js";
import { short, whole } from "./formats.js";
import { make } from "./sending.js";
import { on } from "./state.js";

const STEPS_PER_SECOND = 4; // at speed 1
const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const MOST_KEPT = 3_000; // steps that one can go back to
const FAR_BEHIND = 240; // steps after which the newest are shown instead
const LEAD = 20; // of them that are shown then
const DECIDERS = {
  greedy: "greedy: the best it knows", sampled: "drawn by its probabilities", boltzmann: "Boltzmann: drawn by worth",
  random: "at random, to explore", search: "by search", person: "by a person",
};
const GOES_ON = ["running", "paused"];
const KINDS = { probabilities: "probability", worths: "worth" };

export function makeWatched(run) {
  const stage = make("div", { class: "game" });
  const told = make("div", { class: "decision" });
  const note = make("p", { class: "note quiet" }, "Waiting for the run to play. It does so while it trains and this page is open.");
  const place = make("span", { class: "number quiet" });
  const scrubber = make("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Position in the watched game" });
  const play = make("button", { type: "button", class: "main", title: "Play or pause (space)" }, "Pause");
  const back = make("button", { type: "button", title: "One step back (←)", "aria-label": "One step back" }, "‹");
  const forward = make("button", { type: "button", title: "One step forward (→)", "aria-label": "One step forward" }, "›");
  const live = make("button", { type: "button", title: "Follow the newest steps (End)", "aria-pressed": "true" }, "live");
  const speed = make("select", { "aria-label": "Speed", title: "Faster (+), slower (−)" }, ...SPEEDS.map((times) => make("option", { value: times }, `${times}×`)));
  speed.value = "1";
  const controls = make("div", { class: "controls row", hidden: true }, play, back, forward, live, speed, scrubber, place);
  const element = make("section", { class: "card watched", tabindex: "0", "aria-label": "The watched game" },
    make("div", { class: "screen" }, stage, told), note, controls);
  let steps = []; // { rules, actions, step }
  let [index, playing, following, due, drawnAt, shownRules] = [-1, true, true, 0, 0, null];
  let boards = []; // { board, heading, said }
  let [rules, actions] = [null, []];

  function take({ run: of, fresh, lines }) {
    if (of !== run) return;
    for (const line of fresh ? unseen(lines) : lines) {
      if ("rules" in line) {
        rules = line.rules;
        actions = Array.isArray(line.actions) ? line.actions : [];
      } else if ("action" in line) {
        steps.push({ rules, actions, step: line });
      }
    }
    if (steps.length > MOST_KEPT) {
      index = Math.max(0, index - (steps.length - MOST_KEPT));
      steps = steps.slice(-MOST_KEPT);
    }
    note.hidden = steps.length > 0;
    controls.hidden = !steps.length;
    if (steps.length) element.hidden = false;
    if (following && steps.length - 1 - index > FAR_BEHIND) index = steps.length - LEAD;
    if (index < 0 && steps.length) index = Math.max(0, steps.length - LEAD);
    draw();
  }

  /** The lines after the newest step that is here; all where that is not among them. */
  function unseen(lines) {
    const last = steps[steps.length - 1]?.step;
    const known = lines.findLastIndex((line) => last && ["step", "game", "move"].every((name) => line[name] === last[name]));
    return lines.filter((line, place) => place > known || "rules" in line);
  }

  function draw() {
    scrubber.max = Math.max(0, steps.length - 1);
    scrubber.value = Math.max(0, index);
    const behind = steps.length - 1 - index;
    place.textContent = steps.length ? (behind > 0 ? `${behind} behind` : "newest") : "";
    live.setAttribute("aria-pressed", following);
    const now = steps[index];
    if (!now) return;
    const shown = picturesOf(now);
    stage.hidden = !shown.length && !now.step.drawing; // some games have none
    if (shown.length !== boards.length || !shown.length) setBoards(shown.length, now);
    shown.forEach(({ scene, heading, said }, place) => {
      const { board, figure } = boards[place];
      if (now.rules !== shownRules) board.setRules(now.rules);
      board.draw(scene);
      if (figure) figure.firstChild.textContent = [heading, said].filter(Boolean).join(" · ");
    });
    if (shown.length) shownRules = now.rules;
    told.replaceChildren(...decision(now));
  }

  /** Make place for so many boards, each of several with a line above; for none, for a drawing in characters. */
  function setBoards(count, { rules: of, step }) {
    for (const { board } of boards) board.destroy();
    const maxHeight = () => Math.max(300, Math.min(620, window.innerHeight - 230));
    const several = count > 1;
    stage.classList.toggle("several", several);
    stage.classList.remove("board");
    stage.replaceChildren();
    if (!count && step.drawing) stage.append(make("pre", { class: "drawing", role: "img", "aria-label": "The game" }, String(step.drawing)));
    boards = Array.from({ length: count }, () => {
      if (!several) return { board: makeBoard(stage, of, { maxHeight }) };
      const within = make("div");
      const figure = make("figure", {}, make("figcaption", { class: "quiet" }), within);
      stage.append(figure);
      return { board: makeBoard(within, of, { maxHeight }), figure };
    });
    shownRules = of;
  }

  function seek(to, byHand = true) {
    index = Math.max(0, Math.min(steps.length - 1, to));
    if (byHand) following = index === steps.length - 1;
    draw();
  }

  function setPlaying(yes) {
    playing = yes;
    play.textContent = playing ? "Pause" : "Play";
    due = 0;
  }

  let frame = requestAnimationFrame(goOn);
  function goOn(time) {
    frame = requestAnimationFrame(goOn);
    const passed = Math.min(1, Math.max(0, (time - drawnAt) / 1000));
    drawnAt = time;
    if (!playing || index >= steps.length - 1) return;
    due += passed * STEPS_PER_SECOND * Number(speed.value);
    const passing = Math.floor(due);
    due -= passing;
    if (passing) seek(index + passing, false);
  }

  function step(by) {
    setPlaying(false);
    seek(index + by);
  }

  function follow() {
    following = true;
    setPlaying(true);
    seek(Math.max(0, steps.length - LEAD), false);
  }

  const keys = {
    " ": () => setPlaying(!playing),
    ArrowLeft: (far) => step(far ? -10 : -1),
    ArrowRight: (far) => step(far ? 10 : 1),
    Home: () => step(-steps.length),
    End: follow,
    "+": () => faster(1),
    "=": () => faster(1),
    "-": () => faster(-1),
  };
  function faster(by) {
    speed.selectedIndex = Math.max(0, Math.min(SPEEDS.length - 1, speed.selectedIndex + by));
  }
  element.addEventListener("keydown", (event) => {
    const native = event.target.closest("select, input") || (event.key === " " && event.target.closest("button"));
    const action = Object.hasOwn(keys, event.key) && keys[event.key];
    if (native || !action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event.shiftKey);
  });
  play.addEventListener("click", () => setPlaying(!playing));
  back.addEventListener("click", () => step(-1));
  forward.addEventListener("click", () => step(1));
  live.addEventListener("click", follow);
  scrubber.addEventListener("input", () => {
    setPlaying(false);
    seek(Number(scrubber.value));
  });
  const off = [
    on("watched", take),
    on("fault", ({ run: of, said }) => {
      if (of !== run) return;
      note.hidden = false;
      note.textContent = said;
    }),
  ];
  return {
    element,
    /** A run that does not go on plays no game; what it has played last may still be there. */
    update(summary) {
      element.hidden = summary.kind === "sweep" || (!GOES_ON.includes(summary.state) && !steps.length);
    },
    destroy() {
      cancelAnimationFrame(frame);
      for (const { board } of boards) board.destroy();
      for (const stop of off) stop();
    },
  };
}

/** The boards of a step, as scenes to draw: of one game, or of all who play at once. */
function picturesOf({ rules, step }) {
  if (!rules) return [];
  if (Array.isArray(step.boards)) return step.boards.filter((each) => each?.scene);
  return step.scene ? [{ scene: { ...step.scene, line: goesOn(step) } }] : [];
}

/** Where the best line goes on after the placement that was played, if it was the line's first. */
function goesOn({ lines, placed }) {
  const [first, ...rest] = lines?.[0]?.steps ?? [];
  const key = (cells) => cells.map(String).sort().join(" ");
  return first && placed && key(first.cells) === key(placed) ? rest : [];
}

function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1%";
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
}

/** What the policy decided, as elements: the action, who chose it, what else it thought of. */
function decision({ actions, step }) {
  const scores = Array.isArray(step.scores) ? step.scores : [];
  const values = scores.map(([, value]) => value);
  const most = Math.max(...values, step.kind === "probabilities" ? 0 : -Infinity);
  const least = step.kind === "probabilities" ? 0 : Math.min(...values, most - 1e-9);
  const rows = scores.map(([action, value]) => {
    const part = most > least ? (value - least) / (most - least) : 1;
    const bar = make("meter", { min: "0", max: "1", value: String(step.kind === "worths" ? 0.06 + 0.94 * part : part), "aria-hidden": "true" });
    return make("li", { class: action === step.action ? "chosen" : null },
      make("span", { class: "name" }, actions[action] ?? `action ${action}`), bar,
      make("b", { class: "number" }, step.kind === "probabilities" ? percent(value) : short(value)));
  });
  const others = (step.legal ?? 0) - scores.length;
  const terms = Object.entries(step.terms ?? {}).map(([name, value]) => `${name} ${short(value)}`).join(", ");
  const facts = [
    ["decided", DECIDERS[step.decider] ?? step.decider],
    ["value", step.value === null || step.value === undefined ? null : short(step.value)],
    ["reward", step.reward === null || step.reward === undefined ? null : `${short(step.reward)}${terms ? ` (${terms})` : ""}`],
    ["loss", step.td_error === null || step.td_error === undefined ? null : `TD error ${short(step.td_error)}`],
    ["locked", step.locked ? `${step.locked}${step.why ? `: ${step.why.replaceAll("_", " ")}` : ""}` : null],
    ["happened", step.said || null],
    ["game", `${whole((step.game ?? 0) + 1)}, move ${whole(step.move)}${step.over ? ", its last" : ""}`],
    ["trained", step.step === undefined ? null : `${short(step.step)} steps`],
  ];
  return [
    make("p", { class: "did" }, make("span", { class: `badge ${step.decider}` }, step.decider ?? ""), " ", make("b", {}, step.did ?? "")),
    scores.length ? make("h3", {}, `Its ${KINDS[step.kind] ?? "score"} of each action`) : "",
    scores.length || !step.lines ? make("ol", { class: "scores" }, ...rows) : "",
    make("p", { class: "quiet others" }, others > 0 && scores.length ? `and ${others} more legal actions` : ""),
    ...plans(step.lines ?? []),
    make("dl", {}, ...facts.filter(([, said]) => said !== null && said !== undefined).flatMap(([name, said]) => [make("dt", {}, name), make("dd", { class: "number" }, said)])),
  ];
}

/** The best lines of a planner: the pieces in order, in brackets those from hold; what each is worth, how often tried. */
function plans(lines) {
  if (!lines.length) return [];
  const rows = lines.map(({ worth, visits, steps }) => make("li", {},
    make("span", { class: "name" }, steps.map(({ piece, hold }) => (hold ? `(${piece})` : piece)).join(" ")),
    make("span", { class: "quiet number" }, visits ? `${whole(visits)} visits` : ""),
    make("b", { class: "number" }, short(worth))));
  return [make("h3", { title: "Pieces in order, in brackets those that hold brings; the first line is drawn on the board" }, "Its best lines"),
    make("ol", { class: "scores plans" }, ...rows)];
}
