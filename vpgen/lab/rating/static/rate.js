"use strict";
// Two clips, one transport; every vote is sent at once. The server says what is next; nothing is kept here but the visit.

const $ = (id) => document.getElementById(id);
const VIEWS = ["name", "rate", "waiting", "done", "trouble"];
const SAYS = { left: "Left is better", right: "Right is better", tie: "No difference", "both-bad": "Both bad" };
const LOOK_AGAIN_MS = 5000;
const PLAY = "M7 4v16l13-8z";
const PAUSE = "M6 5h4v14H6zM14 5h4v14h-4z";
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let visit = null; // the secret word of this page's visit
let shown = null; // what the server says is on the screen
let busy = true; // no vote may be given: loading, or a vote is on its way
let again = null; // what "Try again" does
let timer = null;

// ---- the server --------------------------------------------------------------------------------

class Trouble extends Error {
  constructor(status, said) {
    super(said.error || `the server answered ${status}`);
    this.status = status;
    this.remedy = said.remedy;
  }
}

async function call(name, body = {}) {
  let answer;
  try {
    answer = await fetch(`api/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-visit": visit || "" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Trouble(0, { error: "The server does not answer.", remedy: "Is `vpgen rate` still running? Your votes are kept." });
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Trouble(answer.status, said);
  return said;
}

async function guarded(work) {
  clearTimeout(timer);
  try {
    await work();
  } catch (error) {
    if (error.status === 401) return begin();
    both.pause();
    $("trouble-text").textContent = [error.message, error.remedy].filter(Boolean).join(". ");
    again = () => guarded(work);
    view("trouble");
  }
}

// ---- what is on the page -----------------------------------------------------------------------

function view(name) {
  for (const each of VIEWS) $(each).hidden = each !== name;
  document.querySelector(".progress").hidden = !shown || name === "name";
}

function announce(text) {
  $("said").textContent = text;
}

async function begin() {
  const hello = await call("hello");
  $("experiment").textContent = hello.experiment;
  document.title = `Which is better? ${hello.experiment}`;
  const known = hello.rater || remembered();
  if (known) return enter(known);
  view("name");
  $("rater").focus();
}

// A frame of another page may be denied storage: then the name is asked for again.
function remembered(name) {
  try {
    if (name) sessionStorage.setItem("rater", name);
    return sessionStorage.getItem("rater");
  } catch {
    return null;
  }
}

async function enter(rater) {
  visit = (await call("enter", { rater })).visit;
  remembered(rater);
  await put(await call("show"));
}

async function put(next) {
  shown = next;
  $("who").textContent = next.rater;
  $("count").textContent = next.state === "show" ? `${next.done + 1} of ${next.total}` : `${next.done} of ${next.total}`;
  $("bar").max = Math.max(next.total, 1);
  $("bar").value = next.done;
  $("undo").disabled = $("done-undo").disabled = !next.undo;
  $("ranking").replaceChildren();
  mark(null);
  if (next.state === "show") return showPair(next);
  both.clear();
  if (next.state === "waiting") {
    timer = setTimeout(() => guarded(async () => put(await call("show"))), LOOK_AGAIN_MS);
    return view("waiting");
  }
  const missing = next.lost ? ` ${next.lost} could not be shown: their files are no longer in the store.` : "";
  $("done-text").textContent = `You have compared every pair there is by now, ${next.total} in all, and each vote is kept.${missing}`;
  announce("Done. Thank you.");
  view("done");
}

async function showPair(next) {
  busy = true;
  const mine = next.ticket;
  $("story").textContent = next.story;
  document.querySelector(".clips").style.setProperty("--shape", `${next.size[0]} / ${next.size[1]}`);
  view("rate");
  enable(false);
  $("loading").hidden = false;
  await both.load(next);
  if (shown.ticket !== mine) return;
  $("loading").hidden = true;
  busy = false;
  enable(true);
  announce(`Pair ${next.done + 1} of ${next.total}. ${next.story}`);
  if (!calm) both.play();
}

function enable(on) {
  for (const button of document.querySelectorAll(".choice")) button.disabled = !on;
}

function mark(choice) {
  for (const button of document.querySelectorAll(".choice")) button.classList.toggle("chosen", button.dataset.choice === choice);
  $("left-clip").classList.toggle("chosen", choice === "left");
  $("right-clip").classList.toggle("chosen", choice === "right");
  document.querySelector(".clips").classList.toggle("tie", choice === "tie");
  document.querySelector(".clips").classList.toggle("both-bad", choice === "both-bad");
}

function vote(choice) {
  if (busy || !shown || shown.state !== "show") return;
  busy = true;
  enable(false);
  mark(choice);
  const ticket = shown.ticket;
  guarded(async () => {
    const seen = new Promise((after) => setTimeout(after, calm ? 0 : 180)); // long enough to see what was chosen
    let next;
    try {
      next = await call("vote", { ticket, choice });
      $("note").textContent = `Kept: ${SAYS[choice].toLowerCase()}`;
    } catch (error) {
      if (error.status !== 409) throw error;
      next = await call("show");
      $("note").textContent = error.message;
    }
    await seen;
    await put(next);
  });
}

function undo() {
  if ((busy && shown?.state === "show") || !shown?.undo) return;
  busy = true;
  guarded(async () => {
    const next = await call("undo");
    $("note").textContent = "Your last vote is taken back: vote again";
    await put(next);
  });
}

function ranking() {
  guarded(async () => {
    $("ranking").textContent = "Working it out…";
    const said = await call("ranking");
    const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`);
    const row = (kind, cells) => {
      const line = document.createElement("tr");
      for (const text of cells) line.append(Object.assign(document.createElement(kind), { textContent: text }));
      return line;
    };
    const table = document.createElement("table");
    table.append(row("th", ["Variant", "Preferred", "95 % interval", "Won", "Lost", "Tied", "Both bad"]));
    for (const each of said.standings) {
      const interval = each.low === null ? "–" : `${Math.round(100 * each.low)} to ${percent(each.high)}`;
      table.append(row("td", [each.variant, percent(each.share), interval, each.wins, each.losses, each.ties, each.both_bad]));
    }
    const under = document.createElement("p");
    under.className = "hint";
    const people = said.agreement.raters;
    under.textContent = `${said.votes} votes of ${people} ${people === 1 ? "person" : "people"}. Preferred: the chance to be preferred to another variant.`;
    $("ranking").replaceChildren(table, under);
  });
}

