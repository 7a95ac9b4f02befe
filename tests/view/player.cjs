// Plays the data of a page with the page's own program and prints what each frame draws, one JSON line each.
// node player.cjs PROGRAM DATA [INDEX ...]: all frames in order, or those asked for.
const fs = require("fs");
const [program, file, ...asked] = process.argv.slice(2);
const { makeReader, layersOf } = new Function(`${fs.readFileSync(program)}; return { makeReader, layersOf };`)();
const data = JSON.parse(fs.readFileSync(file));
const read = makeReader(data);
for (const index of asked.length ? asked.map(Number) : data.frames.keys()) {
  const { step, numbers, over, did, say, mark, ...frame } = read(index);
  const layers = Object.entries(layersOf(data, frame)).filter(([, path]) => path);
  console.log(JSON.stringify({ step, numbers, over, did, say, mark, layers: Object.fromEntries(layers) }));
}
