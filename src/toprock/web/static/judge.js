import { Player } from "./player.js";

(() => {
  const find = (selector) => document.querySelector(selector);
  const parts = { who: find("#who"), bout: find("#bout"), few: find("#few"), done: find("#done"), tally: find("#tally") };
  const words = { left: "A is better", right: "B is better", tie: "Equal", unsure: "Cannot tell", skip: "Skipped" };
  const WHO = "toprock.judge", WAITING = "toprock.answers", QUIET_MS = 300;
  const stored = (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
  };
  const store = (name, value) => { try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* kept in this page */ } };

  // Two decks of two players: one is shown, the other one loads the pair after it.
  const decks = [...document.querySelectorAll("[data-deck]")].map((deck) => ({
    deck, offer: null, players: [...deck.querySelectorAll(".seat")].map((seat) => new Player(seat)),
  }));
  let front = decks[0], back = decks[1];
  let who = stored(WHO, null), queue = stored(WAITING, []), given = [], sending = null, wait_ms = 0, timer = 0;
  let shown_at = 0, seen_ms = 0, seen_since = 0, rolling = false, ahead = null, loading_ahead = 0;

  const say = (text) => { find("[data-said]").textContent = text; };
  const open = (...names) => { for (const [name, part] of Object.entries(parts)) part.hidden = !names.includes(name); };

  // ---- time that the pair is looked at: only while the page can be seen
  const look = () => { seen_since = document.hidden || !front.offer ? 0 : performance.now(); };
  const leave = () => { if (seen_since) seen_ms += performance.now() - seen_since; seen_since = 0; };
  document.addEventListener("visibilitychange", () => { leave(); look(); if (document.hidden) front.players.forEach((p) => p.pause()); });

  // ---- what is shown
  const fill = (place, offer) => {
    if (place.offer && offer && place.offer.token === offer.token) return;
    place.offer = offer;
    if (offer) place.players.forEach((player, at) => player.load(at ? offer.right : offer.left));
    else place.players.forEach((player) => player.unload());
  };
  const large = (side) => {
    const now = find("#stage").dataset.large || "";
    find("#stage").dataset.large = side && side !== now ? side : "";
    for (const { players } of decks) for (const player of players) {
      const on = find("#stage").dataset.large === player.figure.dataset.side;
      player.figure.querySelector("[data-large]").setAttribute("aria-pressed", String(on));
    }
    front.players.forEach((player) => { if (!chosen().includes(player)) player.pause(); player.onchange(); });
  };
  const chosen = () => {
    const side = find("#stage").dataset.large;
    return side ? front.players.filter((player) => player.figure.dataset.side === side) : front.players;
  };
  const show = (offer) => {
    find("[data-loading]").hidden = Boolean(offer);
    if (front.offer && offer && front.offer.token === offer.token) return;
    if (offer && back.offer && back.offer.token === offer.token) [front, back] = [back, front];
    back.players.forEach((player) => player.pause());
    back.deck.hidden = true;
    fill(front, offer);
    fill(back, null);
    front.deck.hidden = !offer;
    find("#stage").dataset.large = "";
    large("");
    shown_at = performance.now();
    seen_ms = 0;
    look();
    if (offer && rolling) front.players.forEach((player) => player.play());
    load_ahead();
  };

  // The next pair loads once this one can be watched.
  const load_ahead = () => {
    clearTimeout(loading_ahead);
    if (!ahead || !front.offer || ahead.token === front.offer.token) return;
    const ready = front.players.every((player) => player.video.readyState >= 3 || player.video.error);
    if (ready || performance.now() - shown_at > 4000) fill(back, ahead);
    else loading_ahead = setTimeout(load_ahead, 150);
  };

  let can_undo = false;
  const undoable = (yes) => {
    can_undo = Boolean(yes);
    document.querySelectorAll("[data-undo]").forEach((button) => { button.disabled = !can_undo; });
  };
  const tell = (progress) => {
    const shown = Math.max(0, Math.min(1, 2 * progress.settled - 1));
    find("[data-mine]").textContent = progress.mine.toLocaleString("en");
    find("[data-all]").textContent = progress.all.toLocaleString("en");
    find("[data-settled]").textContent = Math.round(100 * shown) + " %";
    find("[data-settled-bar]").setAttribute("width", String(100 * shown));
    undoable(given.length || progress.mine);
  };

  const apply = (found) => {
    ahead = found.ahead;
    tell(found.progress);
    if (found.pair) {
      open("bout", "tally");
      show(found.pair);
    } else {
      show(null);
      open(found.progress.performances < 2 ? "few" : "done", "tally");
    }
    load_ahead();
  };

  // ---- answers: kept until the room has them
  const keep = (one) => { queue.push(one); store(WAITING, [...stored(WAITING, []), one]); };
  const drop = (token) => {
    const others = (one) => one.token !== token;
    queue = queue.filter(others);
    store(WAITING, stored(WAITING, []).filter(others)); // another window may have some there too
  };
  const note = () => {
    const text = !queue.length || !wait_ms ? "" :
      (queue.length === 1 ? "1 answer is" : queue.length + " answers are") + " kept here until the room answers.";
    if (find("[data-sending]").textContent !== text) find("[data-sending]").textContent = text;
  };
  const later = () => {
    wait_ms = Math.min(15000, wait_ms ? 2 * wait_ms : 1000);
    clearTimeout(timer);
    timer = setTimeout(send, wait_ms);
  };
  const send = () => (sending ||= deliver().finally(() => {
    sending = null;
    if (queue.length && !wait_ms) send(); // given while the next pair was asked for
  }));
  const deliver = async () => {
    clearTimeout(timer);
    let last = null;
    while (queue.length) {
      const { token, outcome, seconds } = queue[0];
      try {
        last = await room.call("POST", "/judgments", { token, outcome, seconds });
        wait_ms = 0;
        if (last.kept !== outcome) room.toast("This pair was answered in another window before: “" + words[last.kept] + "” is kept.", true);
      } catch (problem) {
        if (!problem.status || problem.status >= 500 || problem.status === 429) { later(); break; }
        if (problem.status === 401 || problem.status === 403) { // somebody else has come in by this browser
          wait_ms = 1;
          note();
          room.toast("Load this page again: your answers are kept until then.", true);
          break;
        }
        room.toast(problem.message, true);
        last = null;
      }
      drop(token);
      note();
    }
    note();
    if (queue.length) return;
    if (last && who && mine_is(last)) apply(last); else await ask();
  };
  // Answers kept from another name or criterion are sent too; what they give back is not this judge's next pair.
  let answered_as = "";
  const mine_is = () => answered_as === JSON.stringify(who);

  const ask = async () => {
    if (!who) return;
    try {
      apply(await room.call("GET", "/judge/next?" + new URLSearchParams(who)));
      wait_ms = 0;
      note();
    } catch (problem) {
      if (problem.status && problem.status < 500) return room.toast(problem.message, true);
      find("[data-loading]").textContent = (problem.status ? problem.message : "The room does not answer.") + " Trying again …";
      if (!front.offer) open("bout");
      later();
    }
  };

  const answer = (outcome) => {
    const offer = front.offer;
    if (!offer || parts.bout.hidden || performance.now() - shown_at < QUIET_MS) return;
    leave();
    keep({ token: offer.token, outcome, seconds: Math.round(seen_ms) / 1000 });
    given.push(offer.token);
    answered_as = JSON.stringify(who);
    note();
    say(words[outcome] + ". Next pair.");
    undoable(true);
    const next = ahead && ahead.token !== offer.token ? ahead : null;
    ahead = null;
    show(next);
    if (!next) find("[data-loading]").textContent = "Looking for a pair …";
    send();
  };

  const undo = async () => {
    if (!can_undo) return;
    undoable(false); // until this one is answered
    if (queue.length) await send();
    if (queue.length) {
      undoable(true);
      return room.toast("Your answer waits for the room. It can be taken back once it is there.", true);
    }
    try {
      const found = await room.call("POST", "/judgments/undo", { ...who, token: given[given.length - 1] || "" });
      given.pop();
      apply(found);
      say("Your last answer is taken back. Judge this pair again.");
      room.toast("Your last answer is taken back.");
    } catch (problem) {
      undoable(true);
      room.toast(problem.message, true);
    }
    return undefined;
  };

  const both = () => {
    const players = chosen();
    rolling = !players.some((player) => player.playing);
    players.forEach((player) => (rolling ? player.play() : player.pause()));
  };
  // Sound of one at a time: of the next one that is shown, and then of none.
  const hear = (player) => { for (const one of front.players) { one.video.muted = one !== player; one.show(); } };
  const hear_next = () => hear(chosen()[chosen().findIndex((one) => !one.video.muted) + 1]);
  const step = (count, held) => { rolling = false; chosen().forEach((player) => player.step(count, held)); };
  for (const { players } of decks) for (const player of players) {
    player.onchange = () => {
      if (!front.players.includes(player)) return;
      find("[data-both-word]").textContent = chosen().some((one) => one.playing)
        ? "Pause" : find("#stage").dataset.large ? "Play" : "Play both";
    };
    player.figure.querySelector("[data-sound]").addEventListener("click", () => hear(player.video.muted ? player : null));
    player.figure.querySelector("[data-large]").addEventListener("click", () => large(player.figure.dataset.side));
  }

  // ---- who judges
  const introduce = async () => {
    open("who");
    front.players.forEach((player) => player.pause());
    find("#annotator").value = who ? who.annotator : "";
    find("#criterion").value = who ? who.criterion : "";
    find("#annotator").focus();
    try {
      find("#criteria").replaceChildren(...(await room.call("GET", "/criteria")).filter(Boolean).map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }));
    } catch { /* suggestions only */ }
  };
  const begin = () => {
    find("[data-annotator]").textContent = who.annotator;
    find("[data-criterion]").textContent = who.criterion ? " in " + who.criterion : "";
    if (find("[data-standings]")) find("[data-standings]").href = "/standings?" + new URLSearchParams({ criterion: who.criterion });
    open("bout");
    find("[data-loading]").hidden = Boolean(front.offer);
    if (queue.length) send(); else ask();
  };
  parts.who.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const tidy = (text) => text.trim().replace(/\s+/g, " "), name = tidy(find("#annotator").value);
    if (!name) return;
    const criterion = tidy(find("#criterion").value), same = who && who.annotator === name && who.criterion === criterion;
    who = { annotator: name, criterion: criterion.toLowerCase() === "overall" ? "" : criterion };
    if (!same) { given = []; ahead = null; show(null); }
    store(WHO, who);
    begin();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.outcome) answer(button.dataset.outcome);
    else if ("both" in button.dataset) both();
    else if ("undo" in button.dataset) undo();
    else if ("change" in button.dataset) introduce();
    if (event.detail && button.closest("#bout, #tally")) button.blur(); // else the space bar would press it once more
  });

  // The same switch as beside the player: who speaks to the machine, or hits keys by chance, does without them.
  const listening = find("#keys-on");
  try { listening.checked = localStorage.getItem("toprock.keys") !== "off"; } catch { /* on, then */ }
  const told_of_keys = () => document.body.classList.toggle("no-keys", !listening.checked);
  listening.addEventListener("change", () => {
    try { localStorage.setItem("toprock.keys", listening.checked ? "on" : "off"); } catch { /* for this page */ }
    told_of_keys();
  });
  listening.addEventListener("click", (event) => { if (event.detail) listening.blur(); }); // the space bar is the videos'
  told_of_keys();
  const watching = {
    m: hear_next, ",": (held) => step(-1, held), ".": (held) => step(1, held), "?": () => find("#keys").showModal(),
    "[": () => chosen().forEach((player) => player.faster(-1)), "]": () => chosen().forEach((player) => player.faster(1)),
  };
  const keys = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie", t: "tie", u: "unsure", s: "skip" };
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, at = event.target;
    if (!listening.checked || event.altKey || event.metaKey && key !== "z" || at.closest("dialog, input:not([type=range]), select, textarea")) return;
    if (at.matches("input[type=range]") && key.startsWith("Arrow")) return;
    if (key === "z") { event.preventDefault(); if (!event.repeat) undo(); return; }
    if (event.ctrlKey || parts.bout.hidden || document.querySelector("dialog[open]")) return;
    if (watching[key]) { event.preventDefault(); if (!event.repeat || ",.".includes(key)) watching[key](event.repeat); return; }
    if (event.repeat) return;
    if (keys[key]) { event.preventDefault(); answer(keys[key]); }
    else if (key === " " && !at.closest("button, a")) { event.preventDefault(); both(); }
    else if (key === "1" || key === "2") large(key === "1" ? "left" : "right");
    else if (key === "Escape") large("");
  });
  addEventListener("online", () => { if (queue.length) send(); });

  if (who && who.annotator) begin();
  else {
    who = null;
    introduce();
    if (queue.length) send();
  }
})();