// ---- two clips that run as one -----------------------------------------------------------------

const both = {
  clips: [$("left"), $("right")],
  running: false, // what the user wants; the clips themselves may be waiting for data
  step: 1 / 24,
  length: 0,
  turn: 0,

  async load(next) {
    this.pause();
    this.step = next.step;
    this.length = next.seconds;
    this.turn += 1;
    const addresses = [next.left, next.right];
    await Promise.all(
      this.clips.map(
        (clip, side) =>
          new Promise((ready, failed) => {
            clip.oncanplaythrough = ready;
            clip.onerror = () => failed(new Trouble(0, { error: "A clip cannot be played here.", remedy: "Try again" }));
            clip.src = addresses[side];
            clip.load();
          }),
      ),
    );
    for (const clip of this.clips) clip.oncanplaythrough = clip.onerror = null;
    // A clip's last frame is at its end less one step: beyond it there is nothing to see.
    $("seek").max = this.length;
    this.draw();
  },

  clear() {
    this.pause();
    for (const clip of this.clips) {
      clip.removeAttribute("src");
      clip.load();
    }
  },

  now() {
    return Math.max(...this.clips.map((clip) => clip.currentTime));
  },

  async seek(to) {
    const target = Math.min(Math.max(to, 0), this.length - this.step / 2);
    const turn = ++this.turn;
    await Promise.all(
      this.clips.map(
        (clip) =>
          new Promise((there) => {
            clip.onseeked = there;
            clip.currentTime = Math.min(target, Math.max(clip.duration - this.step / 2, 0));
          }),
      ),
    );
    this.draw();
    return turn === this.turn;
  },

  async play() {
    this.running = true;
    this.draw();
    if (this.now() >= this.length - this.step && !(await this.seek(0))) return;
    await this.start();
  },

  // Both from the same moment, once both can.
  async start() {
    const turn = ++this.turn;
    for (const clip of this.clips) clip.playbackRate = Number($("speed").value);
    try {
      await Promise.all(this.clips.filter((clip) => !clip.ended).map((clip) => clip.play())); // an ended one would begin anew
    } catch {
      if (turn === this.turn) this.pause(); // the browser wants a gesture first
      return;
    }
    if (turn === this.turn) requestAnimationFrame(() => this.follow(turn));
  },

  pause() {
    this.running = false;
    this.turn += 1;
    for (const clip of this.clips) clip.pause();
    this.draw();
  },

  // Each screen refresh: keep the right one with the left one, and both waiting while one has no data.
  async follow(turn) {
    if (turn !== this.turn || !this.running) return;
    const [left, right] = this.clips;
    this.draw();
    const over = (clip) => clip.ended || clip.currentTime >= clip.duration - this.step / 4;
    const lastFrame = (clip) => clip.ended || clip.currentTime >= clip.duration - this.step;
    if (over(left) && over(right)) {
      if (!$("loop").checked) return this.pause();
      for (const clip of this.clips) clip.pause();
      if (await this.seek(0)) await this.start();
      return;
    }
    if (lastFrame(left) || lastFrame(right)) {
      // Where one is shorter it waits at its end.
    } else if (left.readyState < 3 || right.readyState < 3) {
      for (const clip of this.clips) clip.pause();
      await new Promise((soon) => setTimeout(soon, 50));
      if (turn === this.turn) await this.start();
      return;
    } else {
      const apart = right.currentTime - left.currentTime;
      const speed = Number($("speed").value);
      if (Math.abs(apart) > 4 * this.step) {
        for (const clip of this.clips) clip.pause();
        if (await this.seek(left.currentTime)) await this.start();
        return;
      }
      // A little slower or faster until they are less than a quarter of a frame apart.
      right.playbackRate = Math.abs(apart) > this.step / 4 ? speed * (1 - Math.sign(apart) * 0.05) : speed;
    }
    requestAnimationFrame(() => this.follow(turn));
  },

  async frame(by) {
    this.pause();
    // To the middle of a frame, so that rounding never shows its neighbour.
    await this.seek((Math.floor(this.now() / this.step + 1e-3) + by + 0.5) * this.step);
  },

  draw() {
    const now = this.now() || 0;
    $("play-shape").setAttribute("d", this.running ? PAUSE : PLAY);
    $("play").setAttribute("aria-label", this.running ? "Pause both" : "Play both");
    if (document.activeElement !== $("seek") || this.running) $("seek").value = now;
    $("time").textContent = `${now.toFixed(2)} / ${this.length.toFixed(2)} s`;
  },
};

