"use strict";
(() => {
  const tip = document.getElementById("tip");
  const clock = (t) => {
    const tenths = Math.round(t * 10), m = Math.floor(tenths / 600), s = (tenths % 600) / 10;
    const head = m >= 60 ? Math.floor(m / 60) + ":" + String(m % 60).padStart(2, "0") : String(m);
    return head + ":" + s.toFixed(1).padStart(4, "0");
  };
  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const setUp = (chart) => {
    const data = JSON.parse(chart.querySelector(".data").textContent);
    const plot = chart.querySelector("[data-plot]"), cursor = chart.querySelector(".cursor");
    const edges = data.edges, last = edges.length - 2, start = edges[0], end = edges[last + 1];
    const signed = (v) => {
      const text = Math.abs(v).toFixed(data.decimals);
      return (Number(text) === 0 ? "" : v > 0 ? "+" : "\u2212") + text;
    };
    const tone = (v) => (v > 0 ? "up" : v < 0 ? "down" : "flat");
    const of = (s, i) => s.branches.reduce((sum, b) => sum + b.rates[i], 0);
    const net = (i) => data.streams.reduce((sum, s) => sum + of(s, i), 0);
    const span = (i) => clock(edges[i]) + "\u2013" + clock(edges[i + 1]);
    const spoken = (i) =>
      span(i) + ", net " + signed(net(i)) + " a second; " +
      data.streams.map((s) => s.name + " " + signed(of(s, i))).join(", ");

    const handle = element("div", "scrub");
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Time in the performance");
    handle.setAttribute("aria-valuemin", start.toFixed(1));
    handle.setAttribute("aria-valuemax", end.toFixed(1));
    plot.append(handle);
    let at = 0;

    const place = (i) => {
      const box = plot.getBoundingClientRect(), frame = chart.getBoundingClientRect();
      const x = ((edges[i] + edges[i + 1]) / 2 - start) / (end - start) * box.width + box.left;
      cursor.style.left = x - frame.left + "px";
      cursor.style.top = box.top - frame.top + "px";
      cursor.hidden = tip.hidden = false;
      const width = tip.offsetWidth, room = document.documentElement.clientWidth - 8;
      const left = x + 14 + width > room ? x - 14 - width : x + 14;
      tip.style.left = Math.max(8, Math.min(left, room - width)) + window.scrollX + "px";
      const over = frame.top - tip.offsetHeight - 8;
      const top = window.innerWidth > 760 ? box.top - tip.offsetHeight * 0.35 : over >= 8 ? over : box.bottom + 12;
      tip.style.top = Math.max(8, top) + window.scrollY + "px";
    };
    const show = (i) => {
      at = Math.max(0, Math.min(last, i));
      handle.setAttribute("aria-valuenow", ((edges[at] + edges[at + 1]) / 2).toFixed(1));
      handle.setAttribute("aria-valuetext", spoken(at));
      tip.replaceChildren(element("p", "when", span(at)));
      const list = element("dl");
      const line = (name, value, kind) => {
        const row = element("div", kind);
        row.append(element("dt", "", name), element("dd", tone(value), signed(value)));
        list.append(row);
      };
      line("Net a second", net(at), "net");
      for (const s of data.streams) {
        line(s.name, of(s, at), "stream");
        for (const b of s.branches) line(b.name, b.rates[at], "branch");
      }
      tip.append(list);
      place(at);
    };
    const hide = () => { cursor.hidden = tip.hidden = true; };
    const nearest = (x) => {
      const box = plot.getBoundingClientRect();
      const t = start + (x - box.left) / box.width * (end - start);
      let low = 0, high = last;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (edges[middle] <= t) low = middle; else high = middle - 1;
      }
      return low;
    };
    handle.setAttribute("aria-valuenow", start.toFixed(1));
    handle.setAttribute("aria-valuetext", spoken(0));

    chart.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const badge = event.target.closest && event.target.closest(".badges a");
      if (badge || event.clientX < box.left || event.clientX > box.right) hide();
      else show(nearest(event.clientX));
    });
    chart.addEventListener("pointerdown", (event) => {
      const box = plot.getBoundingClientRect();
      if (!event.target.closest("a") && event.clientX >= box.left && event.clientX <= box.right)
        show(nearest(event.clientX));
    });
    chart.addEventListener("pointerleave", () => { if (document.activeElement !== handle) hide(); });
    handle.addEventListener("focus", () => { if (handle.matches(":focus-visible")) show(at); });
    handle.addEventListener("blur", hide);
    handle.addEventListener("keydown", (event) => {
      const far = Math.max(1, Math.round((last + 1) / 20));
      const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: far, PageDown: -far };
      if (event.key === "Escape") hide();
      else if (event.key === "Home") show(0);
      else if (event.key === "End") show(last);
      else if (event.key in moves) show(at + moves[event.key]);
      else return;
      event.preventDefault();
    });
  };
  document.querySelectorAll("[data-chart]").forEach(setUp);

  const light = (id, on) => {
    document.querySelectorAll('[data-moment="' + id + '"]').forEach((e) => e.classList.toggle("lit", on));
    const card = document.getElementById(id);
    if (card) card.classList.toggle("lit", on);
  };
  document.querySelectorAll(".card, .badges a").forEach((e) => {
    const id = e.dataset.moment || e.id;
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]])
      e.addEventListener(event, () => light(id, on));
  });

  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
