"use strict";
// What a number is made of, while the pointer or the keyboard is on it. The same lines stand below each table.
const tip = document.getElementById("tip");
const show = (place) => {
  tip.textContent = place.dataset.tip;
  tip.hidden = false;
  const at = place.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left), innerWidth - own.width - 8);
  const above = at.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
};
const hide = () => { tip.hidden = true; };
for (const place of document.querySelectorAll("[data-tip]")) {
  place.addEventListener("pointerenter", () => show(place));
  place.addEventListener("focus", () => show(place));
  place.addEventListener("pointerleave", hide);
  place.addEventListener("blur", hide);
}
addEventListener("scroll", hide, { capture: true, passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

// A link to a line that is folded away unfolds it; on paper nothing is folded.
const unfold = () => {
  const line = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let around = line; around; around = around.parentElement) if (around.tagName === "DETAILS") around.open = true;
  if (line) line.scrollIntoView({ block: "center" });
};
addEventListener("hashchange", unfold);
if (location.hash) unfold();
addEventListener("beforeprint", () => { for (const fold of document.querySelectorAll("details")) fold.open = true; });
