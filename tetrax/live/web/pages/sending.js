// What pages ask of their server, and how they put elements together.

/** Get JSON; an Error with the server's own words where it refuses. */
export async function get(path) {
  return read(await fetch(path, { headers: { accept: "application/json" } }));
}

/** Send a JSON object; an Error with the server's own words where it refuses. */
export async function post(path, body) {
  return read(
    await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  );
}

async function read(answer) {
  const text = await answer.text();
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error(text.trim() || `${answer.status} ${answer.statusText}`);
  }
  if (!answer.ok) throw new Error(document?.error ?? `${answer.status} ${answer.statusText}`);
  return document;
}

/** Make an element: make("button", { class: "main", onclick }, "Save"). Text is text, never HTML. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
