"use strict";
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl-C";
    }
  });
}

const map = document.querySelector(".heat");

function read(cell) {
  map.querySelector(".at")?.classList.remove("at");
  cell.classList.add("at");
  const channel = cell.parentElement.cells[0].textContent;
  const pixel = map.tHead.rows[0].cells[cell.cellIndex].textContent;
  const steps = cell.title || "0";
  document.getElementById("readout").textContent =
    `channel ${channel}, pixel ${pixel}: ${steps === "0" ? "right" : `off by ${steps} steps`}`;
}

function neighbour(cell, key) {
  const body = map.tBodies[0].rows;
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  const row = body[cell.parentElement.sectionRowIndex + down];
  const next = row?.cells[cell.cellIndex + right];
  return next?.tagName === "TD" ? next : cell;
}

if (map) {
  map.addEventListener("mouseover", (event) => {
    if (event.target.tagName === "TD") read(event.target);
  });
  map.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    read(neighbour(map.querySelector(".at") ?? map.querySelector("td"), event.key));
  });
}
