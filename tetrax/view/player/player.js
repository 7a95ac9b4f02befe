"use strict";

// The data are frames, each what changed since the one before (see player_data.py). A reader stands at one
// frame; it keeps a copy every so many frames, so that going back is as quick as going forward.
const COPY_EVERY = 64;

function makeReader(data) {
  const columns = data.columns;
  const copies = [];
  let now = {
    index: -1, step: -1, cells: new Int8Array(columns * data.all_rows).fill(-1), active: null, hold: -1,
    used: false, next: [], over: false, numbers: data.labels.map(() => ""), placed: [], full: [], did: "",
    say: "", said: "", mark: false,
  };

  function advance() {
    const index = now.index + 1;
    const frame = data.frames[index];
    for (const row of [...(frame.cut || [])].sort((a, b) => b - a)) {
      now.cells.copyWithin(row * columns, (row + 1) * columns);
      now.cells.fill(-1, now.cells.length - columns);
    }
    if (frame.rise) {
      now.cells.copyWithin(frame.rise * columns, 0);
      now.cells.fill(-1, 0, frame.rise * columns);
    }
    const changed = [];
    for (const [kind, ...cells] of frame.set || []) {
      for (const cell of cells) {
        now.cells[cell] = kind;
        changed.push(cell);
      }
    }
    for (const name of ["active", "hold", "used", "next", "over"]) {
      if (name in frame) now[name] = frame[name];
    }
    for (const [place, text] of Object.entries(frame.numbers || {})) now.numbers[place] = text;
    now.index = index;
    now.step = "step" in frame ? frame.step : now.step + 1;
    now.placed = frame.placed ? changed : [];
    now.full = frame.full || [];
    now.did = "did" in frame ? data.strings[frame.did] : "";
    now.say = "say" in frame ? data.strings[frame.say] : "";
    now.said = now.say || now.said; // what was said last
    now.mark = Boolean(frame.mark);
  }

  const copyOf = (frame) => ({ ...frame, cells: frame.cells.slice(), numbers: frame.numbers.slice() });

  return function read(index) {
    const start = Math.min(Math.floor(index / COPY_EVERY), copies.length - 1);
    if (index < now.index || start * COPY_EVERY > now.index) now = copyOf(copies[start]);
    while (now.index < index) {
      advance();
      if (now.index === copies.length * COPY_EVERY) copies.push(copyOf(now));
    }
    return now;
  };
}

