// Small sounds, made here; silent until somebody asks for them.

const TONES = {
  move: [[220, 0.02, 0.03]],
  turn: [[330, 0.03, 0.03]],
  hold: [[260, 0.05, 0.04]],
  lock: [[130, 0.06, 0.08]],
  clear: [[440, 0.08, 0.07], [550, 0.1, 0.07]],
  four: [[440, 0.08, 0.08], [550, 0.08, 0.08], [660, 0.08, 0.08], [880, 0.18, 0.08]],
  lost: [[220, 0.2, 0.08], [165, 0.35, 0.08]],
}; // name -> tones one after the other: [hertz, seconds, loudness]

/** Make what plays sounds while `isOn()`. */
export function makeSound(isOn) {
  let context = null;
  return {
    play(name) {
      const tones = TONES[name];
      if (!tones || !isOn() || !window.AudioContext) return;
      context ??= new AudioContext();
      if (context.state === "suspended") context.resume();
      let at = context.currentTime;
      for (const [hertz, seconds, loudness] of tones) {
        const tone = context.createOscillator();
        const volume = context.createGain();
        tone.type = "triangle";
        tone.frequency.value = hertz;
        volume.gain.setValueAtTime(loudness, at);
        volume.gain.exponentialRampToValueAtTime(0.0001, at + seconds);
        tone.connect(volume).connect(context.destination);
        tone.start(at);
        tone.stop(at + seconds);
        at += seconds * 0.8;
      }
    },
  };
}
