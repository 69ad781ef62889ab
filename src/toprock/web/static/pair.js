// Two stages as one: the longer one leads, the other follows, by seconds from the start or by share of the length.
const LATE = 0.3, OFF = 0.03;

export class Pair {
  constructor(stages, zeros) {
    this.stages = stages;
    this.zeros = zeros;
    this.mode = "seconds";
    this.listeners = [];
    this.wants = false;
    this.loop = null; // seconds on that clock, from and to
    for (const stage of stages) stage.spans = stage.spans.length ? [[stage.spans[0][0], stage.spans[stage.spans.length - 1][1]]] : [];
    stages.forEach((stage) => stage.on((what) => { this.keep(stage, what); this.tell(what); }));
  }

  on(listener) { this.listeners.push(listener); }
  tell(what) { for (const listener of this.listeners) listener(what); }

  length(i) { return Math.max(0.1, (Number.isFinite(this.stages[i].end) ? this.stages[i].end : this.zeros[i] + 1) - this.zeros[i]); }
  get first() { return this.length(1) > this.length(0) ? 1 : 0; }
  get lead() { return this.stages[this.first]; }
  get follower() { return this.stages[1 - this.first]; }
  ratio(i) { return this.mode === "share" ? this.length(i) / this.length(this.first) : 1; }

  // Seconds from the start, on the clock of the one that leads; and where that is in each video.
  get time() { return this.lead.time - this.zeros[this.first]; }
  get end() { return this.length(this.first); }
  place(i, at) { return this.zeros[i] + at * this.ratio(i); }
  at(i, time) { return (time - this.zeros[i]) / this.ratio(i); }

  get video() { return this.lead.video; }
  get speed() { return this.lead.speed; }
  set speed(value) { this.lead.speed = value; this.follower.speed = value * this.ratio(1 - this.first); }
  faster(by) { this.lead.faster(by); this.speed = this.lead.speed; }

  seek(at) {
    const wanted = Math.max(0, Math.min(at, this.end));
    if (this.loop && (wanted < this.loop[0] - OFF || wanted > this.loop[1] + OFF)) this.loop = null;
    this.stages.forEach((stage, i) => stage.seek(this.place(i, wanted)));
    if (this.wants) this.begin();
  }
  toggle() { if (this.wants) this.pause(); else this.play(); }
  play() {
    if (this.time >= this.end - 0.1) this.seek(this.loop ? this.loop[0] : 0);
    this.wants = true;
    this.speed = this.lead.speed;
    this.begin();
  }
  begin() {
    this.lead.play();
    if (this.place(1 - this.first, this.time) < this.follower.end - 0.1) this.follower.play();
  }
  pause() { this.wants = false; for (const stage of this.stages) stage.pause(); }
  async step(count, held) {
    this.pause();
    this.loop = null;
    await this.lead.step(count, held);
    this.follower.seek(this.place(1 - this.first, this.time));
  }
  turn(mode) {
    const at = this.time;
    this.mode = mode;
    this.loop = null;
    this.seek(at);
    this.speed = this.lead.speed;
  }

  // How far the follower is from where it should be, in its own seconds.
  get drift() { return this.follower.time - Math.min(this.place(1 - this.first, this.time), this.follower.end); }
  keep(stage, what) {
    if (stage !== this.lead) return;
    if (this.loop && this.wants && this.lead.wanted === undefined && this.time >= Math.min(this.loop[1], this.end - 0.05)) { this.seek(this.loop[0]); return; }
    if (what === "pause" && this.wants && this.time >= this.end - 0.2) this.pause();
    if (what !== "frame" || !this.wants || this.follower.wanted !== undefined || this.lead.wanted !== undefined) return;
    const rest = this.follower, normal = this.lead.speed * this.ratio(1 - this.first);
    if (this.place(1 - this.first, this.time) >= rest.end - 0.05) { if (!rest.video.paused) rest.pause(); return; }
    if (rest.video.paused) rest.play();
    const off = this.drift;
    if (Math.abs(off) > LATE) rest.seek(this.place(1 - this.first, this.time));
    const wanted = Math.abs(off) > OFF ? normal * (1 - Math.max(-0.15, Math.min(0.15, off))) : normal;
    if (Math.abs(rest.speed - wanted) > 0.005) rest.speed = wanted;
  }
}
