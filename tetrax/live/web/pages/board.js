// A game as a picture on a canvas: hold, numbers, board and queue, from the JSON of tetrax/view/as_data.py.
//
//   const board = makeBoard(element, rules);   // rules: rules_data(...)
//   board.draw(scene);                         // scene: scene_data(...), as often as you like
//   board.setRules(rules); board.destroy();
//
// The canvas fills the width of `element`, and its height where the page gives it one (maxHeight in pixels, or a function).
// It is as sharp as the screen. The look is that of tetrax/view/svg.py.

const COLOUR = {
  page: "#11131b", panel: "#191c27", well: "#161923", grid: "#212533", edge: "#485068",
  label: "#8d97b0", text: "#e8ecf6", alarm: "#ff6b6b",
};
const UNIT = { margin: 0.66, panel: 4.6, slot: 2.5, small: 0.75, label: 0.95, number: 2.3 }; // in cells
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";

export function makeBoard(element, rules, { maxHeight = Infinity, panels = true } = {}) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  element.classList.add("board");
  element.append(canvas);
  const pen = canvas.getContext("2d");
  let place = null;
  let shown = null;
  let queued = 0;

  function fit() {
    const plan = layOut(rules, panels);
    const highest = typeof maxHeight === "function" ? maxHeight() : maxHeight;
    const cell = Math.max(4, Math.floor(Math.min(element.clientWidth / plan.width, highest / plan.height)));
    const sharp = window.devicePixelRatio || 1;
    const width = Math.round(plan.width * cell);
    const height = Math.round(plan.height * cell);
    if (!place || place.cell !== cell || place.sharp !== sharp || canvas.width !== Math.round(width * sharp)) {
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    place = { ...plan, cell, sharp };
  }

  function paint() {
    queued = 0;
    if (!place) fit();
    pen.setTransform(place.sharp, 0, 0, place.sharp, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    drawGround(pen, place, rules, panels);
    if (shown) {
      drawCells(pen, place, rules, shown);
      if (panels) drawPanels(pen, place, rules, shown);
      if (shown.over) drawOver(pen, place, rules);
    }
  }

  function ask() {
    if (!queued) queued = requestAnimationFrame(paint);
  }

  const watcher = new ResizeObserver(() => {
    place = null;
    ask();
  });
  watcher.observe(element);
  ask();
  return {
    canvas,
    draw(scene) {
      shown = scene;
      canvas.setAttribute("aria-label", describe(rules, scene));
      ask();
    },
    setRules(other) {
      rules = other;
      shown = null;
      place = null;
      ask();
    },
    destroy() {
      watcher.disconnect();
      if (queued) cancelAnimationFrame(queued);
      canvas.remove();
    },
  };
}

/** Say in words what a scene shows. */
export function describe(rules, scene) {
  const name = (kind) => (kind === null || kind < 0 ? "nothing" : rules.pieces[kind]?.name ?? "unknown");
  const said = Object.entries(scene.numbers).map(([label, value]) => `${label.toLowerCase()} ${value}`);
  if (scene.active.length) said.push(`piece ${name(scene.piece)}`);
  if (rules.has_hold) said.push(`hold ${name(scene.hold)}`);
  if (scene.queue.length) said.push(`next ${scene.queue.map(name).join(" ")}`);
  if (scene.over) said.push("game over");
  return `Board: ${said.join(", ")}`;
}

/** Where things are, in cells from the upper left corner. */
function layOut(rules, panels) {
  const left = panels ? 2 * UNIT.margin + UNIT.panel : UNIT.margin;
  const top = UNIT.margin + rules.rows_above;
  const floor = top + rules.rows;
  const queue = left + rules.columns + UNIT.margin;
  const panel = UNIT.margin + UNIT.label;
  const numbers = rules.has_hold ? panel + UNIT.slot + UNIT.label : UNIT.margin;
  const hasQueue = panels && rules.preview > 0;
  const besides = panels ? Math.max(numbers + 4.6 * UNIT.number, panel + rules.preview * UNIT.slot) : 0;
  return {
    left, top, floor, queue, panel, numbers, hasQueue,
    width: hasQueue ? queue + UNIT.panel + UNIT.margin : queue,
    height: Math.max(floor, besides) + UNIT.margin,
  };
}

function drawGround(pen, place, rules, panels) {
  const { cell } = place;
  const px = (value) => Math.round(value * cell);
  pen.fillStyle = COLOUR.page;
  pen.fillRect(0, 0, px(place.width), px(place.height));
  const [x, y, wide, high] = [px(place.left), px(place.top), rules.columns * cell, rules.rows * cell];
  pen.fillStyle = COLOUR.well;
  pen.fillRect(x, y, wide, high);
  pen.fillStyle = COLOUR.grid;
  for (let column = 1; column < rules.columns; column += 1) pen.fillRect(x + column * cell, y, 1, high);
  for (let row = 1; row < rules.rows; row += 1) pen.fillRect(x, y + row * cell, wide, 1);
  pen.fillStyle = COLOUR.edge;
  pen.fillRect(x - 2, y, 2, high + 2);
  pen.fillRect(x + wide, y, 2, high + 2);
  pen.fillRect(x, y + high, wide, 2);
  if (!panels) return;
  pen.fillStyle = COLOUR.panel;
  if (rules.has_hold) drawPanel(pen, px(UNIT.margin), px(place.panel), px(UNIT.panel), px(UNIT.slot));
  if (place.hasQueue) {
    drawPanel(pen, px(place.queue), px(place.panel), px(UNIT.panel), px(rules.preview * UNIT.slot));
  }
}

function drawPanel(pen, x, y, wide, high) {
  pen.beginPath();
  pen.roundRect(x, y, wide, high, 6);
  pen.fill();
}

function drawCells(pen, place, rules, scene) {
  const { cell } = place;
  const rows = rules.rows + rules.rows_above;
  const corner = (x, y) => [Math.round(place.left * cell) + x * cell, Math.round(place.floor * cell) - (y + 1) * cell];
  const colour = (kind) => rules.pieces[kind]?.colour ?? rules.unknown;
  scene.cells.forEach((letters, y) => {
    for (let x = 0; x < letters.length; x += 1) {
      const ink = inkOf(letters[x], rules);
      if (ink) drawBlock(pen, ...corner(x, y), cell, ink);
    }
  });
  const inSight = ([, y]) => y < rows;
  if (scene.fall > 0) {
    const own = new Set(scene.active.map(([x, y]) => `${x},${y}`));
    for (const [x, y] of scene.active.map(([column, row]) => [column, row - scene.fall]).filter(inSight)) {
      if (!own.has(`${x},${y}`)) drawGhost(pen, ...corner(x, y), cell, colour(scene.piece));
    }
  }
  for (const [x, y] of (scene.hint ?? []).filter(inSight)) drawHint(pen, ...corner(x, y), cell);
  (scene.line ?? []).forEach(({ kind, cells }, place) => {
    for (const [x, y] of cells.filter(inSight)) drawPlanned(pen, ...corner(x, y), cell, colour(kind), place + 1);
  });
  for (const [x, y] of scene.active.filter(inSight)) drawBlock(pen, ...corner(x, y), cell, colour(scene.piece));
  pen.fillStyle = "rgba(255,255,255,0.35)";
  for (const [x, y] of scene.placed.filter(inSight)) pen.fillRect(...corner(x, y), cell, cell);
  pen.fillStyle = "rgba(255,255,255,0.75)";
  for (const y of scene.full) pen.fillRect(...corner(0, y), rules.columns * cell, cell);
}

function inkOf(letter, rules) {
  if (letter === ".") return null;
  if (letter === "?") return rules.unknown;
  if (letter === "#") return rules.garbage;
  return rules.pieces[letter.charCodeAt(0) - 65]?.colour ?? rules.unknown;
}

function drawBlock(pen, x, y, side, ink) {
  const rim = Math.max(1, Math.round(side / 12));
  pen.fillStyle = ink;
  pen.fillRect(x + 1, y + 1, side - 1, side - 1);
  pen.fillStyle = "rgba(255,255,255,0.35)";
  pen.fillRect(x + 1, y + 1, side - 1, rim);
  pen.fillStyle = "rgba(0,0,0,0.28)";
  pen.fillRect(x + 1, y + side - rim, side - 1, rim);
}

function drawGhost(pen, x, y, side, ink) {
  const line = Math.max(1, Math.round(side / 12));
  pen.save();
  pen.globalAlpha = 0.12;
  pen.fillStyle = ink;
  pen.fillRect(x + 1, y + 1, side - 1, side - 1);
  pen.globalAlpha = 0.65;
  pen.strokeStyle = ink;
  pen.lineWidth = line;
  pen.strokeRect(x + 1 + line / 2, y + 1 + line / 2, side - 1 - line, side - 1 - line);
  pen.restore();
}

/** Draw where somebody proposes to put a piece. */
function drawHint(pen, x, y, side) {
  const line = Math.max(2, Math.round(side / 10));
  pen.save();
  pen.strokeStyle = COLOUR.text;
  pen.lineWidth = line;
  pen.setLineDash([side / 4, side / 6]);
  pen.strokeRect(x + 1 + line / 2, y + 1 + line / 2, side - 1 - line, side - 1 - line);
  pen.restore();
}

/** Draw where a planner means to put a later piece, with its place in the line. */
function drawPlanned(pen, x, y, side, ink, place) {
  const line = Math.max(1, Math.round(side / 14));
  pen.save();
  pen.globalAlpha = Math.max(0.6, 1 - 0.1 * place);
  pen.strokeStyle = ink;
  pen.lineWidth = line;
  pen.strokeRect(x + 2 + line / 2, y + 2 + line / 2, side - 3 - line, side - 3 - line);
  pen.fillStyle = ink;
  pen.font = `600 ${Math.round(0.5 * side)}px ${FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(place), x + side / 2, y + side / 2 + 1);
  pen.restore();
}

function drawPanels(pen, place, rules, scene) {
  const { cell } = place;
  const px = (value) => Math.round(value * cell);
  const say = (text, x, y, size, ink, weight = 400) => {
    pen.font = `${weight} ${Math.round(size * cell)}px ${FONT}`;
    pen.fillStyle = ink;
    pen.fillText(text, px(x), px(y));
  };
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  const above = place.panel - 0.35;
  if (rules.has_hold) {
    say("HOLD", UNIT.margin, above, 0.52, COLOUR.label);
    if (scene.hold !== null && scene.hold >= 0) {
      drawPiece(pen, place, rules, scene.hold, UNIT.margin, place.panel, scene.hold_used ? 0.35 : 1);
    }
  }
  if (place.hasQueue) {
    say("NEXT", place.queue, above, 0.52, COLOUR.label);
    scene.queue.forEach((kind, index) => {
      drawPiece(pen, place, rules, kind, place.queue, place.panel + index * UNIT.slot, 1);
    });
  }
  Object.entries(scene.numbers).forEach(([label, value], index) => {
    const y = place.numbers + index * UNIT.number;
    say(label, UNIT.margin, y + 0.6, 0.52, COLOUR.label);
    say(value, UNIT.margin, y + 1.5, 0.75, COLOUR.text, 600);
  });
}

function drawPiece(pen, place, rules, kind, left, top, opacity) {
  const { cells, colour } = rules.pieces[kind] ?? { cells: [], colour: rules.unknown };
  if (!cells.length) return;
  const wide = Math.max(...cells.map(([x]) => x)) + 1;
  const high = Math.max(...cells.map(([, y]) => y)) + 1;
  const side = Math.round(place.cell * Math.min(UNIT.small, (UNIT.panel - 0.4) / wide, (UNIT.slot - 0.3) / high));
  const x0 = Math.round((left + UNIT.panel / 2) * place.cell - (wide * side) / 2);
  const y0 = Math.round((top + UNIT.slot / 2) * place.cell - (high * side) / 2);
  pen.save();
  pen.globalAlpha = opacity;
  for (const [x, y] of cells) drawBlock(pen, x0 + x * side, y0 + (high - 1 - y) * side, side, colour);
  pen.restore();
}

function drawOver(pen, place, rules) {
  const { cell } = place;
  const [x, y] = [Math.round(place.left * cell), Math.round(place.top * cell)];
  const [wide, high] = [rules.columns * cell, rules.rows * cell];
  const words = rules.columns >= 7 ? ["GAME OVER"] : ["GAME", "OVER"];
  const line = Math.round(1.15 * cell);
  pen.fillStyle = "rgba(17,19,27,0.55)";
  pen.fillRect(x, y, wide, high);
  const band = line * words.length + Math.round(0.5 * cell);
  const top = y + Math.round((high - band) / 2);
  pen.fillStyle = COLOUR.page;
  pen.fillRect(x, top, wide, band);
  pen.fillStyle = COLOUR.alarm;
  pen.font = `700 ${Math.round(0.9 * cell)}px ${FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  words.forEach((word, index) => pen.fillText(word, x + wide / 2, top + band / 2 + (index - (words.length - 1) / 2) * line));
}
