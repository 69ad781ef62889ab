// One video with its own time: only the spans that count, as if they were one piece.
import { faster } from "./speeds.js";
import { Steps } from "./steps.js";

const WORDS = { 0.25: "¼×", 0.5: "½×", 2: "2×" };

export class Player {
  constructor(figure) {
    this.figure = figure;
    this.video = figure.querySelector("video");
    this.range = figure.querySelector("input[type=range]");
    this.clock = figure.querySelector("[data-clock]");
    this.trouble = figure.querySelector(".trouble");
    this.ended = figure.querySelector(".ended");
    this.wanted = false;
    this.onchange = () => {};
    const video = this.video;
    this.steps = new Steps(video, { parts: () => this.spans, told: () => this.show() });
    video.addEventListener("loadedmetadata", () => { this.measure(); this.seek(0); });
    for (const name of ["timeupdate", "seeked"]) video.addEventListener(name, () => this.keep());
    for (const name of ["play", "pause", "ended", "ratechange"]) video.addEventListener(name, () => this.show());
    video.addEventListener("error", () => { if (video.getAttribute("src")) this.trouble.hidden = false; });
    video.addEventListener("click", () => this.toggle());
    figure.querySelector("[data-play]").addEventListener("click", () => this.toggle());
    this.range.addEventListener("input", () => this.seek(Number(this.range.value)));
    const watch = () => { if (!video.paused) { this.keep(); requestAnimationFrame(watch); } };
    video.addEventListener("playing", () => requestAnimationFrame(watch));
  }

  load(side) {
    this.steps.stop();
    this.spans = side.spans;
    this.length = this.spans.reduce((all, [start, end]) => all + end - start, 0);
    this.done = false;
    this.trouble.hidden = this.ended.hidden = true;
    this.video.muted = true;
    this.video.poster = side.picture;
    this.video.src = side.video;
    this.video.load();
    this.show();
  }

  unload() {
    this.steps.stop();
    this.pause();
    this.video.removeAttribute("src");
    this.video.removeAttribute("poster");
    this.video.load();
  }

  measure() {
    const end = Number.isFinite(this.video.duration) ? this.video.duration : 0;
    if (!this.spans.length) this.spans = [[0, end]];
    else if (end) this.spans = this.spans.map(([a, b]) => [Math.min(a, end), Math.min(b, end)]).filter(([a, b]) => b > a);
    if (!this.spans.length) this.spans = [[0, end]];
    this.length = this.spans.reduce((all, [a, b]) => all + b - a, 0);
    this.range.max = Math.max(0.1, this.length).toFixed(1);
  }

  // Seconds into the performance, from seconds of the video.
  get at() {
    let before = 0;
    const now = this.steps.held ?? this.video.currentTime;
    for (const [start, end] of this.spans || []) {
      if (now < start) return before;
      if (now < end) return before + now - start;
      before += end - start;
    }
    return before;
  }

  seek(at) {
    this.steps.stop();
    this.done = false;
    let left = Math.max(0, at);
    for (const [number, [start, end]] of this.spans.entries()) {
      if (left < end - start || number === this.spans.length - 1) {
        this.video.currentTime = Math.min(start + left, Math.max(start, end - 0.05));
        break;
      }
      left -= end - start;
    }
    this.show();
  }

  // Jump over what lies between spans, and stop after the last one.
  keep() {
    if (!this.spans || this.video.seeking || this.video.readyState < 1) return;
    const now = this.video.currentTime, inside = this.spans.find(([start, end]) => now >= start - 0.02 && now < end);
    if (!inside && !this.done) {
      const next = this.spans.find(([start]) => start > now);
      if (next) this.video.currentTime = next[0];
      else { this.done = true; this.video.pause(); }
    }
    this.show();
  }

  get playing() { return !this.video.paused && !this.video.ended; }

  // So many pictures on or back.
  step(count, held) {
    this.done = false;
    if (this.spans && this.video.readyState >= 1) this.steps.step(count, held);
  }

  faster(by) { this.video.playbackRate = faster(this.video.playbackRate, by); }

  play() {
    this.steps.stop();
    if (this.done || this.video.ended || (this.length && this.at >= this.length - 0.1)) this.seek(0);
    const begun = this.video.play();
    if (begun) begun.catch(() => this.show());
  }

  pause() { this.video.pause(); }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  show() {
    const over = this.done || this.video.ended;
    this.figure.classList.toggle("playing", this.playing);
    this.figure.classList.toggle("loud", !this.video.muted);
    this.figure.querySelector("[data-play]").setAttribute("aria-label", (this.playing ? "Pause " : "Play ") + this.letter);
    this.figure.querySelector("[data-sound]").setAttribute("aria-pressed", String(!this.video.muted));
    this.ended.hidden = !over;
    const at = over ? this.length : this.at;
    this.range.value = at;
    this.range.setAttribute("aria-valuetext", room.clock(at) + " of " + room.clock(this.length || 0));
    const speed = WORDS[this.video.playbackRate];
    this.clock.textContent = room.clock(at) + " / " + room.clock(this.length || 0) + (speed ? " · " + speed : "");
    this.onchange();
  }

  get letter() { return this.figure.dataset.side === "left" ? "A" : "B"; }
}
