// The view of one run: what it does now, the game that it plays, steering, and all that it has left on disk.

import { meanOf } from "./compare.js";
import { makeChartTools } from "./curves.js";
import { makeFeed } from "./feed.js";
import { measured, short, whole, words } from "./formats.js";
import { get, make } from "./sending.js";
import { on, shortName, state, takeGroups } from "./state.js";
import { makeSteering } from "./steering.js";
import { makeFilter, makeTable } from "./tables.js";
import { makeWatched } from "./watched.js";

const FEW = 4; // charts that are shown at first beside a game
const SOME = 6; // the same where there is no game
const GOES_ON = ["running", "paused"];
const drawn = new WeakMap(); // place -> what is shown there, as JSON
const some = (list) => (list.length ? list : null);

export function makeRunPage(run) {
  const head = make("header", { class: "run-head" });
  const banners = make("div", { class: "banners" });
  const sweep = make("div", {});
  const charts = make("div", { class: "charts" });
  const more = make("button", { type: "button", hidden: true });
  const chartsNote = make("p", { class: "note quiet", role: "status" });
  const evaluation = make("div", {});
  const pictures = make("div", {});
  const recordings = makeRecordings(run);
  const settings = make("div", {});
  const history = make("div", {});
  const steering = makeSteering(run);
  const watched = makeWatched(run);
  const watch = make("div", { class: "watch" }, watched.element,
    make("section", { class: "beside" }, make("div", { class: "tools" }, ...makeChartTools()), charts, chartsNote, more));
  const element = make("div", { class: "run" }, head, banners, steering.element, sweep, watch,
    evaluation, pictures, recordings.element, settings, history);
  const feed = makeFeed(() => [run], { together: () => false, onAnswer });
  const shown = new Map(); // metric -> chart
  let [all, metrics, report, asked] = [false, [], null, 0];

  function onAnswer(answer) {
    chartsNote.textContent = answer.error ?? answer.faults[run] ?? (answer.metrics.length || answer.pending.length ? "" : "Nothing was logged yet.");
    if (answer.error) return;
    if (!state.groups.has(run)) takeGroups([...new Set(state.groups.values()), ...answer.groups]);
    metrics = answer.metrics;
    place();
  }

  function place() {
    const evaluations = metrics.filter((name) => name.startsWith("eval/") && !/^eval\/cap/.test(name));
    const others = metrics.filter((name) => !name.startsWith("eval/") && !["steps_per_second", "games"].includes(name));
    const first = [...evaluations.slice(0, 1), ...others.slice(0, 1), ...evaluations.slice(1, 2), ...others.slice(1)].slice(0, few());
    const wanted = all ? [...new Set([...first, ...metrics])] : first;
    for (const metric of wanted) if (!shown.has(metric)) shown.set(metric, feed.add(metric, { height: 150 }));
    for (const [metric, chart] of shown) {
      if (wanted.includes(metric)) continue;
      feed.remove(chart);
      shown.delete(metric);
    }
    const elements = wanted.map((metric) => shown.get(metric).element);
    if (elements.some((one, index) => charts.children[index] !== one) || charts.children.length !== elements.length) {
      charts.replaceChildren(...elements);
    }
    more.hidden = metrics.length <= few();
    more.textContent = all ? "Fewer curves" : `All ${metrics.length} curves`;
    watch.classList.toggle("all", all);
  }
  function few() {
    return watched.element.hidden ? SOME : FEW;
  }
  more.addEventListener("click", () => {
    all = !all;
    place();
  });

  function drawHead() {
    const summary = state.runs.get(run);
    if (!summary) {
      head.replaceChildren(make("h1", {}, run), make("p", { class: "bad" }, state.runs.size ? "This run is not there, or not any more." : ""));
      return;
    }
    const part = summary.total_steps ? Math.min(1, summary.step / summary.total_steps) : 0;
    const facts = [
      summary.total_steps ? `step ${whole(summary.step)} of ${whole(summary.total_steps)}` : `step ${whole(summary.step)}`,
      summary.speed && GOES_ON.includes(summary.state) ? `${short(summary.speed)} steps per second` : null,
      summary.measured ? `${measured(summary.measured.name)} ${short(summary.measured.value)}` : null,
      summary.evaluated ? `${measured(summary.evaluated.name)} ${short(summary.evaluated.value)}` : null,
      report?.saved_step ? `saved at step ${whole(report.saved_step)}` : null,
    ];
    const host = summary.host ? ` on ${summary.host}, as it said last` : "";
    head.replaceChildren(
      make("div", { class: "row" }, make("h1", {}, shortName(run)), make("span", { class: `badge ${summary.state}` }, summary.state + host), make("span", { class: "quiet" }, summary.title)),
      make("progress", { max: "1", value: String(part), "aria-label": "trained" }),
      make("p", { class: "facts number" }, facts.filter(Boolean).join(" · ")));
    steering.element.hidden = summary.kind === "sweep";
    steering.update(summary, report?.config ?? []);
    watched.update(summary);
  }

  async function update() {
    const mine = ++asked;
    try {
      const answer = await get(`/api/run?${new URLSearchParams({ run })}`);
      if (mine !== asked) return;
      report = answer;
    } catch (error) {
      if (mine === asked) banners.replaceChildren(make("p", { class: "banner bad" }, error.message));
      return;
    }
    drawHead();
    drawBanners();
    fill(sweep, report.sweep, () => section("Points of the sweep", sweepTable(report.sweep)));
    fill(evaluation, report.evaluation, () => section("Evaluation at the end", evaluationTable(report.evaluation)));
    fill(pictures, some(report.pictures), () => section("Pictures", drawPictures(run, report.pictures)));
    recordings.update(report.recordings, report.has_policy);
    drawSettings();
    fill(history, some(report.history), () => section("What was asked of it", historyTable(report.history)));
  }

  function drawBanners() {
    const alerts = report.alerts.slice(-3).reverse().map((alert) =>
      make("p", { class: "banner warn" }, make("b", {}, alert.rule), ` · ${alert.said} · `, make("span", { class: "number" }, `step ${whole(alert.step)}`)));
    const older = report.alerts.length > 3
      ? [make("details", { class: "banner" }, make("summary", {}, `the ${report.alerts.length - 3} before`),
        ...report.alerts.slice(0, -3).reverse().map((alert) => make("p", {}, `${alert.rule}: ${alert.said} (step ${whole(alert.step)})`)))] : [];
    const waiting = report.waiting.map((one) => make("p", { class: "banner" }, `waits for ${one.at === null ? "the end of the chunk" : `step ${whole(one.at)}`}: ${one.command}`));
    const faults = report.faults.map((said) => make("p", { class: "banner bad" }, said));
    banners.replaceChildren(...faults, ...alerts, ...older, ...waiting);
  }

  function drawSettings() {
    const goesOn = GOES_ON.includes(state.runs.get(run)?.state);
    fill(settings, report.config.length ? { config: report.config, goesOn } : null, () => settingsFold(goesOn));
  }

  function settingsFold(goesOn) {
    const open = settings.querySelector("details")?.open ?? false;
    const table = makeTable(["setting", "value"], report.config.map(({ name, value, may_change: mayChange }) => [
      make("code", {}, name),
      make("span", {}, make("code", {}, value), mayChange && goesOn
        ? make("button", { type: "button", class: "small", "aria-label": `Set ${name}`, onclick: () => steering.begin(name) }, "set") : ""),
    ]), { numbers: 9, caption: "Settings" });
    return fold("Configuration", `${report.config.length} settings`, open, makeFilter("Filter settings", table), table);
  }

  const off = [
    on("runs", drawHead),
    on("again", update),
    on("changed", ({ run: of, parts }) => of === run && parts.some((part) => part !== "metrics" && part !== "finished") && update()),
  ];
  drawHead();
  update();
  feed.refresh();
  return {
    element,
    destroy() {
      asked += 1;
      feed.destroy();
      watched.destroy();
      for (const stop of off) stop();
    },
  };
}

