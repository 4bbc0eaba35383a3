// Each picture is fetched by itself when it comes into sight, drawn and escaped by the server; a
// range that ends now is fetched again and again while somebody looks.
"use strict";

const every = Number(document.querySelector("main").dataset.every);
const sight = new IntersectionObserver(seen, { rootMargin: "50px" });
const drawn = [];

// Again after each pause (ms): a browser drops what it asks while the machine's network changes.
async function ask(source, pauses = [100, 400, 1000]) {
  try {
    const answer = await fetch(source);
    return { ok: answer.ok, text: await answer.text() };
  } catch (dropped) {
    if (!pauses.length) throw dropped;
    await new Promise((go) => setTimeout(go, pauses[0]));
    return ask(source, pauses.slice(1));
  }
}

async function draw(picture) {
  try {
    const { ok, text } = await ask(picture.dataset.source);
    if (!ok) {
      problem(picture, text);
      return;
    }
    const scrolled = [...picture.children].map((one) => one.scrollTop);
    picture.innerHTML = text;
    [...picture.children].forEach((one, index) => { one.scrollTop = scrolled[index] ?? 0; });
  } catch {
    problem(picture, "The server does not answer: is `evc dashboard serve` still running?");
  } finally {
    picture.dataset.drawn = "";
  }
}

// What is said instead of a picture may quote what somebody typed: it is text.
function problem(picture, text) {
  const said = document.createElement("p");
  said.className = "problem";
  said.textContent = text;
  picture.replaceChildren(said);
}

function seen(entries) {
  const fresh = entries.filter((one) => one.isIntersecting).map((one) => one.target);
  fresh.forEach((one) => sight.unobserve(one));
  drawn.push(...fresh);
  fresh.forEach(draw);
}

async function again() {
  if (document.visibilityState === "visible") await Promise.all(drawn.map(draw));
  setTimeout(again, every * 1000);
}

for (const field of document.querySelectorAll("form select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
document.querySelectorAll("[data-source]").forEach((one) => sight.observe(one));
if (every) setTimeout(again, every * 1000);
