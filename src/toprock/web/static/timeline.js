// The evidence timeline in step with a video: playhead, what was said at the pointer, a click goes there.
const element = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};
const tip = element("div", "tip");
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);

export class Timeline {
  // `seek` is given seconds on this timeline's own clock.
  constructor(chart, { seek, label = "Time in the performance" }) {
    this.chart = chart;
    this.data = JSON.parse(chart.querySelector(".data").textContent);
    this.edges = this.data.edges;
    this.start = this.edges[0];
    this.end = this.edges[this.edges.length - 1];
    this.plot = chart.querySelector("[data-plot]");
    this.seek = seek;
    this.spoken = -1;
    this.over = element("div", "over");
    this.head = element("div", "playhead");
    this.under = element("div", "pointer");
    this.under.hidden = true;
    this.over.append(this.under, this.head);
    chart.append(this.over);
    const stack = this.plot.closest(".stack"); // on phones the label stands above it
    new ResizeObserver(() => { this.over.style.top = stack.offsetTop + "px"; }).observe(chart);
    this.handle = this.slider(label);
    this.watch();
    this.place(this.start);
  }

  share(time) { return Math.max(0, Math.min(1, (time - this.start) / (this.end - this.start || 1))); }

  place(time, quiet) {
    this.now = time;
    this.head.style.left = 100 * this.share(time) + "%";
    const second = Math.floor(time * (quiet ? 0.2 : 10));
    if (second === this.spoken) return;
    this.spoken = second;
    this.handle.setAttribute("aria-valuenow", time.toFixed(1));
    this.handle.setAttribute("aria-valuetext", this.words(time));
  }

  words(time) {
    const i = this.column(time);
    return room.clock(time, true) + (this.data.streams.length ? ", net " + this.signed(this.net(i)) + " a second" : "");
  }

  slider(label) {
    const handle = element("div", "scrub");
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", label);
    handle.setAttribute("aria-valuemin", this.start.toFixed(1));
    handle.setAttribute("aria-valuemax", this.end.toFixed(1));
    this.plot.append(handle);
    handle.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
      if (event.key in moves) this.seek(Math.max(this.start, Math.min(this.end, this.now + moves[event.key])));
      else if (event.key === "Home") this.seek(this.start);
      else if (event.key === "End") this.seek(this.end);
      else return;
      event.preventDefault();
    });
    return handle;
  }

  watch() {
    const inside = (event) => {
      const box = this.plot.getBoundingClientRect();
      return !(event.target.closest && event.target.closest("a, button")) && event.clientX >= box.left && event.clientX <= box.right;
    };
    const at = (event) => {
      const box = this.plot.getBoundingClientRect();
      return this.start + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (this.end - this.start);
    };
    let held = false, touched = false;
    this.chart.addEventListener("pointerdown", (event) => {
      touched = event.pointerType === "touch"; // a finger may be about to scroll: its tap counts, see below
      if (touched || event.button || !inside(event)) return;
      event.preventDefault(); // the focus stays where it was, and the keys with it
      held = event.pointerType === "mouse";
      this.seek(at(event));
    });
    this.chart.addEventListener("click", (event) => { if (touched && inside(event)) this.seek(at(event)); });
    this.chart.addEventListener("pointermove", (event) => {
      if (!inside(event)) { this.hide(); return; }
      if (held) this.seek(at(event));
      if (event.pointerType === "mouse") this.show(at(event), event);
    });
    addEventListener("pointerup", () => { held = false; });
    this.chart.addEventListener("pointerleave", () => this.hide());
  }

  column(time) {
    let low = 0, high = this.edges.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.edges[middle] <= time) low = middle; else high = middle - 1;
    }
    return low;
  }
  of(stream, i) { return stream.branches.reduce((sum, b) => sum + b.rates[i], 0); }
  net(i) { return this.data.streams.reduce((sum, s) => sum + this.of(s, i), 0); }
  signed(v) {
    const text = Math.abs(v).toFixed(this.data.decimals);
    return (Number(text) === 0 ? "" : v > 0 ? "+" : "\u2212") + text;
  }

  show(time) {
    const i = this.column(time), tone = (v) => (v > 0 ? "up" : v < 0 ? "down" : "flat");
    this.under.style.left = 100 * this.share(time) + "%";
    this.under.hidden = tip.hidden = false;
    tip.replaceChildren(element("p", "when", room.clock(time, true)));
    if (this.data.streams.length) {
      const list = element("dl");
      const line = (name, value, kind) => {
        const row = element("div", kind);
        row.append(element("dt", "", name), element("dd", tone(value), this.signed(value)));
        list.append(row);
      };
      line("Net a second", this.net(i), "net");
      for (const s of this.data.streams) {
        line(s.name, this.of(s, i), "stream");
        for (const b of s.branches) line(b.name, b.rates[i], "branch");
      }
      tip.append(list);
    }
    const box = this.plot.getBoundingClientRect(), x = box.left + this.share(time) * box.width;
    const room_ = document.documentElement.clientWidth - 8, width = tip.offsetWidth;
    const left = x + 14 + width > room_ ? x - 14 - width : x + 14;
    tip.style.left = Math.max(8, Math.min(left, room_ - width)) + window.scrollX + "px";
    tip.style.top = Math.max(68, box.top - tip.offsetHeight * 0.35) + window.scrollY + "px";
  }
  hide() { this.under.hidden = tip.hidden = true; }
}
