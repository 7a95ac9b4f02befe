// Tables that can be wider than the page, and are read from their first column.

import { make } from "./sending.js";

/** Make a table of rows of cells (texts or elements); `numbers` says from which column on they are numbers. */
export function makeTable(heads, rows, { numbers = 1, caption = null } = {}) {
  const cell = (content, index, name) =>
    make(name, { class: index >= numbers ? "number right" : null, scope: name === "th" ? "col" : null }, content);
  const table = make("table", {},
    caption ? make("caption", { class: "unseen" }, caption) : null,
    make("thead", {}, make("tr", {}, ...heads.map((head, index) => cell(head, index, "th")))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content, index) =>
      index === 0 ? make("th", { scope: "row" }, content ?? "–") : cell(content ?? "–", index, "td"))))));
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption ?? "Table" }, table);
}

/** Let a text field hide the rows of a table that do not have its words. */
export function makeFilter(label, table) {
  const field = make("input", { type: "search", placeholder: label, "aria-label": label });
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.querySelectorAll("tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  return field;
}