/** Show a part where there is something to show; one that says the same stays, with what is typed or chosen in it. */
function fill(place, there, draw) {
  const said = JSON.stringify(there);
  if (drawn.get(place) === said) return;
  drawn.set(place, said);
  place.replaceChildren(...(there ? [draw()] : []));
}

function section(title, ...content) {
  return make("section", { class: "card pad" }, make("h2", {}, title), ...content);
}

function fold(title, note, open, ...content) {
  return make("details", { class: "card pad", open }, make("summary", {}, make("h2", {}, title), " ", make("span", { class: "quiet" }, note)), ...content);
}

function evaluationTable({ how, measures }) {
  const rows = Object.entries(measures).map(([name, told]) => [
    words(name), meanOf(told), short(told.std), short(told.min), ...["0.05", "0.25", "0.5", "0.75", "0.95"].map((share) => short(told.quantiles?.[share])), short(told.max),
  ]);
  const said = [`${whole(how.episodes)} games`, how.max_pieces ? `stopped at ${whole(how.max_pieces)} pieces` : "no cap", how.capped ? `${whole(how.capped)} not lost` : null, `step ${whole(how.step)}`];
  return make("div", {}, make("p", { class: "quiet" }, said.filter(Boolean).join(" · ")),
    makeTable(["", "mean", "std", "lowest", "5%", "25%", "median", "75%", "95%", "highest"], rows, { caption: "Evaluation" }));
}