function toggle() {
  if (shown?.state !== "show") return;
  if (both.running) both.pause();
  else both.play();
}

async function restart() {
  const running = both.running;
  both.pause();
  if ((await both.seek(0)) && running) both.play();
}

function slower() {
  const speed = $("speed");
  speed.selectedIndex = (speed.selectedIndex + speed.length - 1) % speed.length;
}

// ---- hands -------------------------------------------------------------------------------------

const KEYS = {
  ArrowLeft: () => vote("left"), a: () => vote("left"),
  ArrowRight: () => vote("right"), d: () => vote("right"),
  " ": () => vote("tie"), t: () => vote("tie"),
  b: () => vote("both-bad"),
  u: undo,
  p: toggle,
  ",": () => both.frame(-1), ".": () => both.frame(1),
  0: restart,
  l: () => $("loop").click(),
  s: slower,
};
// The same keys where letters are not Latin (ㅁ is where A is).
const PLACES = { KeyA: "a", KeyD: "d", KeyT: "t", KeyB: "b", KeyU: "u", KeyP: "p", KeyL: "l", KeyS: "s", Comma: ",", Period: "." };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && event.key !== "," && event.key !== ".") return;
  const field = event.target.closest?.("input, select, textarea");
  if ($("help").open || (field && field.id !== "seek" && field.type !== "checkbox")) return;
  if (event.key === "?") return $("help").showModal();
  const latin = /^[\x20-\x7e]$/.test(event.key) || event.key.length > 1;
  const act = KEYS[latin ? (event.key.length === 1 ? event.key.toLowerCase() : event.key) : PLACES[event.code]];
  // Space and Enter on a button that has the focus press it; it got the focus by Tab, as a click does not keep it.
  if (!act || $("rate").hidden && act !== undo || (event.key === " " && event.target.closest?.("button"))) return;
  event.preventDefault();
  act();
});

for (const button of document.querySelectorAll(".choice")) button.addEventListener("click", () => vote(button.dataset.choice));
// After a click by mouse the keys go to the page again, so that Space is a vote and not another press of the button.
addEventListener("click", (event) => {
  if (event.detail > 0) event.target.closest?.("#rate button")?.blur();
});
for (const clip of both.clips) clip.addEventListener("click", toggle);
$("play").addEventListener("click", toggle);
$("back").addEventListener("click", () => both.frame(-1));
$("forward").addEventListener("click", () => both.frame(1));
$("seek").addEventListener("input", async () => {
  const running = both.running;
  for (const clip of both.clips) clip.pause();
  if ((await both.seek(Number($("seek").value))) && running) both.start();
});
$("seek").addEventListener("change", () => $("seek").blur());
$("undo").addEventListener("click", undo);
$("done-undo").addEventListener("click", undo);
$("ranking-show").addEventListener("click", ranking);
$("help-open").addEventListener("click", () => $("help").showModal());
$("again").addEventListener("click", () => again?.());
$("name").addEventListener("submit", (event) => {
  event.preventDefault();
  $("name-error").textContent = "";
  enter($("rater").value).catch((error) => {
    view("name");
    $("name-error").textContent = [error.message, error.remedy].filter(Boolean).join(". ");
  });
});

guarded(begin);
