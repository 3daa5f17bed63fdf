"use strict";
const box = document.getElementById("filter");
const rows = Array.from(document.querySelectorAll(".finding"));
const texts = rows.map((row) => row.textContent.toLowerCase());

function filter() {
  const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, at) => {
    row.hidden = !wanted.every((word) => texts[at].includes(word));
    shown += row.hidden ? 0 : 1;
  });
  document.getElementById("shown").textContent = `${shown} of ${rows.length}`;
}

if (box) {
  box.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "Escape" && document.activeElement === box) {
      box.value = "";
      filter();
      box.blur();
    }
  });
  filter();
}
