// From one picture of a video to the next one or the one before, by the times that the file gives them: they need not be even.
const JUST = 0.001; // seconds from the edge of a picture, so that no rounding shows its neighbour
const CLOSE = 0.002; // seconds within which there is one picture at most
const LOOK_MS = 15, LOOKS = 3, LATE_MS = 900; // how often to look for a picture after a seek, and for how long at least

export class Steps {
  // `parts` gives the spans in seconds that may be shown, in order; `told` is called after each step.
  constructor(video, { parts, told = () => {} }) {
    Object.assign(this, { video, parts, told });
    this.run = null; // the steps that are being made: how many are owed, what covers the video, where it stands meanwhile
    this.gap = 1 / 30; // the last distance between two pictures
    this.shown = 0; // how many pictures came, and the time of the last one
    this.picture = null;
    this.blind = !video.requestVideoFrameCallback; // no picture is told of, in this browser or after this seek
    if (this.blind) return;
    const seen = (now, { mediaTime }) => {
      this.blind = false;
      this.shown += 1;
      this.picture = mediaTime;
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
    for (const name of ["loadstart", "seeking"]) video.addEventListener(name, () => { if (!this.run) this.picture = null; });
  }

  // Where the video stands as far as anybody is told, while neighbours are looked for.
  get held() { return this.run ? this.run.at : undefined; }

  // Somebody goes elsewhere, or all steps are made.
  stop() {
    if (this.run) this.run.still.remove();
    this.run = null;
  }

  // `held`: by a key that is kept down, which waits for the step before.
  async step(count, held = false) {
    const { video } = this;
    video.pause();
    if (this.blind || document.hidden) { this.leap(this.held ?? video.currentTime, count); return; }
    if (this.run) { this.run.owed += held ? 0 : count; return; }
    if (!video.videoWidth) return;
    const run = this.run = { owed: count, at: video.currentTime, still: document.createElement("canvas") };
    run.still.className = "still";
    this.draw(run);
    video.after(run.still);
    while (this.run === run && run.owed) {
      const way = Math.sign(run.owed), at = await (way > 0 ? this.after(run) : this.before(run));
      // already shown, unless it is looked for elsewhere or the span starts in its middle
      if (this.picture === null || Math.abs(this.within(this.picture) - at) > 1e-6) await this.look(run, at);
      if (this.run !== run) return;
      if (this.blind) { this.leap(run.at, run.owed); return; }
      run.at = at;
      run.owed -= way;
      this.draw(run);
      this.told();
    }
    this.stop();
  }
  // As far as two pictures lay apart, to no further than the next span or the one before.
  leap(from, count) {
    const parts = this.parts(), number = this.part(parts, from), [start, end] = parts[number];
    let to = from + count * this.gap;
    if (to > end - JUST) to = number + 1 < parts.length ? this.within(parts[number + 1][0]) : end - JUST;
    else if (to < start) to = number ? parts[number - 1][1] - JUST : this.within(start);
    this.stop();
    this.video.currentTime = to;
    this.told();
  }
  // The picture as it is, over those that are only looked at on the way.
  draw({ still }) {
    still.width = this.video.videoWidth;
    still.height = this.video.videoHeight;
    still.getContext("2d").drawImage(this.video, 0, 0);
  }

  // Show what there is at a time; resolves to when that picture begins.
  async look(run, at) {
    const { video } = this;
    if (this.run === run && !video.paused) this.stop();
    if (!this.sees(run)) return this.picture ?? at;
    const before = this.shown;
    // Chromium tells of no picture after a seek to the very time where it stands
    video.currentTime = Math.abs(video.currentTime - at) < 1e-6 ? at + JUST / 2 : at;
    await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    const late = performance.now() + LATE_MS;
    for (let looks = 0; this.shown === before && (looks < LOOKS || performance.now() < late); looks += 1) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (this.shown === before && this.run === run) this.blind = true;
    return this.picture ?? at;
  }
  sees(run) { return this.run === run && !this.blind; }
  part(parts, at) { return Math.max(0, parts.findLastIndex(([start]) => at >= start - JUST)); }
  async here(run) {
    const parts = this.parts(), now = this.picture !== null && !this.video.seeking ? this.picture : await this.look(run, run.at);
    return { now, parts, number: this.part(parts, run.at) };
  }
  async before(run) {
    const { now, parts, number } = await this.here(run), [start] = parts[number];
    if (now - JUST >= start) return this.within(await this.look(run, now - JUST), start);
    if (!number) return this.within(now, start);
    const [earlier, end] = parts[number - 1];
    return this.within(await this.look(run, end - JUST), earlier);
  }
  // Where the next one is as far off as the last one was, two looks prove it. Else a later one is looked for, and then
  // the ones before that for as long as they are later too: none between is missed.
  async after(run) {
    const { now, parts, number } = await this.here(run), [start, end] = parts[number], last = end - JUST;
    const look = (ahead) => this.look(run, Math.min(last, Math.max(start, now) + ahead));
    let next = await look(this.gap - CLOSE), proven = false;
    if (next <= now) {
      next = await look(this.gap + CLOSE);
      proven = next > now;
    }
    for (let ahead = this.gap; next <= now && Math.max(start, now) + ahead < last && this.sees(run);) next = await look(ahead *= 2);
    while (next > now && !proven && this.sees(run)) {
      const earlier = await this.look(run, next - JUST);
      proven = earlier <= now || earlier >= next;
      if (!proven) next = earlier;
    }
    if (next > now) {
      if (this.sees(run)) this.gap = Math.max(2 * CLOSE, next - now);
      return this.within(next, start);
    }
    return number + 1 < parts.length ? this.within(parts[number + 1][0]) : this.within(now, start);
  }
  within(picture, start = 0) { return Math.max(picture, start) + JUST; }
}