function drawPictures(run, files) {
  return make("div", { class: "pictures" }, ...files.map(({ name, changed }) => {
    const source = `/picture?${new URLSearchParams({ run, name, changed })}`;
    return make("figure", {}, make("a", { href: source, target: "_blank" }, make("img", { src: source, alt: words(name.replace(".png", "")), loading: "lazy" })),
      make("figcaption", { class: "quiet" }, words(name.replace(".png", ""))));
  }));
}

/** The recordings of a run, and the one that is open, in its player. */
function makeRecordings(run) {
  const list = make("div", { class: "row" });
  const stage = make("div", { class: "player" });
  const element = section("Recordings", list, stage);
  const think = make("button", { type: "button", hidden: true, title: "Play it again with what the policy makes of each decision; the first time takes a while" }, "what its policy thinks");
  element.insertBefore(think, stage);
  let [open, openChanged, hasPolicy] = [null, 0, false];
  element.hidden = true;
  think.addEventListener("click", () => play({ run, name: open, changed: openChanged, thoughts: "yes" }, "The policy looks at the game …"));

  function show(name, changed) {
    [open, openChanged] = [open === name ? null : name, changed];
    think.hidden = !open || !hasPolicy;
    for (const button of list.children) button.setAttribute("aria-pressed", button.dataset.name === open);
    if (!open) {
      stage.replaceChildren();
      return;
    }
    play({ run, name, changed }, "The game is played again …");
  }

  function play(asked, said) {
    const frame = make("iframe", { src: `/recording?${new URLSearchParams(asked)}`, title: `Recording ${asked.name}`, sandbox: "allow-scripts" });
    const wait = make("p", { class: "quiet", role: "status" }, said);
    frame.hidden = true;
    frame.addEventListener("load", () => {
      wait.remove();
      frame.hidden = false;
      frame.focus();
    });
    stage.replaceChildren(wait, frame);
  }

  return {
    element,
    update(files, knowsPolicy) {
      hasPolicy = knowsPolicy;
      element.hidden = !files.length;
      const newestFirst = [...files].sort((one, other) => other.changed - one.changed || one.name.localeCompare(other.name));
      list.replaceChildren(...newestFirst.map(({ name, changed }) =>
        make("button", { type: "button", "data-name": name, "aria-pressed": String(name === open), onclick: () => show(name, changed) }, name.replace(".json", ""))));
    },
  };
}

function historyTable(lines) {
  const rows = [...lines].reverse().map(({ time, step, how, changes }) => [
    time.replace("T", " ").replace("+00:00", ""), whole(step), how, changes.map(({ name, from, to }) => `${name} ${from} → ${to}`).join(", ") || "–",
  ]);
  return makeTable(["when (UTC)", "step", "how", "changes"], rows, { numbers: 9, caption: "History" });
}

function sweepTable({ status, metric, command, columns, tuned, rows }) {
  const cell = (content) => (typeof content === "object" && content !== null ? `${short(content.mean)}${content.std ? ` ± ${short(content.std)}` : ""}` : short(content));
  const table = makeTable(["", ...columns.map((name, index) => (index < tuned ? name : words(name))), "diverged", "step"], rows.map((row) => [
    row.label, ...row.cells.map((content, index) => (index < tuned ? String(content ?? "–") : cell(content))), row.diverged ? whole(row.diverged) : "–", whole(row.step),
  ]), { caption: "Points" });
  const said = [status, metric ? `ranked by ${words(metric)}` : null].filter(Boolean).join(" · ");
  return make("div", {}, make("p", { class: "quiet" }, said), table,
    command ? make("p", {}, "Train the best point with ", make("code", {}, command)) : "");
}
