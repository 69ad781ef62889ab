"use strict";
// What every page of the room shares: writes that show where they come from, questions, and short messages.
const room = (() => {
  const proof = document.querySelector('meta[name="proof"]').content;
  const headers = (more) => ({ "X-Proof": proof, ...more });

  // Ask the API; resolves to its JSON, rejects with an Error in words for people.
  const call = async (method, path, body) => {
    let answer;
    try {
      answer = await fetch("/api/v1" + path, {
        method,
        headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Error("The room does not answer. Is it still running?");
    }
    if (answer.status === 401) {
      location.assign("/login?then=" + encodeURIComponent(location.pathname + location.search));
      throw new Error("Enter the password again.");
    }
    const found = answer.status === 204 ? null : await answer.json().catch(() => null);
    if (!answer.ok) throw Object.assign(new Error(words(found)), { status: answer.status });
    return found;
  };
  const words = (found) => {
    const text = (found && found.error) || "That did not work";
    return text[0].toUpperCase() + text.slice(1) + ". " + ((found && found.advice) || "");
  };

  const toast = (text, bad) => {
    const made = document.createElement("p");
    made.className = bad ? "toast bad" : "toast";
    made.textContent = text;
    document.getElementById("toasts").append(made);
    setTimeout(() => made.remove(), bad ? 9000 : 4000);
  };

  // Times are sent as UTC, and told as clocks here show them.
  const when = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const copy = async (text, told) => {
    let copied = true;
    try { await navigator.clipboard.writeText(text); } catch {
      const field = document.createElement("textarea"), focused = document.activeElement;
      field.value = text;
      document.body.append(field);
      field.select();
      copied = document.execCommand("copy");
      field.remove();
      if (focused) focused.focus();
    }
    if (copied) toast(told); else byHand(text);
  };
  const byHand = (text) => {
    const make = (tag, values, ...inner) => { const made = Object.assign(document.createElement(tag), values); made.append(...inner); return made; };
    const field = make("input", { type: "text", readOnly: true, autofocus: true, value: text });
    const close = make("p", { className: "buttons" }, make("button", { className: "strong" }, "Close"));
    const box = make("dialog", { ariaLabel: "Copy it by hand" }, make("form", { method: "dialog" }, make("h2", {}, "Copy it by hand"), field, close));
    field.setAttribute("aria-label", "What to copy");
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
    field.select();
  };

  const ask = (title, text, yes) => new Promise((resolve) => {
    const box = document.getElementById("ask");
    box.querySelector("h2").textContent = title;
    box.querySelector("[data-text]").textContent = text;
    box.querySelector("[data-yes]").textContent = yes;
    box.returnValue = "";
    box.addEventListener("close", () => resolve(box.returnValue === "yes"), { once: true });
    box.showModal();
  });

  const clock = (t, tenths) => {
    const all = Math.max(0, tenths ? Math.round(t * 10) / 10 : Math.floor(t));
    const h = Math.floor(all / 3600), m = Math.floor((all % 3600) / 60), s = all % 60;
    const seconds = (tenths ? s.toFixed(1) : String(Math.floor(s))).padStart(tenths ? 4 : 2, "0");
    return (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + seconds;
  };

  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    // no button of the form: the first one of those is what Enter presses
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close("");
    if (event.target.closest("[data-leave]")) {
      await fetch("/logout", { method: "POST", headers: headers() });
      location.assign("/login");
    }
  });
  let gone = false; // said once, until the room answers again
  document.addEventListener("htmx:sendError", () => {
    if (!gone) toast("The room does not answer: what you see may be old. Is it still running?", true);
    gone = true;
  });
  document.addEventListener("htmx:afterOnLoad", () => { gone = false; });
  document.addEventListener("htmx:responseError", () => toast("The room could not show this. Load the page again.", true));

  // Parts that are asked for again and again are swapped only where they have changed.
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const again = (detail.elt.getAttribute("hx-trigger") || "").startsWith("every");
    if (again && detail.target.dataset.mark) detail.headers["If-None-Match"] = detail.target.dataset.mark;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const mark = detail.xhr && detail.xhr.getResponseHeader("ETag");
    if (mark && "mark" in detail.target.dataset) detail.target.dataset.mark = mark;
  });

  const badge = document.getElementById("waiting");
  if (badge) setInterval(async () => {
    if (document.hidden) return;
    try {
      const { open } = await call("GET", "/jobs/waiting");
      badge.textContent = open;
      badge.hidden = !open;
    } catch { /* the next look will tell */ }
  }, 5000);

  const tell = () => document.querySelectorAll('time[datetime$="Z"]').forEach((time) => { time.textContent = when(time.dateTime); });
  tell();
  document.addEventListener("htmx:afterSwap", tell);

  return { call, toast, copy, ask, clock, when, headers };
})();