// What a frame draws: path data by layer, as svg.py says it.
function layersOf(data, frame) {
  const place = data.layout;
  const blocks = new Map();
  const squares = { ghost: [], placed: [], flash: [], dim: [] };
  const onBoard = (x, y) => [place.left + x * place.cell + 1, place.floor - (y + 1) * place.cell, place.cell - 1];
  const add = (kind, square) => (blocks.get(kind) || blocks.set(kind, []).get(kind)).push(square);

  function beside(kind, left, top) {
    const shape = data.shapes[data.pieces[kind]];
    const columns = 1 + Math.max(...shape.map(([x]) => x));
    const rows = 1 + Math.max(...shape.map(([, y]) => y));
    const x0 = left + Math.floor((place.panel_width - columns * place.small) / 2);
    const y0 = top + Math.floor((place.slot - rows * place.small) / 2);
    const ordered = [...shape].sort(([x, y], [a, b]) => y - b || x - a);
    return ordered.map(([x, y]) => [x0 + x * place.small, y0 + (rows - 1 - y) * place.small, place.small - 1]);
  }

  const active = new Set();
  const shown = data.rows * data.columns;
  if (frame.active) {
    const [, shape, left, bottom, fall] = frame.active;
    const cells = data.shapes[shape].map(([x, y]) => [left + x, bottom + y]);
    for (const [x, y] of cells) active.add(y * data.columns + x);
    for (const [x, y] of fall ? cells : []) {
      const cell = (y - fall) * data.columns + x;
      if (!active.has(cell) && cell < shown) squares.ghost.push(onBoard(x, y - fall));
    }
  }
  for (let cell = 0; cell < shown; cell++) {
    const kind = active.has(cell) ? frame.active[0] : frame.cells[cell];
    if (kind >= 0) add(kind, onBoard(cell % data.columns, Math.floor(cell / data.columns)));
  }
  if (frame.hold >= 0) {
    const held = beside(frame.hold, place.margin, place.panel);
    for (const square of held) add(frame.hold, square);
    if (frame.used) squares.dim = held;
  }
  frame.next.forEach((kind, index) => {
    for (const square of beside(kind, place.queue, place.panel + index * place.slot)) add(kind, square);
  });
  for (const cell of frame.placed) {
    if (cell < shown) squares.placed.push(onBoard(cell % data.columns, Math.floor(cell / data.columns)));
  }
  for (const row of frame.full) {
    for (let x = 0; row < data.rows && x < data.columns; x++) squares.flash.push(onBoard(x, row));
  }

  const path = (list) => list.map(([x, y, side]) => `M${x} ${y}h${side}v${side}h-${side}z`).join("");
  const edge = (down) => ([x, y, side]) => `M${x} ${y + (down ? side - 2 : 0)}h${side}v2h-${side}z`;
  const layers = {};
  const every = [];
  for (const kind of [...blocks.keys()].sort((a, b) => a - b)) {
    layers[`block-${kind}`] = path(blocks.get(kind));
    every.push(...blocks.get(kind));
  }
  layers.light = every.map(edge(false)).join("");
  layers.shade = every.map(edge(true)).join("");
  if (frame.active) {
    layers[`ghost-${frame.active[0]}`] = path(squares.ghost.map(([x, y, side]) => [x + 1, y + 1, side - 2]));
  }
  for (const name of ["placed", "flash", "dim"]) layers[name] = path(squares[name]);
  return layers;
}

