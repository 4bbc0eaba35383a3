// Each picture is fetched by itself, drawn and escaped by the server; a range that ends now is
// fetched again and again while somebody looks.
"use strict";

const pictures = [...document.querySelectorAll("[data-source]")];
const every = Number(document.querySelector("main").dataset.every);

async function draw(picture) {
  try {
    const answer = await fetch(picture.dataset.source);
    const scrolled = [...picture.children].map((one) => one.scrollTop);
    picture.innerHTML = await answer.text();
    [...picture.children].forEach((one, index) => { one.scrollTop = scrolled[index] ?? 0; });
  } catch {
    picture.textContent = "The server does not answer: is `evc dashboard serve` still running?";
  }
}

async function drawAll() {
  await Promise.all(pictures.map(draw));
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
  if (every) setTimeout(again, every * 1000);
}

function again() {
  if (document.visibilityState === "visible") drawAll();
  else document.addEventListener("visibilitychange", again, { once: true });
}

for (const field of document.querySelectorAll("form select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
drawAll();
