// A video that keeps to the spans of a performance: seek, step by frames, slow down, loop.
import { faster } from "./speeds.js";
import { Steps } from "./steps.js";

const NEAR = 0.04;

export class Stage {
  constructor(video, { spans = [], rate_hz: rate = 25 } = {}) {
    this.video = video;
    this.spans = spans;
    this.rate = rate > 0 ? rate : 25;
    this.loop = null;
    this.free = false; // all of the video, whatever the spans
    this.listeners = [];
    this.waiting = 0;
    this.steps = new Steps(video, {
      parts: () => (this.free || !this.spans.length ? [[this.start, Number.isFinite(this.end) ? this.end : video.currentTime + 60]] : this.spans),
      told: () => this.tell("seek"),
    });
    video.controls = false;
    for (const name of ["play", "pause", "seeked", "timeupdate", "ratechange", "volumechange", "loadedmetadata", "ended"])
      video.addEventListener(name, () => this.tell(name));
    video.addEventListener("play", () => this.run());
  }

  on(listener) { this.listeners.push(listener); }
  tell(what) { for (const listener of this.listeners) listener(what); }

  get start() { return this.free || !this.spans.length ? 0 : this.spans[0][0]; }
  get end() {
    const whole = Number.isFinite(this.video.duration) ? this.video.duration : Infinity;
    const last = this.spans.length ? this.spans[this.spans.length - 1][1] : whole;
    return Math.min(this.free ? whole : last, whole);
  }
  get time() { return this.steps.held ?? this.wanted ?? this.video.currentTime; }

  // Go to a time, the nearest one that is part of the performance.
  seek(time) {
    this.steps.stop();
    const last = this.end;
    let at = Math.max(this.start, Math.min(time, Number.isFinite(last) ? Math.max(this.start, last - 0.5 / this.rate) : time));
    if (!this.free && this.spans.length && !this.spans.some(([a, b]) => at >= a && at <= b)) {
      const next = this.spans.find(([a]) => a >= at);
      if (next) at = next[0];
    }
    if (this.loop && (at < this.loop[0] - NEAR || at > this.loop[1] + NEAR)) this.loop = null;
    this.wanted = at;
    this.video.currentTime = at;
    this.video.addEventListener("seeked", () => { this.wanted = undefined; }, { once: true });
    this.tell("seek");
  }

  toggle() { if (this.video.paused) this.play(); else this.video.pause(); }
  play() {
    if (this.time >= this.end - 1 / this.rate) this.seek(this.loop ? this.loop[0] : this.start);
    return this.video.play().catch(() => {});
  }
  pause() { this.video.pause(); }
  step(count, held) {
    this.loop = null;
    return this.steps.step(count, held);
  }

  get speed() { return this.video.playbackRate; }
  set speed(value) { this.video.playbackRate = value; }
  faster(by) { this.speed = faster(this.speed, by); }

  run() {
    cancelAnimationFrame(this.waiting);
    const look = () => {
      if (this.video.paused) return;
      this.keep();
      this.tell("frame");
      this.waiting = requestAnimationFrame(look);
    };
    this.waiting = requestAnimationFrame(look);
  }

  // While playing: back to the start of the loop, over what is no part of the performance, and no further than its end.
  keep() {
    if (this.wanted !== undefined) return;
    const now = this.video.currentTime;
    if (this.loop) { if (now >= this.loop[1] || now < this.loop[0] - NEAR) this.seek(this.loop[0]); return; }
    if (this.free || !this.spans.length) return;
    const at = this.spans.findIndex(([, b]) => now < b - 1e-3);
    if (at < 0) { if (now < (this.video.duration || Infinity) - 0.05 || !this.video.ended) this.pause(); return; }
    if (now < this.spans[at][0] - NEAR) this.seek(this.spans[at][0]);
  }
}

// All of the screen for a stage, or back; where only a video gets it (iPhones), for its one video; undefined where there is none.
function full(box) {
  if (box.requestFullscreen) return () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen()).catch(() => {});
  const [video, another] = box.querySelectorAll("video");
  return video.webkitEnterFullscreen && !another ? () => { if (video.readyState) video.webkitEnterFullscreen(); } : undefined;
}

// The buttons of a transport bar, for anything that plays like a `Stage`.
export function transport(bar, stage, does) {
  const act = {
    play: () => stage.toggle(), back: (event) => stage.step(-1, event?.repeat), forward: (event) => stage.step(1, event?.repeat),
    mute: () => { stage.video.muted = !stage.video.muted; },
    full: full(bar.closest(".stage")), ...does,
  };
  if (!act.full) bar.querySelector("[data-do=full]").remove();
  bar.addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
  bar.addEventListener("click", (event) => {
    const speed = event.target.closest("[data-speed]"), button = event.target.closest("[data-do]");
    if (speed) stage.speed = Number(speed.dataset.speed);
    if (button && act[button.dataset.do]) act[button.dataset.do]();
  });
  const play = bar.querySelector("[data-do=play]"), now = bar.querySelector("[data-now]");
  const mute = bar.querySelector("[data-do=mute]"), length = bar.querySelector("[data-length]");
  let shown = "";
  const show = (what) => {
    const time = room.clock(stage.time - (stage.zero ?? 0), true);
    if (time !== shown) now.textContent = shown = time;
    if (what === "frame" || what === "timeupdate") return;
    const paused = stage.video.paused;
    play.classList.toggle("playing", !paused);
    play.setAttribute("aria-label", paused ? "Play" : "Pause");
    if (mute) mute.setAttribute("aria-pressed", String(stage.video.muted));
    if (Number.isFinite(stage.end)) length.textContent = "/ " + room.clock(Math.round(stage.end - (stage.zero ?? 0)));
    for (const b of bar.querySelectorAll("[data-speed]")) b.setAttribute("aria-pressed", String(Number(b.dataset.speed) === stage.speed));
  };
  stage.on(show);
  show();
  return act;
}

// Keys for the whole page: none while somebody writes, while a box is open, or where they are switched off.
export function listen(map) {
  const box = document.getElementById("keys-on");
  box.checked = localStorage.getItem("toprock.keys") !== "off";
  box.addEventListener("change", () => localStorage.setItem("toprock.keys", box.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !box.checked) return;
    if (document.querySelector("dialog[open]") || event.target.closest("input, textarea, select, [contenteditable], [role=slider]")) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    const does = map[event.key] || map[event.key.toLowerCase()];
    if (!does) return;
    event.preventDefault();
    does(event);
  });
}
