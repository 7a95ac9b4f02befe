// How long it takes from a key to the picture that shows it, measured in the page that is played in.

const MOST = 5000; // measurements that are kept

export function makeDelays() {
  const begun = new Map(); // number of a key -> when it was pressed
  const delays = [];
  return {
    begin(number, at) {
      begun.set(number, at);
    },
    /** The picture that comes with the next frame shows every key up to a number. */
    drawn(number) {
      const keys = [...begun.keys()].filter((key) => key <= number);
      if (!keys.length) return;
      const times = keys.map((key) => begun.get(key));
      keys.forEach((key) => begun.delete(key));
      requestAnimationFrame(() => {
        const now = performance.now(); // the board was painted in this frame, before
        delays.push(...times.map((time) => now - time));
        delays.splice(0, Math.max(0, delays.length - MOST));
      });
    },
    all: () => [...delays],
    inWords() {
      if (delays.length < 20) return "";
      const sorted = [...delays].sort((a, b) => a - b);
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1);
      return `From key to picture: half of ${sorted.length} keys in ${at(0.5)} ms, 99 of 100 in ${at(0.99)} ms.`;
    },
  };
}