function start() {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const read = makeReader(data);
  const last = data.frames.length - 1;
  const marks = [];
  data.frames.forEach((frame, index) => frame.mark && marks.push(index));
  const stage = document.querySelector("#stage svg");
  const paths = new Map([...stage.querySelectorAll("[data-layer]")].map((path) => [path.dataset.layer, path]));
  const numbers = data.labels.map((label) => stage.querySelector(`[data-number="${label}"]`));
  const over = stage.querySelector("[data-over]");
  let index = 0;
  let playing = false;
  let due = 0; // frames that playing is behind by, a fraction
  let drawnAt = 0; // milliseconds

  function draw() {
    const frame = read(index);
    const layers = layersOf(data, frame);
    for (const [name, path] of paths) path.setAttribute("d", layers[name] || "");
    numbers.forEach((number, place) => { number.textContent = frame.numbers[place]; });
    over.setAttribute("display", frame.over ? "inline" : "none");
    find("when").textContent = `step ${frame.step} of ${data.steps}`;
    find("did").textContent = frame.did;
    find("said").textContent = frame.said;
    find("said").className = frame.say ? "" : "old";
    find("scrubber").value = index;
    find("scrubber").setAttribute("aria-valuetext", `step ${frame.step} of ${data.steps}`);
    drawThought(frame.step);
    const spoken = data.labels.map((label, place) => `${label.toLowerCase()} ${frame.numbers[place]}`);
    stage.querySelector("desc").textContent = spoken.join("; ") + (frame.over ? "; game over" : "");
    find("first").disabled = find("back").disabled = index === 0;
    find("last").disabled = find("forward").disabled = index === last;
    find("previous-mark").disabled = !(marks[0] < index);
    find("next-mark").disabled = !(marks[marks.length - 1] > index);
  }

  // What a policy held of the decision that led here; there may be none.
  function drawThought(step) {
    const thought = data.thoughts && data.thoughts[step - 1];
    find("thought").hidden = !data.thoughts;
    if (!data.thoughts) return;
    const list = find("best");
    list.replaceChildren();
    const lines = (thought && thought.lines) || [];
    find("planned").hidden = !lines.length;
    find("planned").textContent = lines.length ? `Its best lines, pieces from hold in brackets: ${lines.join("; ")}.` : "";
    if (!thought) {
      find("held").textContent = "The game begins.";
      return;
    }
    const value = thought.value === null ? "" : `; it expects ${thought.value}`;
    const error = thought.error === undefined ? "" : ` TD error of what was played: ${thought.error}.`;
    const same = thought.played ? "was played" : "was not played";
    find("held").textContent = `The policy's choice of ${thought.legal}: ${thought.did}, which ${same}${value}.${error}`;
    const scores = thought.best.map(([, score]) => score);
    const lowest = thought.kind === "probabilities" ? 0 : Math.min(...scores);
    const span = (thought.kind === "probabilities" ? 1 : Math.max(...scores) - lowest) || 1;
    for (const [name, score] of thought.best) {
      const row = document.createElement("li");
      const label = document.createElement("code");
      const bar = document.createElement("meter");
      const number = document.createElement("span");
      label.textContent = name;
      bar.value = (score - lowest) / span;
      bar.setAttribute("aria-hidden", "true");
      number.textContent = thought.kind === "probabilities" ? `${(100 * score).toFixed(1)}%` : String(score);
      row.className = name === frameAction(step) ? "chosen" : "";
      row.append(label, bar, number);
      list.append(row);
    }
  }

  const frameAction = (step) => (read(index).step === step ? read(index).did : "");

  function seek(to) {
    index = Math.max(0, Math.min(last, to));
    draw();
  }

  function setPlaying(yes) {
    playing = yes;
    due = 0;
    find("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    find("play-sign").setAttribute("d", playing ? "M3 1h4v14H3zM10 1h4v14h-4z" : "M3 1v14l11-7z");
    find("said").setAttribute("aria-live", playing ? "off" : "polite");
    if (playing) {
      if (index === last) seek(0);
      drawnAt = performance.now();
      requestAnimationFrame(run);
    }
  }

  function run(time) {
    if (!playing) return;
    due += (Math.max(0, time - drawnAt) / 1000) * data.pace * Number(find("speed").value);
    drawnAt = time;
    const frames = Math.floor(due);
    due -= frames;
    if (frames) seek(index + frames);
    if (index === last) setPlaying(false);
    else requestAnimationFrame(run);
  }

  function step(by) {
    setPlaying(false);
    seek(index + by);
  }

  function toMark(forward) {
    setPlaying(false);
    const target = forward ? marks.find((mark) => mark > index) : marks.filter((mark) => mark < index).pop();
    if (target !== undefined) seek(target);
  }

  function changeSpeed(by) {
    const speed = find("speed");
    speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
  }

  const keys = {
    " ": () => setPlaying(!playing),
    ArrowLeft: (shift) => step(shift ? -10 : -1),
    ArrowRight: (shift) => step(shift ? 10 : 1),
    PageUp: () => toMark(false),
    PageDown: () => toMark(true),
    Home: () => step(-index),
    End: () => step(last - index),
    "+": () => changeSpeed(1),
    "=": () => changeSpeed(1),
    "-": () => changeSpeed(-1),
  };
  document.addEventListener("keydown", (event) => {
    const native = event.target.closest("select, summary") || (event.key === " " && event.target.closest("button"));
    const action = Object.hasOwn(keys, event.key) && keys[event.key];
    if (native || !action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event.shiftKey);
  });
  find("play").addEventListener("click", () => setPlaying(!playing));
  find("first").addEventListener("click", () => step(-index));
  find("back").addEventListener("click", () => step(-1));
  find("forward").addEventListener("click", () => step(1));
  find("last").addEventListener("click", () => step(last - index));
  find("previous-mark").addEventListener("click", () => toMark(false));
  find("next-mark").addEventListener("click", () => toMark(true));
  find("scrubber").addEventListener("input", (event) => {
    setPlaying(false);
    seek(Number(event.target.value));
  });
  find("scrubber").max = last;
  const across = (mark) => Math.round((1000 * mark) / Math.max(1, last));
  document.querySelector("#marks path").setAttribute("d", marks.map((mark) => `M${across(mark)} 0v6`).join(""));
  draw();
}

if (typeof document !== "undefined" && document.getElementById("stage")) start();
